"""Security groups: what each kind of rule permits, and what tracking costs. Single flows are in `test_cases.py`."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from lab.fabric.groups import GroupRules, Permission, combine
from lab.fabric.model import Rule, SecurityGroup, VpcState
from lab.fabric.packets import parse_packet
from lab.fabric.pipeline import Drop
from lab.fabric.rules import DropRule
from lab.fabric.topology import compile_state
from lab.fabric.tracking import CONNECTION_LIMIT, UNTRACKED, Connection, ConnectionTable
from tests.lab.fabric.world import (
    ALL_OUT,
    D1,
    EVERYWHERE,
    STATE,
    W1,
    W2,
    A,
    S,
    delivered,
    dropped,
    frame,
    icmp,
    ip,
    pipeline,
    tcp,
    tcp_rule,
    udp,
    web,
)

DAYS = 86400.0
ANYTHING = Permission(-1, -1, -1, 0, 0, None)

# What a rule lets in and out, by protocol: the packet is of the first web server and for the second one.
PACKETS: dict[str, Callable[[str, str], bytes]] = {
    "tcp 80": lambda source, target: tcp(f"{source}:9", f"{target}:80"),
    "tcp 81": lambda source, target: tcp(f"{source}:9", f"{target}:81"),
    "tcp 90": lambda source, target: tcp(f"{source}:9", f"{target}:90"),
    "tcp 91": lambda source, target: tcp(f"{source}:80", f"{target}:91"),
    "udp 80": lambda source, target: udp(f"{source}:9", f"{target}:80"),
    "udp 81": lambda source, target: udp(f"{source}:9", f"{target}:81"),
    "echo": lambda source, target: icmp(source, target, 8),
    "unreachable": lambda source, target: icmp(source, target, 3, 1, rest=bytes(4) + tcp("10.0.0.1:1", "10.0.0.2:2")),
    "too big": lambda source, target: icmp(source, target, 3, 4, rest=bytes(4) + tcp("10.0.0.1:1", "10.0.0.2:2")),
    "vrrp": lambda source, target: ip(source, target, 112, struct.pack("!II", 0x31640A01, 0)),
    "ipip": lambda source, target: ip(source, target, 4, tcp("10.0.0.1:1", "10.0.0.2:2")),
}  # fmt: skip


@pytest.mark.parametrize("source", ["network", "group"])
@pytest.mark.parametrize("direction", ["ingress", "egress"])
@pytest.mark.parametrize(
    ("protocol", "ports", "passing"),
    [
        ("-1", (None, None), set(PACKETS)),
        ("-1", (80, 80), set(PACKETS)),  # all traffic has no ports, whatever is given
        ("6", (None, None), {"tcp 80", "tcp 81", "tcp 90", "tcp 91"}),
        ("6", (0, 65535), {"tcp 80", "tcp 81", "tcp 90", "tcp 91"}),
        ("6", (80, 80), {"tcp 80"}),
        ("6", (81, 90), {"tcp 81", "tcp 90"}),
        ("17", (None, None), {"udp 80", "udp 81"}),
        ("17", (80, 80), {"udp 80"}),
        ("1", (None, None), {"echo", "unreachable", "too big"}),
        ("1", (-1, -1), {"echo", "unreachable", "too big"}),
        ("1", (8, -1), {"echo"}),
        ("1", (3, -1), {"unreachable", "too big"}),
        ("1", (3, 4), {"too big"}),
        ("112", (None, None), {"vrrp"}),
        ("112", (0, 0), {"vrrp"}),  # the number is all there is to match (EC2 API reference, IpPermission)
        ("4", (None, None), {"ipip"}),
        ("51", (None, None), set()),
    ],
)
def test_what_a_rule_permits(
    protocol: str, ports: tuple[int | None, int | None], passing: set[str], direction: str, source: str
) -> None:
    limited, free = (W2, W1) if direction == "ingress" else (W1, W2)
    other = {"cidr": free.addresses[0].private + "/32"} if source == "network" else {"group": "sg-free"}
    rule = Rule(protocol=protocol, from_port=ports[0], to_port=ports[1], **other)
    groups = (
        SecurityGroup(id="sg-free", ingress=(Rule(protocol="-1", cidr=EVERYWHERE),), egress=ALL_OUT),
        SecurityGroup(id="sg-limited", **{direction: (rule,)}),  # type: ignore[arg-type]
    )
    state = VpcState(
        subnets=STATE.subnets,
        interfaces=(replace(free, groups=("sg-free",)), replace(limited, groups=("sg-limited",))),
        groups=groups,
    )
    found = set()
    for name, build in PACKETS.items():
        verdict = pipeline(state).handle(W1.id, frame(W1, build("10.0.0.80", "10.0.0.194"), W2), 0)
        if isinstance(verdict, Drop):
            assert (verdict.rule, verdict.interface) == (DropRule(f"sg-{direction}"), limited.id)
        else:
            found.add(name)
    assert found == passing


def test_traffic_by_the_short_way_keeps_a_connection_alive() -> None:
    fabric = pipeline(web(tcp_rule(80, cidr="10.0.0.36/32")))
    there, back = ("10.0.0.36:9", "10.0.0.80:80"), ("10.0.0.80:80", "10.0.0.36:9")

    def ask(flags: int, now: float) -> object:
        return fabric.handle(D1.id, frame(D1, tcp(*there, flags=flags), W1), now)

    def answer(flags: int, now: float) -> object:
        return fabric.handle(W1.id, frame(W1, tcp(*back, flags=flags), D1), now)

    delivered(ask(S, 0), W1.id)  # type: ignore[arg-type]
    delivered(answer(S | A, 0), D1.id)  # type: ignore[arg-type]
    fabric.apply(compile_state(web(egress=())))
    for day in (4, 8, 12):
        delivered(ask(A, day * DAYS), W1.id)  # type: ignore[arg-type]
        delivered(answer(A, day * DAYS), D1.id)  # type: ignore[arg-type]
    assert dropped(ask(A, 17.1 * DAYS))[0] == "sg-ingress"  # type: ignore[arg-type]


def test_datagrams_by_the_short_way_count_as_exchanges() -> None:
    """Two by the long way open both short ones; what makes the flow a stream of 180 s comes by those."""
    fabric = pipeline(web(Rule(protocol="17", cidr="10.0.0.80/32")))
    query = frame(W1, udp("10.0.0.80:53", "10.0.0.194:54"), W2)
    response = frame(W2, udp("10.0.0.194:54", "10.0.0.80:53"), W1)
    for _ in range(3):
        delivered(fabric.handle(W1.id, query, 0), W2.id)
        delivered(fabric.handle(W2.id, response, 0), W1.id)
    delivered(fabric.handle(W2.id, response, 100), W1.id)
    assert dropped(fabric.handle(W2.id, response, 281)) == ("sg-ingress", "eni-w1")


def to_port_80(client: int, rules: GroupRules, table: ConnectionTable, now: float) -> Connection | DropRule:
    packet = parse_packet(tcp(f"10.{client >> 16}.0.1:{client & 0xFFFF}", "10.0.0.80:80"))
    assert packet is not None
    return table.admit(packet, rules, outbound=False, now=now)


def test_tracking_has_an_allowance_and_expired_connections_return_it() -> None:
    table, inward_only = ConnectionTable(), combine(ingress=(ANYTHING,), egress=())
    for client in range(CONNECTION_LIMIT):
        to_port_80(client, inward_only, table, 100)
    assert to_port_80(CONNECTION_LIMIT, inward_only, table, 110) == DropRule.TRACKING_FULL
    assert isinstance(to_port_80(0, inward_only, table, 110), Connection)
    assert isinstance(to_port_80(CONNECTION_LIMIT, inward_only, table, 231), Connection)
    assert len(table) == 1


def test_what_is_untracked_needs_none_of_it() -> None:
    table, open_both_ways = ConnectionTable(), combine(ingress=(ANYTHING,), egress=(ANYTHING,))
    for client in range(100):
        assert to_port_80(client, open_both_ways, table, 100) is UNTRACKED
    assert len(table) == 0
