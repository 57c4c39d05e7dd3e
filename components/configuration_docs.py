"""docs/configuration.md, made of Pulumi.yaml and of what the settings say: `python -m components.configuration_docs`.

What is allowed is not written here: each key is given a value of no type, and the fault that comes back says it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from components.fields import REQUIRED
from components.settings import (
    ACCOUNT_KEYS,
    DIRECTOR_KEYS,
    HEALTH_CHECK_KEYS,
    NOTIFICATION_KEYS,
    SERVICE_KEYS,
    VRRP_KEYS,
    WEB_SERVER_KEYS,
    SettingsError,
    settings_from,
)

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/configuration.md"

LEAST: Mapping[str, object] = {"aws:region": "us-east-1", "imageId": "ami-0123456789abcdef0"}
"""The least config that passes: the others' faults must not stand in the way."""

OBJECTS: Mapping[str, Mapping[str, Any]] = {
    "directors[]": DIRECTOR_KEYS,
    "webServers[]": WEB_SERVER_KEYS,
    "services[]": SERVICE_KEYS,
    "services[].healthCheck": HEALTH_CHECK_KEYS,
    "vrrp": VRRP_KEYS,
    "notification": NOTIFICATION_KEYS,
}
"""Every object of the config with its keys and their defaults, by where it stands."""

EXAMPLES: Mapping[str, Any] = {
    "aws:region": "us-east-1",
    "directors[].address": "10.0.0.36",
    "directors[].priority": 254,
    "webServers[].address": "10.0.0.80",
    "notification.smtpServer": "mail.example.com",
    "notification.from": "lvs@example.com",
    "notification.to": ["ops@example.com"],
}
"""A value that passes for every key that has no default."""

MEANINGS: Mapping[str, str] = {
    "aws:region": "The region everything is made in.",
    "aws:profile": "The profile of the AWS CLI's files to deploy with; empty takes what the environment has.",
    "aws:allowedAccountIds": "The only accounts this stack may be deployed to: a guard against the wrong profile.",
    "aws:forbiddenAccountIds": "Accounts it must not be deployed to. Not together with `aws:allowedAccountIds`.",
    "directors[].address": "Its own private address, in `subnetCidr`.",
    "directors[].priority": (
        "The highest wins an election; all differ. Of three or more, let them differ by 50: the time a director waits "
        "before it takes over differs with them, and where that is within chance another than the highest may win."
    ),
    "directors[].planned": "The others count with it already, but it is not made yet: changes.md.",
    "webServers[].address": "Its own private address, in `subnetCidr`.",
    "webServers[].weight": "Its share of new connections beside the others'; 0 takes none, not all may have 0.",
    "services[].port": (
        "The port of the Elastic IP and of the web servers. Not one of the machines' own: TCP 22, 53; UDP 67, 68, 123, "
        "4789, 5151 to 5153. TCP 443 is passed through untouched to a TLS server of your own on the web servers, such "
        "as another file in nginx's `sites-enabled`; every other TCP port has nginx's page already."
    ),
    "services[].protocol": "What answers UDP on the web servers is your own. A port may be used by both protocols.",
    "services[].scheduler": (
        "How IPVS picks a web server for a new connection (ipvsadm(8)). sh and mh take another where the one they "
        "chose has weight 0; dh cannot, and is refused where that may be. For ovf a weight is a number of connections."
    ),
    "services[].persistenceSeconds": "How long a client stays with its web server; 0 is off. TCP only.",
    "services[].inhibitOnFailure": "A web server that fails its check stays with weight 0; else it is removed.",
    "services[].healthCheck": "How the directors ask a web server whether it is well; its keys follow.",
    "services[].healthCheck.kind": "Ask for a page, only connect, or send a datagram.",
    "services[].healthCheck.port": "The port to ask, that of another service here; 0 is the service's own.",
    "services[].healthCheck.payload": (
        "What a check by UDP sends; an answer must come. Without it only a closed port counts as ill, and a web server "
        "that is silent or gone as well: ask for the page of a TCP service then."
    ),
    "services[].healthCheck.path": "The page to ask for. `/` is the web servers' page; another is made for the check.",
    "services[].healthCheck.status": "The answer that counts as well; with path `/` it is 200.",
    "services[].healthCheck.intervalSeconds": "Time from one check to the next.",
    "services[].healthCheck.timeoutSeconds": "How long to wait for an answer.",
    "services[].healthCheck.retries": "How often to ask again before a web server is taken out.",
    "services[].healthCheck.retryDelaySeconds": "How long to wait before asking again.",
    "vrrp.version": "RFC 5798 or RFC 3768.",
    "vrrp.routerId": "The VRRP router id; directors of one load balancer share it.",
    "vrrp.advertIntervalSeconds": (
        "How often the owner says it lives; a silent one is replaced after three. Version 3: 0.01 to 40.95 in steps of "
        "0.01. Version 2: whole seconds from 1 to 255."
    ),
    "vrrp.preempt": "A returning director with a higher priority takes over: a second interruption.",
    "vrrp.preemptDelaySeconds": "How long it waits with that; 0 unless `vrrp.preempt` is true.",
    "vrrp.password": "Version 2 only. No secret: adverts carry it in clear text.",
    "notification.smtpServer": (
        "A relay that asks for neither TLS nor a password: Keepalived has none of the two. Amazon SES asks for both "
        "and is refused. A name is looked up when Keepalived starts."
    ),
    "notification.smtpPort": (
        "EC2 drops 25 to public addresses, unless AWS lifted that for the account: a warning. Inside the VPC it is "
        "open."
    ),
    "notification.from": "The sender's address.",
    "notification.to": "The recipients' addresses, at least one.",
}
"""What the keys mean that Pulumi.yaml cannot describe one by one: nested ones, and those of the provider."""

TYPE_NAMES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    dict: "object",
    list: "array of strings",
}

HEAD = """\
# Configuration

<!-- Made by `python -m components.configuration_docs` from Pulumi.yaml and components/settings.py. Do not edit. -->

Every key a stack may set. A stack must have `aws:region` and one of `imageId` and `imageName`; everything else has a
default, which gives two directors and two web servers behind port 80.

    pulumi config set imageId ami-...
    pulumi config set --path vrrp.routerId 52            # a part of an object: the rest keeps its defaults
    pulumi config set --path 'services[0].port' 8080

A list is replaced as a whole: a stack that names one web server has one. What is left out of an entry has its default.

The CLI checks types. The program checks everything else before it registers any resource, and names every fault in one
message, with the key, the value found and what is allowed; a key it does not know is refused with the nearest it knows:

"""

RULES = """\
## What is checked beyond single values

- `subnetCidr` lies inside `vpcCidr`; neither overlaps loopback, link-local or multicast addresses.
- `virtualIp` and all addresses of machines lie in `subnetCidr`, are none of the five AWS reserves, and all differ.
- `availabilityZone` is one of `aws:region`.
- An interface of `directorInstanceType` holds the virtual IP beside its own address (known for burstable types; EC2
  has the last word on others).
- `directorInstanceType` and `webServerInstanceType` have one architecture, the one `imageName` asks for: one image
  boots all machines.
- Exactly one of `imageId` and `imageName` is set.
- `production` needs `protect` and `imageId`.
- `rollout` names machines of this stack, one director at most; two directors at least are not `planned`.
- Directors' priorities differ; at least one web server has a weight above 0.
- Services of one protocol have different ports, none that the machines' own programs use; UDP has no persistence.
- Scheduler dh has no web server with weight 0, and no `inhibitOnFailure`.
- A check has only what its kind knows (path and status, payload) and asks a port of a service here, for a page not
  where TLS is; a check of `/` expects 200, and checks of the same page the same status.
- `clientCidrs` do not overlap, and services times networks fit into a security group (60 inbound rules).
- The interval suits `vrrp.version`; only version 2 has a password; a preemption delay needs preemption.
- `notification.smtpServer` is none of Amazon SES's. Port 25 of a public address, and 465 and 587, are a warning.
- `tags` are at most 44, none of the program's own or of AWS, and fit instance metadata's rules.
- `aws:allowedAccountIds` and `aws:forbiddenAccountIds` are not both set.
- No key is secret: what a machine is told, it is told by user data, which everybody on the machine and with rights to
  describe instances can read.
- The user data of every machine fits into EC2's 16 KiB.
"""


def page() -> str:
    """The text of docs/configuration.md."""
    schema = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    parts = [HEAD + _example() + "\n## AWS\n\n" + "\n".join(_table("", ACCOUNT_KEYS))]
    for key, entry in schema.items():
        parts.append("\n".join(_section(key, entry)))
    return "\n\n".join([*parts, RULES])


def allowed(path: str) -> str:
    """What may stand at `path` ("vrrp.version", "services[].healthCheck.path"), in the words of its own fault.

    Raises LookupError if a value of no type passes there.
    """
    for junk in (None, [None], []):
        try:
            settings_from({**LEAST, **_with(path, junk)})
        except SettingsError as error:
            said = {fault.key.replace("[0]", "[]"): fault.allowed for fault in error.faults}
        else:
            continue
        # Of a list, what its entries must be says more than that it must be one, and of objects their number does.
        if f"{path}[]" in said and f"{path}[]" not in OBJECTS:
            return f"each {_readable(said[f'{path}[]'])}"
        if path in said and said[path] != "must be a list":
            return _readable(said[path])
    raise LookupError(f"nothing is said about {path}")


def _readable(words: str) -> str:
    return words.removeprefix("must be ").removesuffix(", not 1").removesuffix(", not 0")


def _with(path: str, value: object) -> dict[str, object]:
    """A config with `value` at `path` and nothing else out of the ordinary."""
    parent, _, last = path.rpartition(".")
    if not parent:
        return {path: value}
    given = {key: EXAMPLES.get(f"{parent}.{key}", default) for key, default in OBJECTS[parent].items()} | {last: value}
    if "." in parent:
        return _with(parent, given)
    if not parent.endswith("[]"):
        return {parent: given}
    others = [{"address": "10.0.0.56", "priority": 1}] if parent == "directors[]" else []
    return {parent.removesuffix("[]"): [given, *others]}


def _example() -> str:
    wrong = {"virtulIp": "10.0.0.101", "virtualIp": "10.0.0.36", "vrrp": {"version": 2, "advertIntervalSeconds": 0.5}}
    try:
        settings_from({**LEAST, **wrong})
    except SettingsError as error:
        lines = "".join(f"\n      lvs-aws:{fault}" for fault in error.faults)
        return f"    the config of stack dev has {len(error.faults)} faults, so nothing was begun:{lines}\n"
    raise AssertionError("the example is wrong in three ways")


def _section(key: str, entry: Mapping[str, Any]) -> Iterator[str]:
    default = json.dumps(entry["default"])
    yield f"## {key}\n"
    yield f"{entry['description'].strip()}\n"
    kind = f"{entry['type']} of {entry['items']['type']}s" if "items" in entry else entry["type"]
    yield f"- type: {kind}"
    if len(default) <= 100:
        yield f"- default: `{default}`"
    yield f"- allowed: {allowed(key)}"
    for path, known in OBJECTS.items():
        if path.removesuffix("[]") == key or path.startswith(f"{key}[]."):
            yield ""
            yield from _table(f"{path}.", known)
    if len(default) > 100:
        text = json.dumps(entry["default"], indent=2).replace("\n", "\n    ")
        yield f"\nThe default:\n\n    {text}"


def _table(prefix: str, known: Mapping[str, Any]) -> Iterator[str]:
    yield "| key | type | default | allowed | meaning |"
    yield "|---|---|---|---|---|"
    for name, default in known.items():
        path = f"{prefix}{name}"
        kind = TYPE_NAMES[type(EXAMPLES.get(path, default))]
        shown = "required" if default is REQUIRED else "" if isinstance(default, dict) else f"`{json.dumps(default)}`"
        yield f"| `{path}` | {kind} | {shown} | {allowed(path)} | {MEANINGS[path]} |"


if __name__ == "__main__":
    PAGE.write_text(page())
