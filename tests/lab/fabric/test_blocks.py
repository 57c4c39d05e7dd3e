"""Faults in the network: what a block loses, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.fabric.model import Block, VpcState
from lab.fabric.topology import StateError, compile_state
from tests.lab.fabric.test_arp_and_dhcp import arp, ask, dhcp_message
from tests.lab.fabric.world import (
    CLIENT,
    D1,
    D2,
    METADATA,
    RESOLVER,
    SERVICE_PUBLIC,
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
    udp,
)

API = "192.0.2.10"
LOST = "fault-blocked"


def blocked(*blocks: Block, state: VpcState = STATE) -> VpcState:
    return replace(state, blocks=blocks)


# port -> frame, for what passes when nothing is blocked, and who counts it when it is lost
TRAFFIC = {
    "peer": (D1.id, frame(D1, ip("10.0.0.36", "10.0.0.56", 112, b"advert"), D2), "eni-d1"),
    "peer-back": (D2.id, frame(D2, ip("10.0.0.56", "10.0.0.36", 112, b"advert"), D1), "eni-d2"),
    # By layer-2 next hop: neither address in the packet is of the sender or the receiver.
    "forwarded": (D1.id, frame(D1, tcp(f"{CLIENT}:9", "10.0.0.80:80"), W1), "eni-d1"),
    "reply": (W1.id, frame(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=A), D1), "eni-w1"),
    "to-api": (D1.id, frame(D1, tcp("10.0.0.36:9", f"{API}:443")), "eni-d1"),
    "from-api": ("inet0", tcp(f"{API}:443", "203.0.113.10:80"), "eni-d1"),
    "to-client": (D1.id, frame(D1, tcp("10.0.0.36:80", f"{CLIENT}:9")), "eni-d1"),
    "from-client": ("inet0", tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80"), "eni-d1"),
    "to-metadata": (D1.id, frame(D1, tcp("10.0.0.36:9", f"{METADATA}:80")), "eni-d1"),
    "from-metadata": ("svc0", tcp(f"{METADATA}:80", "10.0.0.36:9"), "eni-d1"),
    "to-resolver": (D1.id, frame(D1, udp("10.0.0.36:9", f"{RESOLVER}:53")), "eni-d1"),
    "from-resolver": ("svc0", udp(f"{RESOLVER}:53", "10.0.0.36:9"), "eni-d1"),
    "others": (W1.id, frame(W1, tcp("10.0.0.80:9", "10.0.0.194:80"), W2), "eni-w1"),
}


@pytest.mark.parametrize(
    ("block", "lost"),
    [
        (Block(first="eni-d1", second="eni-d2"), {"peer", "peer-back"}),
        (Block(first="eni-d1", second="eni-d2", both_ways=False), {"peer"}),
        (Block(first="eni-d2", second="eni-d1", both_ways=False), {"peer-back"}),
        (Block(first="eni-d1", second="eni-d2", protocol="112"), {"peer", "peer-back"}),
        (Block(first="eni-d1", second="eni-d2", protocol="6"), set()),
        (Block(first="eni-d1", second="eni-w1"), {"forwarded", "reply"}),
        (Block(first="eni-d1", second="eni-w1", protocol="6", port=80), {"forwarded", "reply"}),
        (Block(first="eni-d1", second="eni-w1", protocol="6", port=9), {"forwarded", "reply"}),
        (Block(first="eni-d1", second="eni-w1", protocol="6", port=81), set()),
        (Block(first="eni-d1", second="eni-w1", protocol="17", port=80), set()),
        (Block(first="eni-d1", second="api"), {"to-api", "from-api"}),
        (Block(first="eni-d1", second="api", both_ways=False), {"to-api"}),
        (Block(first="*", second="api"), {"to-api", "from-api"}),
        (Block(first="eni-d2", second="api"), set()),
        (Block(first="eni-d1", second="internet"), {"to-client", "from-client"}),
        (Block(first="internet", second="*", both_ways=False), {"from-client"}),
        (Block(first="eni-d1", second="metadata"), {"to-metadata", "from-metadata"}),
        (Block(first="*", second="metadata"), {"to-metadata", "from-metadata"}),
        (Block(first="*", second="metadata", protocol="17"), set()),
        (Block(first="eni-d1", second="*"), TRAFFIC.keys() - {"others"}),
        (Block(first="*", second="*", protocol="17", port=53), {"to-resolver", "from-resolver"}),
        (Block(first="eni-gone", second="eni-d1"), set()),
        (Block(first="*", second="eni-gone"), set()),
    ],
)  # fmt: skip
def test_what_a_block_loses(block: Block, lost: set[str]) -> None:
    found = set()
    for name, (port, data, counted) in TRAFFIC.items():
        assert isinstance(pipeline().handle(port, data, 0), list), name
        verdict = pipeline(blocked(block)).handle(port, data, 0)
        if not isinstance(verdict, list):
            assert dropped(verdict) == (LOST, counted), name
            found.add(name)
    assert found == lost


def test_neither_arp_nor_dhcp_is_blocked() -> None:
    fabric = pipeline(blocked(Block(first="*", second="*")))
    delivered(fabric.handle(D1.id, arp(D1, "10.0.0.36", "10.0.0.80"), 0), D1.id)
    delivered(fabric.handle(D1.id, ask(D1, dhcp_message(D1, 1)), 0), D1.id)


def test_a_block_cuts_what_is_tracked_even_by_the_short_way_and_its_end_lets_it_go_on() -> None:
    fabric = pipeline()
    segment = tcp(f"{CLIENT}:9", "10.0.0.80:80", flags=A)
    out = frame(D1, segment, W1)
    inward = tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80", flags=A)
    for _ in range(2):
        delivered(fabric.handle(D1.id, out, 0), W1.id)
        delivered(fabric.handle("inet0", inward, 0), D1.id)
    fabric.apply(compile_state(blocked(Block(first="eni-d1", second="eni-w1"), Block(first="internet", second="*"))))
    for _ in range(2):
        assert dropped(fabric.handle(D1.id, out, 1)) == (LOST, "eni-d1")
        assert dropped(fabric.handle("inet0", inward, 1)) == (LOST, "eni-d1")
    fabric.apply(compile_state(STATE))
    delivered(fabric.handle(D1.id, out, 2), W1.id)
    delivered(fabric.handle("inet0", inward, 2), D1.id)


def test_what_is_lost_was_sent_so_its_sender_tracks_it_and_its_receiver_does_not() -> None:
    fabric = pipeline(blocked(Block(first="eni-d1", second="eni-w1", both_ways=False)))
    assert dropped(fabric.handle(D1.id, frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80", flags=S), W1), 0))[0] == LOST
    closed = replace(STATE, groups=tuple(replace(group, ingress=(), egress=()) for group in STATE.groups))
    fabric.apply(compile_state(closed))
    reply = frame(W1, tcp("10.0.0.80:80", "10.0.0.36:9", flags=S | A), D1)
    assert dropped(fabric.handle(W1.id, reply, 1)) == ("sg-egress", "eni-w1")
    fabric.apply(compile_state(replace(closed, groups=(closed.groups[0], *STATE.groups[1:]))))
    delivered(fabric.handle(W1.id, reply, 1), D1.id)


def test_later_fragments_are_lost_with_the_first() -> None:
    whole = udp("10.0.0.80:9", "10.0.1.50:53", bytes(64))
    parts = [
        ip("10.0.0.80", "10.0.1.50", 17, whole[20:60], identification=7, fragment=0x2000),
        ip("10.0.0.80", "10.0.1.50", 17, whole[60:], identification=7, fragment=5),
    ]
    fabric = pipeline(blocked(Block(first="*", second="eni-b1", protocol="17", port=53)))
    for part in parts:
        assert dropped(fabric.handle(W1.id, frame(W1, part), 0)) == (LOST, "eni-w1")


def test_protocols_without_ports_are_blocked_by_number() -> None:
    ping = frame(W1, icmp("10.0.0.80", "10.0.1.50", 8))
    for protocol, rule in (("1", LOST), ("-1", LOST), ("6", None)):
        verdict = pipeline(blocked(Block(first="eni-w1", second="*", protocol=protocol))).handle(W1.id, ping, 0)
        assert (None if isinstance(verdict, list) else dropped(verdict)[0]) == rule


def test_a_block_that_cannot_be_is_refused_with_every_fault() -> None:
    with pytest.raises(StateError) as caught:
        compile_state(
            blocked(
                Block(first="*", second="*", protocol="tcp"),
                Block(first="*", second="*", protocol="256"),
                Block(first="*", second="*", protocol="6", port=65536),
                Block(first="*", second="*", port=80),
            )
        )
    assert caught.value.faults == [
        "blocks[0]: protocol is 'tcp', not \"-1\" or a number up to 255 as text",
        "blocks[1]: protocol is '256', not \"-1\" or a number up to 255 as text",
        "blocks[2]: port 65536 is not within 0 to 65535",
        "blocks[3]: a port needs protocol 6 or 17, not -1",
    ]
