"""What user data says: the files cloud-init would write, and what a director's Keepalived would do."""

from __future__ import annotations

import base64
import bz2
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from policy.reading import UnreadableError

KEEPALIVED = "/etc/lvs-aws/keepalived.conf"
AGENT = "/etc/lvs-aws/agent.json"
FIELDS = {
    "router id": r"^\s*virtual_router_id\s+(\d+)$",
    "VRRP version": r"^\s*vrrp_version\s+(\d+)$",
    "advert interval": r"^\s*advert_int\s+([\d.]+)$",
}
"""What directors must agree on, and the line of keepalived.conf that says it (keepalived.conf(5))."""


@dataclass(frozen=True, kw_only=True)
class Election:
    """A director's part in the election, as its keepalived.conf has it. `agreed` must be the same on all directors.

    `services` are protocols ("tcp", "udp") and ports.
    """

    address: str
    priority: int
    peers: frozenset[str]
    virtual_ip: str
    services: frozenset[tuple[str, int]]
    agreed: Mapping[str, str]


@cache
def files_of(user_data: str) -> Mapping[str, str]:
    """The text files in user data by absolute path, those of its archive included.

    Raises UnreadableError for anything but cloud-config with readable files (cloud-init, "Write Files").
    """
    try:
        config = yaml.safe_load(user_data)
    except yaml.YAMLError:
        config = None
    if not user_data.startswith("#cloud-config") or not isinstance(config, dict):
        raise UnreadableError("user data is no cloud-config, so nothing in it can be checked")
    files: dict[str, str] = {}
    for entry in config.get("write_files") or ():
        files |= dict(_contents(str(entry.get("path")), entry))
    return files


def _contents(path: str, entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The file an entry writes, or those of the archive it is (userdata.archive: a JSON object, bz2, base85)."""
    content = str(entry.get("content", ""))
    encoding = str(entry.get("encoding", "text/plain"))
    archive = path.endswith(".b85")
    if encoding == "text/plain" and not archive:
        yield path, content
        return
    if encoding not in ("b64", "base64") and not archive:
        raise UnreadableError(f"{path} in user data is encoded as {encoding}, which is not looked into")
    try:
        data = base64.b85decode(content) if archive else base64.b64decode(content)
        if data.startswith(b"BZh"):
            packed = json.loads(bz2.decompress(data))
            yield from ((f"/{name}", str(text)) for name, text in packed.items())
        else:
            yield path, data.decode()
    except (OSError, ValueError, AttributeError) as error:
        raise UnreadableError(f"{path} in user data cannot be read: {error}") from None


@cache
def election(user_data: str) -> Election:
    """What the user data of a director makes of it; UnreadableError names what is missing."""
    files = files_of(user_data)
    for path in (KEEPALIVED, AGENT):
        if path not in files:
            raise UnreadableError(f"user data of a director has no {path}")
    text = files[KEEPALIVED]
    virtual_ip = str(json.loads(files[AGENT])["virtual_ip"])
    return Election(
        address=_one(text, "own address", r"^\s*unicast_src_ip\s+(\S+)$"),
        priority=int(_one(text, "priority", r"^\s*priority\s+(\d+)$")),
        peers=frozenset(_block(text, "unicast_peer")),
        virtual_ip=virtual_ip,
        services=frozenset(_services(text, virtual_ip)),
        agreed={
            **{name: _one(text, name, pattern) for name, pattern in FIELDS.items()},
            "virtual IP of Keepalived": " ".join(_block(text, "virtual_ipaddress")),
            "virtual IP of the agent": virtual_ip,
        },
    )


def _services(text: str, virtual_ip: str) -> Iterator[tuple[str, int]]:
    """Protocol and port of each virtual server: they end where a line has only a brace (keepalived.conf(5))."""
    for port, body in re.findall(rf"^virtual_server {re.escape(virtual_ip)} (\d+) \{{$(.*?)^\}}$", text, re.M | re.S):
        yield _one(body, f"protocol of port {port}", r"^\s*protocol\s+(\w+)$").lower(), int(port)


def _one(text: str, name: str, pattern: str) -> str:
    found = re.findall(pattern, text, re.M)
    if len(found) != 1:
        raise UnreadableError(f"{KEEPALIVED} in user data says the {name} {len(found)} times, not once")
    return str(found[0])


def _block(text: str, name: str) -> Sequence[str]:
    """The lines of a block without blocks in it."""
    lines = _one(text, name, rf"^\s*{name} \{{$([^}}]*)\}}$").split("\n")
    return [line.strip() for line in lines if line.strip()]
