"""Whose the virtual IP is, by everybody who has a say: EC2, the Elastic IP, instance metadata, VRRP."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.on_machines import of_role
from lab.running import LabError, RunningLab
from lab.status import Machine

ASK_SECONDS = 20.0
# As root, whom the packet filter lets ask. Nothing is printed where instance metadata does not answer.
METADATA = """
base=http://169.254.169.254/latest
token=$(curl -sf -m 2 -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $base/api/token) || exit 0
ask() { curl -sf -m 2 -H "X-aws-ec2-metadata-token: $token" "$base/meta-data/$1"; }
interface=network/interfaces/macs/$(ask mac)
ask $interface/local-ipv4s && echo && echo --- && ask $interface/ipv4-associations/%s
exit 0
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

    `elastic_ip_at` is where the Elastic IP leads to, such as "director-1 10.0.0.100"; None: nowhere. `ill` are web servers.
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
    names = {machine.interface_id: machine.name for machine in lab.machines()}
    found = lab.ec2().describe_network_interfaces(
        Filters=[{"Name": "addresses.private-ip-address", "Values": [virtual_ip]}]
    )["NetworkInterfaces"]
    return tuple(names.get(each["NetworkInterfaceId"], each["NetworkInterfaceId"]) for each in found)


def look(lab: RunningLab) -> Seen:
    """Ask everybody. Raises LabError where the lab itself does not answer."""
    virtual_ip, elastic_ip = str(lab.outputs()["virtualIp"]), str(lab.outputs()["elasticIp"])
    status = lab.status()
    names = {machine.interface_id: machine.name for machine in lab.machines()}
    address = lab.ec2().describe_addresses(PublicIps=[elastic_ip])["Addresses"][0]
    at = address.get("NetworkInterfaceId")
    by_name = {machine.name: machine for machine in status.machines}
    directors = of_role(lab, "director")
    asked = [machine for machine in directors if by_name[machine.name].state == "running"]
    with ThreadPoolExecutor(max_workers=4) as pool:
        said = dict(
            zip(
                (each.name for each in asked),
                pool.map(lambda each: _metadata(lab, each, elastic_ip), asked),
                strict=True,
            )
        )

    def seen(machine: Machine) -> DirectorSeen:
        words = said.get(machine.name)
        return DirectorSeen(
            name=machine.name,
            answers=words is not None,
            vrrp=by_name[machine.name].vrrp,
            lists_address=virtual_ip in words[0] if words else None,
            lists_elastic_ip=virtual_ip in words[1] if words else None,
        )

    return Seen(
        virtual_ip=virtual_ip,
        holders=holders(lab, virtual_ip),
        elastic_ip_at=f"{names.get(at, at)} {address.get('PrivateIpAddress')}" if at else None,
        directors=tuple(map(seen, directors)),
        ill=tuple(each.name for each in status.machines if each.role == "web-server" and each.health != "healthy"),
    )


def _metadata(lab: RunningLab, machine: Machine, elastic_ip: str) -> list[list[str]] | None:
    """Its private addresses, and those the Elastic IP leads to; empty without metadata, None without an answer."""
    try:
        said = lab.run(machine, METADATA % elastic_ip, timeout_seconds=ASK_SECONDS)
    except LabError:
        return None
    private, _, association = said.stdout.partition("---")
    return [private.split(), association.split()] if private.strip() else []


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
