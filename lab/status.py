"""What the lab looks like now: machines, VRRP states, the owner of the virtual IP, web servers' health.

`lab_status` is pure: what EC2 says, which machine processes live, and what the directors answered become one picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

KILLED = "killed"
# One shell line asks a director for all at once: each program start costs tenths of a second in an emulated machine.
DIRECTOR_PROBE = "cat /run/lvs-aws/status.json 2>/dev/null; echo; echo ---; ipvsadm -Ln 2>/dev/null"

_SERVER = r"^\s*->\s+([0-9.]+):\d+\s+\S+\s+(\d+)"  # in the table: address and weight of a service's web server


@dataclass(frozen=True, kw_only=True)
class DirectorProbe:
    """What a director said of itself: its VRRP state and the web servers that every service of its IPVS table has."""

    vrrp: str | None
    healthy: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class MachineStatus:
    """One machine. `state` is EC2's, or where that is running "dead" without power and "paused" without a processor.

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
class FaultLine:
    """Something that is wrong on purpose: the id that `lab clear` takes, and one line for people."""

    id: str
    text: str


@dataclass(frozen=True, kw_only=True)
class LabStatus:
    """The whole picture. `owner` is the name of the director whose interface holds the virtual IP, by EC2's word."""

    stack: str
    url: str | None
    owner: str | None
    virtual_ip: str | None
    elastic_ip: str | None
    machines: tuple[MachineStatus, ...]
    faults: tuple[FaultLine, ...]

    def as_json(self) -> dict[str, Any]:
        """The document `lab status --json` prints."""
        return {
            "stack": self.stack,
            "url": self.url,
            "owner": self.owner,
            "virtualIp": self.virtual_ip,
            "elasticIp": self.elastic_ip,
            "machines": [_camel_case(asdict(machine)) for machine in self.machines],
            "faults": [asdict(fault) for fault in self.faults],
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
    services = re.split(r"^(?:TCP|UDP) .*$", table, flags=re.MULTILINE)[1:]
    healthy = [
        {address for address, weight in re.findall(_SERVER, service, re.MULTILINE) if int(weight) > 0}
        for service in services
    ]
    return DirectorProbe(vrrp=vrrp, healthy=frozenset(set.intersection(*healthy) if healthy else ()))


def owner_of(machines: Sequence[Machine], virtual_ip: str | None) -> Machine | None:
    """The machine whose interface holds the virtual IP."""
    return next((machine for machine in machines if virtual_ip in machine.addresses), None)


def fault_lines(
    *,
    of_cloud: Sequence[Mapping[str, Any]],
    of_machines: Sequence[FaultLine],
    dead: Sequence[Machine],
    machines: Sequence[Machine],
) -> tuple[FaultLine, ...]:
    """All that is wrong on purpose: the cloud's documents, the host's record, machines whose power was taken."""
    cloud = [FaultLine(id=each["id"], text=with_names(each["text"], machines)) for each in of_cloud]
    killed = [FaultLine(id=f"{KILLED}-{each.name}", text=f"{each.name} has no power") for each in dead]
    return (*cloud, *of_machines, *killed)


def with_names(text: str, machines: Sequence[Machine]) -> str:
    """The text with machines' names in the place of AWS's ids."""
    for machine in machines:
        for name in filter(None, (machine.instance_id, machine.interface_id)):
            text = text.replace(name, machine.name)
    return text


def lab_status(
    *,
    stack: str,
    outputs: Mapping[str, Any],
    machines: Sequence[Machine],
    alive: frozenset[str],
    probes: Mapping[str, DirectorProbe],
    paused: frozenset[str] = frozenset(),
    faults: tuple[FaultLine, ...] = (),
) -> LabStatus:
    """Put the picture together.

    `outputs` are the stack's, `alive` the instance ids with a living machine process, `paused` those of them that
    stand still, `probes` the answers by instance id.
    """
    virtual_ip = outputs.get("virtualIp")
    owner = owner_of(machines, virtual_ip)
    owners_word = probes.get(owner.instance_id) if owner else None

    def status(machine: Machine) -> MachineStatus:
        state = machine.state
        if state == "running" and machine.instance_id not in alive:
            state = "dead"
        elif state == "running" and machine.instance_id in paused:
            state = "paused"
        probe = probes.get(machine.instance_id)
        health = None
        if machine.role == "web-server" and owners_word is not None:
            health = "healthy" if machine.address in owners_word.healthy else "unhealthy"
        return MachineStatus(
            name=machine.name,
            role=machine.role,
            state=state,
            vrrp=probe.vrrp if probe and state not in ("dead", "paused") else None,
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
        faults=faults,
    )


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """A sort key by which web-10 comes after web-9."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", name)]


def _camel_case(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {re.sub(r"_(\w)", lambda match: match[1].upper(), key): value for key, value in fields.items()}
