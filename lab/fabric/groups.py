"""Security-group rules, ready to be matched: what an interface may receive and send when nothing is tracked yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network
from typing import NamedTuple

from lab.fabric.model import Rule
from lab.fabric.packets import ICMP, TCP, UDP, Packet

ALL = -1


class Permission(NamedTuple):
    """A compiled rule. `protocol` ALL is any. `low`/`high` are ports, or ICMP type and code; ALL where any will do."""

    protocol: int
    low: int
    high: int
    network: int
    mask: int
    members: frozenset[int] | None


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
