"""What the lab looks like now: machines, VRRP states, the owner of the virtual IP, web servers' health.

`lab_status` is pure: what EC2 says, which machine processes live, and what the directors answered become one picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# One shell line asks a director for all at once: each program start costs tenths of a second in an emulated machine.
DIRECTOR_PROBE = "cat /run/lvs-aws/status.json 2>/dev/null; echo; echo ---; ipvsadm -Ln 2>/dev/null"


@dataclass(frozen=True, kw_only=True)
class DirectorProbe:
    """What a director said of itself: its VRRP state and the addresses of the web servers in its IPVS table."""

    vrrp: str | None
    healthy: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class MachineStatus:
    """One machine. `state` is EC2's, or "dead" where EC2 says running but the machine has lost its power.

    `vrrp` is MASTER, BACKUP, FAULT or INIT, None for web servers and directors that do not answer. `health` is what the
    owner's health checks say of a web server ("healthy", "unhealthy"), None for directors and where no owner answers.
    """

    name: str
    role: str
    state: str
    vrrp: str | None
    address: str
    instance_id: str
    health: str | None


@dataclass(frozen=True, kw_only=True)
class LabStatus:
    """The whole picture. `owner` is the name of the director whose interface holds the virtual IP, by EC2's word."""

    stack: str
    url: str | None
    owner: str | None
    virtual_ip: str | None
    elastic_ip: str | None
    machines: tuple[MachineStatus, ...]

    def as_json(self) -> dict[str, Any]:
        """The document `lab status --json` prints."""
        return {
            "stack": self.stack,
            "url": self.url,
            "owner": self.owner,
            "virtualIp": self.virtual_ip,
            "elasticIp": self.elastic_ip,
            "machines": [_camel_case(asdict(machine)) for machine in self.machines],
        }


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine of the account as EC2 describes it; `name` is the short one (`director-1`)."""

    name: str
    role: str
    instance_id: str
    interface_id: str | None
    state: str
    addresses: tuple[str, ...]

    @property
    def address(self) -> str:
        """The primary private address."""
        return self.addresses[0] if self.addresses else ""


def machines_from(reservations: Sequence[Mapping[str, Any]]) -> tuple[Machine, ...]:
    """The machines in a DescribeInstances answer, terminated ones left out, directors first, then by name."""
    found = []
    for reservation in reservations:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] in ("terminated", "shutting-down"):
                continue
            tags = {tag["Key"]: tag["Value"] for tag in instance.get("Tags", [])}
            prefix = f"{tags.get('Project', '')}-{tags.get('Stack', '')}-"
            interfaces = instance.get("NetworkInterfaces", [])
            found.append(
                Machine(
                    name=tags.get("Name", instance["InstanceId"]).removeprefix(prefix),
                    role=tags.get("Role", "unknown"),
                    instance_id=instance["InstanceId"],
                    interface_id=interfaces[0]["NetworkInterfaceId"] if interfaces else None,
                    state=instance["State"]["Name"],
                    addresses=tuple(
                        entry["PrivateIpAddress"]
                        for interface in interfaces
                        for entry in sorted(interface["PrivateIpAddresses"], key=lambda entry: not entry["Primary"])
                    ),
                )
            )
    return tuple(sorted(found, key=lambda machine: (machine.role != "director", _natural(machine.name))))


def director_probe(output: str) -> DirectorProbe:
    """Read the answer to DIRECTOR_PROBE: the agent's status file, then IPVS's table."""
    status, _, table = output.partition("---")
    try:
        vrrp = json.loads(status).get("vrrp")
    except ValueError:
        vrrp = None
    servers = re.findall(r"^\s*->\s+([0-9.]+):\d+\s+\S+\s+(\d+)", table, re.MULTILINE)
    return DirectorProbe(vrrp=vrrp, healthy=frozenset(address for address, weight in servers if int(weight) > 0))


def owner_of(machines: Sequence[Machine], virtual_ip: str | None) -> Machine | None:
    """The machine whose interface holds the virtual IP."""
    return next((machine for machine in machines if virtual_ip in machine.addresses), None)


def lab_status(
    *,
    stack: str,
    outputs: Mapping[str, Any],
    machines: Sequence[Machine],
    alive: frozenset[str],
    probes: Mapping[str, DirectorProbe],
) -> LabStatus:
    """Put the picture together.

    `outputs` are the stack's, `alive` the instance ids with a living machine process, `probes` the answers by
    instance id.
    """
    virtual_ip = outputs.get("virtualIp")
    owner = owner_of(machines, virtual_ip)
    owners_word = probes.get(owner.instance_id) if owner else None

    def status(machine: Machine) -> MachineStatus:
        dead = machine.state == "running" and machine.instance_id not in alive
        probe = probes.get(machine.instance_id)
        health = None
        if machine.role == "web-server" and owners_word is not None:
            health = "healthy" if machine.address in owners_word.healthy else "unhealthy"
        return MachineStatus(
            name=machine.name,
            role=machine.role,
            state="dead" if dead else machine.state,
            vrrp=probe.vrrp if probe and not dead else None,
            address=machine.address,
            instance_id=machine.instance_id,
            health=health,
        )

    return LabStatus(
        stack=stack,
        url=outputs.get("url"),
        owner=owner.name if owner else None,
        virtual_ip=virtual_ip,
        elastic_ip=outputs.get("elasticIp"),
        machines=tuple(status(machine) for machine in machines),
    )


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A sort key by which web-10 comes after web-9."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _camel_case(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub(r"_(\w)", lambda match: match[1].upper(), key): value for key, value in fields.items()}
