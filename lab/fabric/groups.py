"""Security-group rules, ready to be matched: what an interface may receive and send when nothing is tracked yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import NamedTuple

from lab.fabric.model import Rule
from lab.fabric.packets import ACK, ICMP, SYN, TCP, UDP, Packet

ALL = -1
_EVERY_PORT = range(65536)


class Permission(NamedTuple):
    """A compiled rule. `protocol` ALL is any. `low`/`high` are ports, or ICMP type and code; ALL where any will do."""

    protocol: int
    low: int
    high: int
    network: int
    mask: int
    members: frozenset[int] | None


class GroupRules(NamedTuple):
    """What all groups of an interface permit together.

    `open_here` and `open_there` are the ports, by protocol, of flows that are not tracked: of the interface's own end,
    which the world may reach, and of the other end, which the interface may reach in all the world.
    """

    ingress: tuple[Permission, ...]
    egress: tuple[Permission, ...]
    open_here: Mapping[int, tuple[range, ...]]
    open_there: Mapping[int, tuple[range, ...]]

    def leaves_untracked(self, packet: Packet, *, outbound: bool) -> bool:
        """Whether the packet is of a flow that rules for all the world let pass both ways; they permit it, then."""
        protocol, transport = packet.protocol, packet.transport
        if protocol not in (TCP, UDP) or transport is None:
            return False
        here, there = transport.source_port, transport.destination_port
        if not outbound:
            here, there = there, here
        is_here = any(here in ports for ports in self.open_here[protocol])
        is_there = any(there in ports for ports in self.open_there[protocol])
        if opens_connection(packet):
            # Of a flow of its own: it answers nothing, even from a port that the world may reach.
            return is_there if outbound else is_here
        return is_here or is_there


def opens_connection(packet: Packet) -> bool:
    """Whether it is the first segment of a TCP connection."""
    return packet.transport is not None and packet.transport.tcp_flags & (SYN | ACK) == SYN


def combine(*, ingress: tuple[Permission, ...], egress: tuple[Permission, ...]) -> GroupRules:
    """The rules of all groups of an interface, and which flows they leave untracked.

    EC2 user guide, "Untracked connections": a rule that permits TCP or UDP for 0.0.0.0/0, and one in the other
    direction that permits 0.0.0.0/0 on any port. (Automatically tracked connections are of things the lab has not.)
    """
    return GroupRules(ingress, egress, _open_ports(ingress, egress), _open_ports(egress, ingress))


def _open_ports(asked: Iterable[Permission], answering: Iterable[Permission]) -> dict[int, tuple[range, ...]]:
    """The ports that `asked` opens to all the world, by protocol, where `answering` permits whatever answer."""
    return {
        protocol: _open_to_all(asked, protocol) if _EVERY_PORT in _open_to_all(answering, protocol) else ()
        for protocol in (TCP, UDP)
    }


def _open_to_all(permissions: Iterable[Permission], protocol: int) -> tuple[range, ...]:
    return tuple(
        _EVERY_PORT
        if permission.protocol == ALL or permission.low == ALL
        else range(permission.low, permission.high + 1)
        for permission in permissions
        if permission.protocol in (ALL, protocol) and permission.members is None and permission.mask == 0
    )


def compile_rule(rule: Rule, members: Mapping[str, frozenset[int]], where: str, faults: list[str]) -> Permission | None:
    """A rule made ready; `members` has the private addresses of each group. Faults go to `faults`, named by `where`.

    A reference to a group that is gone matches nothing, as a stale rule does in EC2.
    """
    before = len(faults)
    protocol = parse_protocol(rule.protocol)
    if protocol is None:
        faults.append(f'{where}: protocol is {rule.protocol!r}, not "-1" or a number up to 255 as text')
    if (rule.cidr is None) == (rule.group is None):
        faults.append(f"{where}: exactly one of cidr and group must be set")
    network = IPv4Network("0.0.0.0/0")
    if rule.cidr is not None:
        try:
            network = IPv4Network(rule.cidr)
        except ValueError as error:
            faults.append(f"{where}: {error}")
    low, high = (ALL if port is None else port for port in (rule.from_port, rule.to_port))
    if protocol in (TCP, UDP) and not (low == ALL or 0 <= low <= high <= 65535):
        faults.append(f"{where}: ports {low} to {high} are no range within 0 to 65535")
    if len(faults) > before or protocol is None:
        return None
    group = None if rule.group is None else members.get(rule.group, frozenset())
    return Permission(protocol, low, high, int(network.network_address), int(network.netmask), group)


def parse_protocol(text: str) -> int | None:
    """ALL for "-1", the number for a number up to 255, else None."""
    if text == "-1":
        return ALL
    number = int(text) if len(text) <= 3 and text.isascii() and text.isdecimal() else 256
    return number if number <= 255 else None


def permits(permissions: Iterable[Permission], packet: Packet, remote: int) -> bool:
    """Whether a rule lets the packet pass; `remote` is the address at the other end (source inward, else destination).

    Protocols other than TCP, UDP and ICMP have no ports: a range given with them says nothing (EC2 API reference,
    IpPermission). A packet without known transport matches no rule that asks for ports.
    """
    protocol = packet.protocol
    for permission in permissions:
        if permission.protocol not in (ALL, protocol):
            continue
        if permission.members is None:
            if remote & permission.mask != permission.network:
                continue
        elif remote not in permission.members:
            continue
        if permission.protocol == ALL or permission.low == ALL:
            return True
        transport = packet.transport
        if protocol in (TCP, UDP):
            if transport is None or not permission.low <= transport.destination_port <= permission.high:
                continue
        elif protocol == ICMP and (
            transport is None
            or permission.low != transport.icmp_type
            or permission.high not in (ALL, transport.icmp_code)
        ):
            continue
        return True
    return False
