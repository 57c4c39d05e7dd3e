"""The namespace the fabric lives in: the lab's internet behind `inet0`, the link services behind `svc0`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab.fabric.namespace import unshare_network
from lab.fabric.routing import CLIENTS, INTERNET, INTERNET_MTU, PUBLIC_POOL, SERVERS, SERVICES, VPC_MTU
from lab.fabric.topology import METADATA, SubnetView
from lab.fabric.tun import open_tun

DEFAULT_CLIENT = CLIENTS.network_address + 1
_SYSCTL = Path("/proc/sys/net")
# The namespace's own: /proc/sys/net shows the reader's (network_namespaces(7)). A new one may inherit host values.
_SETTINGS = {
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/ip_forward": "0",
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv6/conf/default/disable_ipv6": "1",
}


@dataclass(frozen=True, kw_only=True)
class OutsideDevices:
    """Descriptors of the two TUNs."""

    internet: int
    services: int


def make_outside() -> OutsideDevices:
    """Leave for a new network namespace and furnish it. Raises OSError or RuntimeError with what failed."""
    unshare_network()
    for name, value in _SETTINGS.items():
        _set(_SYSCTL / name, value)
    devices = OutsideDevices(internet=open_tun(INTERNET), services=open_tun(SERVICES))
    run_ip(
        [
            "link set lo up",
            f"addr add {IPv4Address(METADATA)}/32 dev lo",
            *(f"addr add {server} dev lo" for server in SERVERS),
            f"link set {INTERNET} mtu {INTERNET_MTU} txqueuelen 5000 up",
            f"link set {SERVICES} mtu {VPC_MTU} txqueuelen 5000 up",
            f"addr add {DEFAULT_CLIENT}/32 dev {INTERNET}",
            f"route add local {CLIENTS} dev lo",
            f"route add {PUBLIC_POOL} dev {INTERNET} src {DEFAULT_CLIENT}",
        ]
    )
    return devices


class ServiceAddresses:
    """What the namespace knows of the subnets: their resolvers' addresses on `lo`, their callers behind `svc0`."""

    def __init__(self) -> None:
        self._present: set[str] = set()

    def follow(self, subnets: Mapping[str, SubnetView]) -> None:
        """Add and remove until the namespace matches. Raises RuntimeError with what `ip` said."""
        wanted = _objects(subnets.values())
        removed, added = sorted(self._present - wanted), sorted(wanted - self._present)
        if removed or added:
            run_ip([_command(entry, "del") for entry in removed] + [_command(entry, "replace") for entry in added])
        self._present = wanted


def _objects(subnets: Iterable[SubnetView]) -> set[str]:
    return {f"addr {IPv4Address(subnet.resolver)}/32 dev lo" for subnet in subnets} | {
        f"route {subnet.network} dev {SERVICES}" for subnet in subnets
    }


def _command(entry: str, verb: str) -> str:
    kind, _, rest = entry.partition(" ")
    return f"{kind} {verb} {rest}"


def run_ip(commands: list[str]) -> None:
    """Run commands of ip(8) in one process. Raises RuntimeError with its words."""
    done = subprocess.run(
        ["ip", "-4", "-batch", "-"], input="\n".join(commands) + "\n", capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"ip(8) failed: {done.stderr.strip()}")


def _set(setting: Path, value: str) -> None:
    """Write a setting unless it is so already: in some containers /proc/sys is read-only and yet as wanted."""
    if setting.exists() and setting.read_text().strip() != value:
        setting.write_text(value)
