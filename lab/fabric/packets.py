"""IPv4 over Ethernet as bytes: parsing, building, checksums. Addresses are integers in host order, MACs are 6 bytes."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address
from typing import NamedTuple

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
ICMP, TCP, UDP = 1, 6, 17
BROADCAST_MAC = b"\xff" * 6
BROADCAST = 0xFFFFFFFF
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10
ECHO_REPLY, UNREACHABLE, ECHO_REQUEST = 0, 3, 8
FRAGMENTATION_NEEDED = 4
# ICMP messages that quote the packet they are about (RFC 792); source quench and redirect among them.
ICMP_ERRORS = frozenset({3, 4, 5, 11, 12})

ETHERNET_HEADER = 14
_IPV4 = struct.Struct("!BBHHHBBHII")
_PORTS = struct.Struct("!HH")


class Transport(NamedTuple):
    """What the transport header says: ports (TCP, UDP), flags (TCP), type, code and identifier (ICMP)."""

    source_port: int = 0
    destination_port: int = 0
    tcp_flags: int = 0
    icmp_type: int = -1
    icmp_code: int = -1
    icmp_identifier: int = 0


class Packet(NamedTuple):
    """An IPv4 packet: `data` is all of it, cut to its total length. `transport` is None in a later fragment."""

    data: bytes
    header_length: int
    identification: int
    dont_fragment: bool
    fragmented: bool
    protocol: int
    source: int
    destination: int
    transport: Transport | None

    @property
    def payload(self) -> bytes:
        """What follows the IP header."""
        return self.data[self.header_length :]


def parse_packet(data: bytes) -> Packet | None:
    """The packet in `data` (from its IP header on), or None where it is shorter than its own headers say."""
    if len(data) < _IPV4.size:
        return None
    first, _, total, identification, fragment, _, protocol, _, source, destination = _IPV4.unpack_from(data)
    header_length = (first & 0x0F) * 4
    if first >> 4 != 4 or header_length < 20 or not header_length <= total <= len(data):
        return None
    if (fragment & 0x1FFF) * 8 + total - header_length > 0xFFFF:
        return None  # a fragment beyond the end of any packet
    if total < len(data):
        data = data[:total]  # Ethernet padding
    transport: Transport | None = None
    if fragment & 0x1FFF == 0:
        transport = _parse_transport(data, header_length, protocol)
        if transport is None:
            return None
    return Packet(
        data,
        header_length,
        identification,
        bool(fragment & 0x4000),
        bool(fragment & 0x3FFF),
        protocol,
        source,
        destination,
        transport,
    )


def _parse_transport(data: bytes, offset: int, protocol: int) -> Transport | None:
    if protocol == TCP:
        if len(data) < offset + 20:
            return None
        source_port, destination_port = _PORTS.unpack_from(data, offset)
        return Transport(source_port, destination_port, data[offset + 13])
    if protocol == UDP:
        return Transport(*_PORTS.unpack_from(data, offset)) if len(data) >= offset + 8 else None
    if protocol == ICMP:
        if len(data) < offset + 8:
            return None
        identifier = int.from_bytes(data[offset + 4 : offset + 6])
        return Transport(icmp_type=data[offset], icmp_code=data[offset + 1], icmp_identifier=identifier)
    return Transport()


def word_sum(data: bytes) -> int:
    """The sum of the 16-bit words of `data`, an odd last byte padded with zero (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def fold(total: int) -> int:
    """A sum of words folded to 16 bits in one's complement (RFC 1071)."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def checksum(data: bytes) -> int:
    """The Internet checksum of `data` (RFC 1071)."""
    return ~fold(word_sum(data)) & 0xFFFF


def adjust_checksum(value: int, removed: bytes, added: bytes) -> int:
    """The checksum `value` after the even-aligned bytes `removed` became `added`, equally long (RFC 1624, eq. 3)."""
    words = len(removed) // 2
    return ~fold((~value & 0xFFFF) + 0xFFFF * words - word_sum(removed) + word_sum(added)) & 0xFFFF


def build_packet(
    *,
    source: int,
    destination: int,
    protocol: int,
    payload: bytes,
    ttl: int = 64,
    identification: int = 0,
    fragment: int = 0x4000,
) -> bytes:
    """An IPv4 packet without options; `fragment` holds flags and offset (0x4000 = do not fragment)."""
    total = _IPV4.size + len(payload)
    addresses = (source, destination)
    header = _IPV4.pack(0x45, 0, total, identification, fragment, ttl, protocol, 0, *addresses)
    return header[:10] + checksum(header).to_bytes(2) + header[12:] + payload


def build_udp(*, source: int, destination: int, source_port: int, destination_port: int, payload: bytes) -> bytes:
    """A UDP datagram with its checksum over the pseudo header (RFC 768)."""
    length = 8 + len(payload)
    header = struct.pack("!HHH", source_port, destination_port, length)
    pseudo = struct.pack("!IIHH", source, destination, UDP, length)
    value = checksum(pseudo + header + b"\0\0" + payload) or 0xFFFF
    return header + value.to_bytes(2) + payload


def build_fragmentation_needed(packet: Packet, *, router: int, mtu: int) -> bytes:
    """The packet a router answers with where `packet` is too big and must not be fragmented (RFC 1191)."""
    quoted = packet.data[: packet.header_length + 8]
    body = struct.pack("!HH", 0, mtu) + quoted
    head = struct.pack("!BB", UNREACHABLE, FRAGMENTATION_NEEDED)
    message = head + checksum(head + b"\0\0" + body).to_bytes(2) + body
    return build_packet(source=router, destination=packet.source, protocol=ICMP, payload=message, ttl=255)


def with_ttl(data: bytes, ttl: int) -> bytes:
    """The packet with another time to live, its header checksum adjusted."""
    old, new = data[8:10], bytes((ttl, data[9]))
    value = adjust_checksum(int.from_bytes(data[10:12]), old, new)
    return data[:8] + new + value.to_bytes(2) + data[12:]


def ethernet_header(*, destination: bytes, source: bytes, ethertype: int = IPV4) -> bytes:
    """The 14 bytes before a payload."""
    return destination + source + ethertype.to_bytes(2)


def describe(data: bytes, *, has_ethernet_header: bool) -> str:
    """One line for people: addresses, protocol, ports, length."""
    text = ""
    if has_ethernet_header:
        if len(data) < ETHERNET_HEADER:
            return f"{len(data)} bytes"
        ethertype = int.from_bytes(data[12:14])
        text = f"{data[6:12].hex(':')} > {data[:6].hex(':')} "
        if ethertype == ARP and len(data) >= ETHERNET_HEADER + 28:
            kind = {1: "who has", 2: "reply from"}.get(int.from_bytes(data[20:22]), "operation unknown")
            subject = data[38:42] if kind == "who has" else data[28:32]
            return f"{text}ARP {kind} {IPv4Address(subject)} (from {IPv4Address(data[28:32])})"
        if ethertype != IPV4:
            return f"{text}ethertype {ethertype:04x}, {len(data)} bytes"
        data = data[ETHERNET_HEADER:]
    if len(data) < _IPV4.size:
        return f"{text}{len(data)} bytes"
    _, _, total, _, fragment, ttl, protocol, _, source, destination = _IPV4.unpack_from(data)
    ends = [str(IPv4Address(source)), str(IPv4Address(destination))]
    offset = (data[0] & 0x0F) * 4
    if protocol in (TCP, UDP) and fragment & 0x1FFF == 0 and len(data) >= offset + 4:
        ends = [f"{end}:{port}" for end, port in zip(ends, _PORTS.unpack_from(data, offset), strict=True)]
    name = {ICMP: "icmp", TCP: "tcp", UDP: "udp"}.get(protocol, f"protocol {protocol}")
    if protocol == ICMP and len(data) >= offset + 2:
        name += f" type {data[offset]} code {data[offset + 1]}"
    return f"{text}{ends[0]} > {ends[1]} {name}, {total} bytes, ttl {ttl}"
