"""DHCP as a VPC gives it: always the primary address, for an hour (RFC 2131, RFC 2132; EC2 user guide, DHCP options).

EC2 sends no classless static routes (option 121), so neither does this.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from ipaddress import IPv4Address

from lab.fabric.packets import BROADCAST, BROADCAST_MAC, UDP, build_packet, build_udp, ethernet_header
from lab.fabric.topology import ROUTER_MAC, InterfaceView

SERVER_PORT, CLIENT_PORT = 67, 68
LEASE_SECONDS = 3600
MTU = 9001
DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
_COOKIE = bytes.fromhex("63825363")
_FIXED = struct.Struct("!BBBBIHHIIII16s64s128s4s")
_BROADCAST_FLAG = 0x8000
_REQUESTED_ADDRESS, _MESSAGE_TYPE, _SERVER = 50, 53, 54


def answer_dhcp(client: InterfaceView, message: bytes, *, domain: str) -> bytes | None:
    """The frame that answers a DHCP message (the payload of its UDP datagram), or None where none is due."""
    if len(message) < _FIXED.size:
        return None
    fields = _FIXED.unpack_from(message)
    operation, hardware, hardware_length, _, transaction, _, flags, current, _, _, relay, address = fields[:12]
    if (operation, hardware, hardware_length, relay, fields[14]) != (1, 1, 6, 0, _COOKIE):
        return None
    options = dict(_options(message[_FIXED.size :]))
    kind = _reply_kind(client, options, current)
    if kind is None or address[:6] != client.mac:
        return None
    lease = 0 if kind == NAK or options[_MESSAGE_TYPE] == bytes((INFORM,)) else client.primary
    # 4.1 of RFC 2131: a client that asks for it, or is told no, is answered by broadcast.
    broadcast = kind == NAK or bool(flags & _BROADCAST_FLAG)
    destination = BROADCAST if broadcast else lease or current
    reply = _FIXED.pack(
        2, 1, 6, 0, transaction, 0, flags, 0 if kind == NAK else current, lease, 0, 0, address, b"", b"", _COOKIE
    )
    reply += _encode(_reply_options(client, kind, has_lease=bool(lease), domain=domain))
    router = client.subnet.router
    datagram = build_udp(
        source=router,
        destination=destination,
        source_port=SERVER_PORT,
        destination_port=CLIENT_PORT,
        payload=reply.ljust(300, b"\0"),  # RFC 1542, 2.1: the smallest BOOTP message
    )
    packet = build_packet(source=router, destination=destination, protocol=UDP, payload=datagram)
    return ethernet_header(destination=BROADCAST_MAC if broadcast else client.mac, source=ROUTER_MAC) + packet


def _reply_kind(client: InterfaceView, options: dict[int, bytes], current: int) -> int | None:
    kind = int.from_bytes(options.get(_MESSAGE_TYPE, b""))
    if kind == DISCOVER:
        return OFFER
    if kind == INFORM:
        return ACK if current in client.addresses else None
    if kind != REQUEST:
        return None
    server = options.get(_SERVER)
    if server is not None and int.from_bytes(server) != client.subnet.router:
        return None  # the client chose another server
    asked = int.from_bytes(options.get(_REQUESTED_ADDRESS, b"")) or current
    return ACK if asked == client.primary else NAK


def _reply_options(client: InterfaceView, kind: int, *, has_lease: bool, domain: str) -> list[tuple[int, bytes]]:
    subnet = client.subnet
    options = [(_MESSAGE_TYPE, bytes((kind,))), (_SERVER, subnet.router.to_bytes(4))]
    if kind == NAK:
        return options
    if has_lease:
        options.append((51, LEASE_SECONDS.to_bytes(4)))
    hostname = "ip-" + str(IPv4Address(client.primary)).replace(".", "-")
    return [
        *options,
        (1, subnet.network.netmask.packed),
        (3, subnet.router.to_bytes(4)),
        (6, subnet.resolver.to_bytes(4)),
        (12, hostname.encode("ascii")),
        (15, domain.encode("ascii")),
        (26, MTU.to_bytes(2)),
        (28, subnet.broadcast.to_bytes(4)),
    ]


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data) and data[at] != 255:
        if data[at] == 0:
            at += 1
            continue
        if at + 2 > len(data):
            return
        length = data[at + 1]
        yield data[at], data[at + 2 : at + 2 + length]
        at += 2 + length


def _encode(options: list[tuple[int, bytes]]) -> bytes:
    return b"".join(bytes((code, len(value))) + value for code, value in options) + b"\xff"
