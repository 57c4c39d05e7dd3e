"""The internet gateway's 1:1 translation of addresses, checksums carried along (RFC 3022, RFC 5508, RFC 1624)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from lab.fabric.packets import ICMP, ICMP_ERRORS, TCP, UDP, adjust_checksum, word_sum

# Where the checksum stands in the transport header.
_CHECKSUM_AT = {TCP: 16, UDP: 6}
_BOTH_CHECKSUMS = {TCP: struct.Struct("!10xH24xH"), UDP: struct.Struct("!10xH14xH")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Translation:
    """What the gateway writes into a packet; None leaves an address as it is.

    The maps (address -> address) are for the packet quoted in an ICMP error, which travelled the other way: leaving the
    VPC its destination is private and becomes public, entering it its source is public and becomes private.
    """

    source: int | None = None
    destination: int | None = None
    quoted_source: Mapping[int, int] = field(default_factory=dict)
    quoted_destination: Mapping[int, int] = field(default_factory=dict)


class Rewrite(NamedTuple):
    """A translation made ready for the packets of one flow: TCP or UDP, no options, no fragments."""

    addresses: bytes
    added: int  # to the sum of a checksum's words
    protocol: int

    def apply(self, data: bytes) -> bytes:
        """What `translate` makes of the flow's IPv4 packet `data`, sooner."""
        header, transport = _BOTH_CHECKSUMS[self.protocol].unpack_from(data)
        at = 20 + _CHECKSUM_AT[self.protocol]
        if self.protocol == TCP:
            transport = self._adjust(transport)
        elif transport:
            transport = self._adjust(transport) or 0xFFFF
        return b"".join(
            (
                data[:10],
                self._adjust(header).to_bytes(2),
                self.addresses,
                data[20:at],
                transport.to_bytes(2),
                data[at + 2 :],
            )
        )

    def _adjust(self, value: int) -> int:
        total = (~value & 0xFFFF) + self.added
        total = (total & 0xFFFF) + (total >> 16)
        return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def prepare(data: bytes, translation: Translation) -> Rewrite:
    """The rewrite of the flow that the packet `data` is of."""
    addresses = _translated(data, translation)
    return Rewrite(addresses, 0xFFFF * 4 - word_sum(data[12:20]) + word_sum(addresses), data[9])


def translate(data: bytes, translation: Translation) -> bytes:
    """The IPv4 packet `data` with its addresses translated; checksums that were wrong stay wrong."""
    packet = bytearray(data)
    _readdress(packet, _translated(data, translation))
    header_length = (data[0] & 0x0F) * 4
    if data[9] == ICMP and not _later_fragment(data) and data[header_length] in ICMP_ERRORS:
        _translate_quoted(packet, header_length, translation)
    return bytes(packet)


def _translated(data: bytes, translation: Translation) -> bytes:
    """Source and destination as they become."""
    source = data[12:16] if translation.source is None else translation.source.to_bytes(4)
    destination = data[16:20] if translation.destination is None else translation.destination.to_bytes(4)
    return source + destination


def _readdress(packet: bytearray, addresses: bytes) -> None:
    """Write source and destination, and adjust the header's checksum and the transport's where it covers them."""
    old = bytes(packet[12:20])
    if old == addresses:
        return
    packet[12:20] = addresses
    packet[10:12] = adjust_checksum(int.from_bytes(packet[10:12]), old, addresses).to_bytes(2)
    at = _CHECKSUM_AT.get(packet[9])
    if at is None or _later_fragment(packet):
        return
    at += (packet[0] & 0x0F) * 4
    value = int.from_bytes(packet[at : at + 2])
    if at + 2 > len(packet) or (packet[9] == UDP and value == 0):
        return  # a quoted packet may end before it; UDP's zero means that there is none (RFC 768)
    value = adjust_checksum(value, old, addresses)
    packet[at : at + 2] = (value or 0xFFFF if packet[9] == UDP else value).to_bytes(2)


def _translate_quoted(packet: bytearray, offset: int, translation: Translation) -> None:
    old = bytes(packet[offset + 8 :])
    if len(old) < 20 or not 0x45 <= old[0] <= 0x4F:
        return  # no IPv4 header, or one too short to be one
    quoted = bytearray(old)
    source, destination = int.from_bytes(old[12:16]), int.from_bytes(old[16:20])
    source = translation.quoted_source.get(source, source)
    destination = translation.quoted_destination.get(destination, destination)
    _readdress(quoted, source.to_bytes(4) + destination.to_bytes(4))
    packet[offset + 8 :] = quoted
    # The ICMP checksum covers the quoted bytes; a zero after an odd last one changes no sum.
    pad = b"\0" * (len(old) % 2)
    value = adjust_checksum(int.from_bytes(packet[offset + 2 : offset + 4]), old + pad, bytes(quoted) + pad)
    packet[offset + 2 : offset + 4] = value.to_bytes(2)


def _later_fragment(packet: bytes | bytearray) -> bool:
    return bool(int.from_bytes(packet[6:8]) & 0x1FFF)
