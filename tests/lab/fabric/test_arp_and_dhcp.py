"""What the fabric answers itself."""

from __future__ import annotations

import struct

import pytest

from lab.fabric.model import Interface
from lab.fabric.packets import BROADCAST_MAC
from lab.fabric.topology import ROUTER_MAC
from tests.lab.fabric.world import (
    B1,
    D1,
    D2,
    METADATA,
    RESOLVER,
    VIRTUAL_IP,
    W1,
    delivered,
    dropped,
    ends,
    faults_in,
    mac,
    number,
    pipeline,
    udp,
    with_group,
)

COOKIE = b"\x63\x82\x53\x63"


def arp(sender: Interface, source: str, target: str, *, operation: int = 1, to: bytes = BROADCAST_MAC) -> bytes:
    body = struct.pack("!HHBBH6sI6sI", 1, 0x800, 6, 4, operation, mac(sender), number(source), bytes(6), number(target))
    return to + mac(sender) + b"\x08\x06" + body


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("10.0.0.80", mac(W1)),
        (VIRTUAL_IP, mac(D1)),
        ("10.0.0.1", ROUTER_MAC),
        (RESOLVER, ROUTER_MAC),
        (METADATA, ROUTER_MAC),
    ],
)
def test_the_fabric_answers_arp_with_the_owner_s_mac(target: str, answer: bytes) -> None:
    got = delivered(pipeline().handle(D2.id, arp(D2, "10.0.0.56", target), 0), D2.id)
    assert got[:14] == mac(D2) + answer + b"\x08\x06"
    assert struct.unpack("!HHBBH6sI6sI", got[14:]) == (
        1, 0x800, 6, 4, 2, answer, number(target), mac(D2), number("10.0.0.56"),
    )  # fmt: skip


def dhcp_message(sender: Interface, kind: int, *, current: str = "0.0.0.0", flags: int = 0, **options: bytes) -> bytes:
    """`options` are named o50 and so on."""
    fixed = struct.pack("!BBBBIHHIIII", 1, 1, 6, 0, 0x1234, 0, flags, number(current), 0, 0, 0)
    message = fixed + mac(sender).ljust(16, b"\0") + bytes(192) + COOKIE + bytes((53, 1, kind))
    for name, value in options.items():
        message += bytes((int(name[1:]), len(value))) + value
    return message + b"\xff"


def ask(sender: Interface, message: bytes, *, source: str = "0.0.0.0", to: str = "255.255.255.255") -> bytes:
    hop = BROADCAST_MAC if to == "255.255.255.255" else ROUTER_MAC
    return hop + mac(sender) + b"\x08\x00" + udp(f"{source}:68", f"{to}:67", message)


def reply_of(frame: bytes) -> tuple[str, dict[int, bytes]]:
    """Leased address and options."""
    packet = frame[14:]
    assert faults_in(packet) == []
    assert packet[20:24] == struct.pack("!HH", 67, 68)
    message = packet[28:]
    assert (message[0], message[4:8], message[28:34]) == (2, (0x1234).to_bytes(4), frame_client(frame, message))
    options, at = {}, 240
    while message[at] != 255:
        options[message[at]] = message[at + 2 : at + 2 + message[at + 1]]
        at += 2 + message[at + 1]
    return ".".join(map(str, message[16:20])), options


def frame_client(frame: bytes, message: bytes) -> bytes:
    return message[28:34] if frame[:6] == BROADCAST_MAC else frame[:6]


def test_a_lease_is_the_primary_address_with_everything_a_machine_needs() -> None:
    closed = pipeline(with_group("sg-directors", ingress=(), egress=()))
    offer = delivered(closed.handle(D1.id, ask(D1, dhcp_message(D1, 1)), 0), D1.id)
    assert offer[:12] == mac(D1) + ROUTER_MAC
    assert ends(offer[14:]) == ("10.0.0.1", "10.0.0.36")
    address, options = reply_of(offer)
    assert (address, options[53]) == ("10.0.0.36", b"\x02")
    request = dhcp_message(D1, 3, o50=bytes((10, 0, 0, 36)), o54=options[54])
    address, options = reply_of(delivered(closed.handle(D1.id, ask(D1, request), 0), D1.id))
    assert address == "10.0.0.36"
    assert options == {
        53: b"\x05",
        54: bytes((10, 0, 0, 1)),
        51: (3600).to_bytes(4),
        1: bytes((255, 255, 255, 0)),
        3: bytes((10, 0, 0, 1)),
        6: bytes((10, 0, 0, 2)),
        12: b"ip-10-0-0-36",
        15: b"ec2.internal",
        26: (9001).to_bytes(2),
        28: bytes((10, 0, 0, 255)),
    }


def test_a_client_that_cannot_take_unicast_is_answered_by_broadcast() -> None:
    offer = delivered(pipeline().handle(W1.id, ask(W1, dhcp_message(W1, 1, flags=0x8000)), 0), W1.id)
    assert offer[:6] == BROADCAST_MAC
    assert ends(offer[14:]) == ("10.0.0.1", "255.255.255.255")


def test_another_address_is_refused() -> None:
    for address in ((10, 0, 0, 100), (10, 0, 0, 80)):
        request = dhcp_message(D1, 3, o50=bytes(address))
        leased, options = reply_of(delivered(pipeline().handle(D1.id, ask(D1, request), 0), D1.id))
        assert (leased, options) == ("0.0.0.0", {53: b"\x06", 54: bytes((10, 0, 0, 1))})


def test_a_lease_is_renewed_by_unicast() -> None:
    renew = dhcp_message(B1, 3, current="10.0.1.50")
    got = delivered(pipeline().handle(B1.id, ask(B1, renew, source="10.0.1.50", to="10.0.1.1"), 0), B1.id)
    leased, options = reply_of(got)
    assert (leased, options[53], options[3]) == ("10.0.1.50", b"\x05", bytes((10, 0, 1, 1)))


@pytest.mark.parametrize(
    "message",
    [
        dhcp_message(D1, 7),  # release
        dhcp_message(D1, 4),  # decline
        dhcp_message(D1, 3, o50=bytes((10, 0, 0, 36)), o54=bytes((10, 0, 0, 9))),  # another server was chosen
        dhcp_message(W1, 1),  # for another's MAC
        dhcp_message(D1, 1)[:200],
        dhcp_message(D1, 1).replace(COOKIE, b"abcd"),
        b"",
    ],
)
def test_what_needs_no_answer_gets_none(message: bytes) -> None:
    assert dropped(pipeline().handle(D1.id, ask(D1, message), 0)) == ("dhcp-unanswered", "eni-d1")
