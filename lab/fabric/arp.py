"""ARP in a VPC: only the fabric answers (RFC 826 for the layout). Nothing a machine announces reaches another."""

from __future__ import annotations

import struct

from lab.fabric.packets import ARP, ETHERNET_HEADER, ethernet_header
from lab.fabric.rules import DropRule
from lab.fabric.topology import METADATA, ROUTER_MAC, InterfaceView, Topology

_ARP = struct.Struct("!HHBBH6sI6sI")
_FIXED = (1, 0x0800, 6, 4)  # Ethernet, IPv4, their lengths
REQUEST, REPLY = 1, 2


def answer_arp(topology: Topology, sender: InterfaceView, frame: bytes) -> bytes | DropRule:
    """The frame that answers the ARP frame of `sender`, or why there is none."""
    if len(frame) < ETHERNET_HEADER + _ARP.size:
        return DropRule.MALFORMED
    *fixed, operation, sender_mac, sender_address, _, target = _ARP.unpack_from(frame, ETHERNET_HEADER)
    if tuple(fixed) != _FIXED or operation not in (REQUEST, REPLY):
        return DropRule.MALFORMED
    if operation == REPLY:
        return DropRule.GRATUITOUS_ARP_REPLY if sender_address == target else DropRule.ARP_REPLY
    if sender_address == target:
        return DropRule.GRATUITOUS_ARP_REQUEST
    if target in sender.addresses:
        return DropRule.ARP_OWN
    mac = _mac_of(topology, sender, target)
    if mac is None:
        return DropRule.ARP_NO_OWNER
    reply = _ARP.pack(*_FIXED, REPLY, mac, target, sender_mac, sender_address)
    return ethernet_header(destination=sender.mac, source=mac, ethertype=ARP) + reply


def _mac_of(topology: Topology, sender: InterfaceView, address: int) -> bytes | None:
    if address in (METADATA, sender.subnet.router, sender.subnet.resolver):
        return ROUTER_MAC
    owner = topology.owners.get(address)
    return owner.mac if owner is not None and owner.subnet.id == sender.subnet.id else None
