"""Whose the virtual IP is, by everybody who has a say: EC2, the Elastic IP, instance metadata, VRRP."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.running import LabError, RunningLab
from lab.status import Machine

if TYPE_CHECKING:
    from mypy_boto3_ec2.type_defs import NetworkInterfaceTypeDef

ASK_SECONDS = 20.0
# As root, whom the packet filter lets ask; few programs, because each costs an emulated machine tenths of a second.
METADATA = """
base=http://169.254.169.254/latest
token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $base/api/token) || exit 0
of=$base/meta-data/network/interfaces/macs/{mac}
curl -s -m 4 -H "X-aws-ec2-metadata-token: $token" $of/local-ipv4s -w '\\n---\\n' $of/ipv4-associations/{elastic_ip}
"""
STANDING_BY = ("BACKUP", "FAULT", "INIT")


@dataclass(frozen=True, kw_only=True)
class DirectorSeen:
    """One director. What cannot be known is None: `vrrp` and metadata's word of one that is down or unreachable."""

    name: str
    answers: bool
    vrrp: str | None = None
    lists_address: bool | None = None
    lists_elastic_ip: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One look. `holders`: whose interfaces hold the virtual IP, by machines' names.

    `elastic_ip_at`: where the Elastic IP leads to, as "director-1 10.0.0.100"; None: nowhere. `ill`: the web servers.
    """

    virtual_ip: str
    holders: tuple[str, ...]
    elastic_ip_at: str | None
    directors: tuple[DirectorSeen, ...]
    ill: tuple[str, ...] = ()

    @property
    def owner(self) -> str | None:
        """By EC2's word; None where it is nobody's, or several interfaces'."""
        return self.holders[0] if len(self.holders) == 1 else None


def holders(lab: RunningLab, virtual_ip: str) -> tuple[str, ...]:
    """The names of the machines whose interfaces hold the virtual IP by EC2's word; cheap, and asked of no machine."""
    return _holders(lab.ec2().describe_network_interfaces()["NetworkInterfaces"], lab.machines(), virtual_ip)


def _holders(
    interfaces: Iterable[NetworkInterfaceTypeDef], machines: Iterable[Machine], virtual_ip: str
) -> tuple[str, ...]:
    names = {machine.interface_id: machine.name for machine in machines}
    return tuple(
        names.get(each["NetworkInterfaceId"], each["NetworkInterfaceId"])
        for each in interfaces
        if virtual_ip in {entry["PrivateIpAddress"] for entry in each["PrivateIpAddresses"]}
    )


def look(lab: RunningLab) -> Seen:
    """Ask everybody. Raises LabError where the lab itself does not answer."""
    virtual_ip, elastic_ip = str(lab.outputs()["virtualIp"]), str(lab.outputs()["elasticIp"])
    machines = lab.machines()
    directors = [machine for machine in machines if machine.role == "director"]
    paused = {fault.instance_id for fault in lab.machine_faults.current() if fault.kind == "paused"}
    interfaces = lab.ec2().describe_network_interfaces()["NetworkInterfaces"]
    macs = {each["NetworkInterfaceId"]: each["MacAddress"] for each in interfaces}

    def ask(machine: Machine) -> Metadata | None:
        if machine.instance_id in paused or not lab.is_alive(machine):
            return None
        return _metadata(lab, machine, macs[str(machine.interface_id)], elastic_ip)

    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = [pool.submit(ask, machine) for machine in directors]
        status = lab.status()
        said = {machine.name: answer.result() for machine, answer in zip(directors, asked, strict=True)}
    names = {machine.interface_id: machine.name for machine in machines}
    by_name = {machine.name: machine for machine in status.machines}
    address = lab.ec2().describe_addresses(PublicIps=[elastic_ip])["Addresses"][0]
    at = address.get("NetworkInterfaceId")

    def seen(machine: Machine) -> DirectorSeen:
        words = said[machine.name]
        return DirectorSeen(
            name=machine.name,
            answers=words is not None,
            vrrp=by_name[machine.name].vrrp,
            lists_address=virtual_ip in words.private if words and words.private else None,
            lists_elastic_ip=virtual_ip in words.behind_elastic_ip if words and words.private else None,
        )

    return Seen(
        virtual_ip=virtual_ip,
        holders=_holders(interfaces, machines, virtual_ip),
        elastic_ip_at=f"{names.get(at, at)} {address.get('PrivateIpAddress')}" if at else None,
        directors=tuple(map(seen, directors)),
        ill=tuple(each.name for each in status.machines if each.role == "web-server" and each.health != "healthy"),
    )


@dataclass(frozen=True, kw_only=True)
class Metadata:
    """What a machine's metadata lists: its addresses (none: metadata is silent), and those behind the Elastic IP."""

    private: tuple[str, ...]
    behind_elastic_ip: tuple[str, ...]


def _metadata(lab: RunningLab, machine: Machine, mac: str, elastic_ip: str) -> Metadata | None:
    """None where the machine does not answer."""
    try:
        said = lab.run(machine, METADATA.format(mac=mac, elastic_ip=elastic_ip), timeout_seconds=ASK_SECONDS)
    except LabError:
        return None
    private, _, association = said.stdout.partition("---")
    return Metadata(private=tuple(private.split()), behind_elastic_ip=tuple(association.split()))


def disagreements(seen: Seen, *, all_well: bool = False) -> list[str]:
    """What contradicts that one director owns; with `all_well` also whatever is not as on a good day."""
    if seen.owner is None:
        return [f"the virtual IP is {' and '.join(seen.holders) or 'nobody'}'s"]
    found = []
    if seen.owner not in {director.name for director in seen.directors}:
        found.append(f"the virtual IP is {seen.owner}'s, which is no director")
    wanted = f"{seen.owner} {seen.virtual_ip}"
    if seen.elastic_ip_at != wanted:
        found.append(f"the Elastic IP leads to {seen.elastic_ip_at or 'nowhere'}, not to {wanted}")
    for director in seen.directors:
        owns = director.name == seen.owner
        if not director.answers and (owns or all_well):
            found.append(f"{director.name} does not answer")
        elif director.answers:
            found += _of_owner(director) if owns else _of_other(director, all_well=all_well)
    if all_well:
        found += [f"{name} is not healthy" for name in seen.ill]
    return found


def _of_owner(director: DirectorSeen) -> list[str]:
    found = []
    if director.vrrp != "MASTER":
        found.append(f"{director.name} owns and is {director.vrrp} by VRRP")
    if not director.lists_address:
        found.append(f"{director.name} owns and its metadata does not list the virtual IP")
    elif not director.lists_elastic_ip:
        found.append(f"{director.name} owns and its metadata does not list the Elastic IP")
    return found


def _of_other(director: DirectorSeen, *, all_well: bool) -> list[str]:
    found = []
    if director.vrrp not in (("BACKUP",) if all_well else STANDING_BY):
        found.append(f"{director.name} does not own and is {director.vrrp} by VRRP")
    if director.lists_address or (all_well and director.lists_address is None):
        found.append(f"{director.name} does not own; does its metadata list the virtual IP? {director.lists_address}")
    return found
