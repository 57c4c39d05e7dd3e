"""Bad frames by the thousand: good ones of the table, spoilt in the ways that break parsers. Repeatable by seed."""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from lab.fabric.packets import BROADCAST_MAC
from lab.fabric.topology import ROUTER_MAC
from tests.lab.fabric.cases import Sent, out
from tests.lab.fabric.test_arp_and_dhcp import arp, ask, dhcp_message
from tests.lab.fabric.test_cases import CASES
from tests.lab.fabric.world import (
    B1,
    CLIENT,
    D1,
    D2,
    SERVICE_PUBLIC,
    STATE,
    W1,
    icmp,
    ip,
    mac,
    plain_checksum,
    tcp,
    udp,
)

OUTSIDE = ("inet0", "svc0")
QUOTE = tcp(f"{SERVICE_PUBLIC}:80", f"{CLIENT}:9", flags=0x10, data=b"quoted")
SEEDS = (
    *(case.sent for case in CASES),
    *(step for case in CASES for step in case.after if isinstance(step, Sent)),
    *(out(D1, icmp("10.0.0.36", CLIENT, kind, 4, rest=bytes(4) + QUOTE)) for kind in (3, 4, 5, 11, 12)),
    *(Sent("inet0", icmp(CLIENT, SERVICE_PUBLIC, kind, 4, rest=bytes(4) + QUOTE)) for kind in (3, 4, 5, 11, 12)),
    *(Sent(entry.id, ask(entry, dhcp_message(entry, kind))) for entry in (D1, W1, B1) for kind in range(1, 9)),
    *(Sent(D2.id, arp(D2, "10.0.0.56", target)) for target in ("10.0.0.80", "10.0.0.1", "169.254.169.254")),
    out(B1, tcp("10.0.1.50:9", f"{CLIENT}:80")),
    out(D1, ip("10.0.0.36", CLIENT, 17, udp("10.0.0.36:9", f"{CLIENT}:53", bytes(3000))[20:], fragment=0)),
)


def mutated(random: Random) -> Sent:
    """A frame of the table with up to three faults in it, or none: what is good must get through beside what is not."""
    sent = random.choice(SEEDS)
    data = bytearray(sent.data)
    offset = 0 if sent.port in OUTSIDE else 14
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        random.choice(_FAULTS)(random, data, offset)
    if random.random() < 0.6 and len(data) >= offset + 20:
        _mend(data, offset)
    return Sent(sent.port, bytes(data))


def _flip(random: Random, data: bytearray, offset: int) -> None:
    for _ in range(random.randint(1, 4)):
        if data:
            data[random.randrange(len(data))] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _flip_header(random: Random, data: bytearray, offset: int) -> None:
    if data:
        data[random.randrange(min(len(data), offset + 28))] = random.randrange(256)


def _cut(random: Random, data: bytearray, offset: int) -> None:
    del data[random.randint(0, len(data)) :]


def _lengthen(random: Random, data: bytearray, offset: int) -> None:
    data += random.randbytes(random.choice((1, 2, 6, 18, 1000, 9000)))


def _insert(random: Random, data: bytearray, offset: int) -> None:
    at = random.randint(0, len(data))
    data[at:at] = random.randbytes(random.randint(1, 8))


def _total_length(random: Random, data: bytearray, offset: int) -> None:
    size = len(data) - offset
    data[offset + 2 : offset + 4] = struct.pack(
        "!H", random.choice((0, 19, 20, 27, 28, 39, max(size - 1, 0), max(size, 0), size + 1, 65535)) & 0xFFFF
    )


def _options(random: Random, data: bytearray, offset: int) -> None:
    """IP options: no operation, record route, source route, nonsense."""
    if len(data) < offset + 20:
        return
    words = random.randint(1, 10)
    option = random.choice((b"\x01" * 40, b"\x07\x27\x04", b"\x83\x0b\x04", b"\x00", b"\x44\xff", b"\x94\x00"))
    data[offset + 20 : offset + 20] = option[: words * 4].ljust(words * 4, b"\0")
    data[offset] = 0x45 + words
    data[offset + 2 : offset + 4] = struct.pack("!H", (len(data) - offset) & 0xFFFF)


def _fragment(random: Random, data: bytearray, offset: int) -> None:
    field = random.choice((0, 0x2000, 0x2001, 1, 5, 0x1FFF, 0x3FFF, 0x4000, 0x8000, 0x6000, 0xFFFF))
    data[offset + 6 : offset + 8] = struct.pack("!H", field)


def _protocol(random: Random, data: bytearray, offset: int) -> None:
    data[offset + 9 : offset + 10] = bytes((random.choice((0, 1, 2, 4, 6, 17, 41, 50, 112, 255)),))


def _ttl(random: Random, data: bytearray, offset: int) -> None:
    data[offset + 8 : offset + 9] = bytes((random.choice((0, 1, 255)),))


def _addresses(random: Random, data: bytearray, offset: int) -> None:
    """Another source or destination: of the VPC, of its outside, of nobody."""
    mapped = [each for entry in STATE.interfaces for each in entry.addresses]
    known = [each.private for each in mapped] + [each.public for each in mapped if each.public]
    known += [CLIENT, "192.0.2.10", "169.254.169.254", "10.0.0.1", "10.0.0.2", "10.0.0.255", "224.0.0.18", "0.0.0.0"]
    at = offset + random.choice((12, 16))
    data[at : at + 4] = bytes(map(int, random.choice(known).split(".")))


def _macs(random: Random, data: bytearray, offset: int) -> None:
    if offset:
        known = (*map(mac, STATE.interfaces), ROUTER_MAC, BROADCAST_MAC, bytes(6))
        at = random.choice((0, 0, 0, 6))
        data[at : at + 6] = random.choice(known)


def _splice(random: Random, data: bytearray, offset: int) -> None:
    """The beginning of one and the end of another."""
    other = random.choice(SEEDS).data
    at = random.randint(0, min(len(data), len(other)))
    data[at:] = other[at:]


def _noise(random: Random, data: bytearray, offset: int) -> None:
    keep = random.choice((0, 12, 14, offset + 20))
    data[keep:] = random.randbytes(random.randint(0, 120))


_FAULTS: tuple[Callable[[Random, bytearray, int], None], ...] = (
    _flip, _flip_header, _cut, _lengthen, _insert, _total_length, _options, _fragment, _protocol, _ttl, _addresses,
    _macs, _splice, _noise,
)  # fmt: skip


def _mend(data: bytearray, offset: int) -> None:
    """Make the header's checksum right again, so that nothing hides behind it."""
    end = offset + max((data[offset] & 15) * 4, 20)
    data[offset + 10 : offset + 12] = b"\0\0"
    data[offset + 10 : offset + 12] = plain_checksum(bytes(data[offset:end])).to_bytes(2)
