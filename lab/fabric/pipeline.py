"""What happens to each frame, without sockets or clocks: a frame and the time in, deliveries or a drop out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from lab.fabric.arp import answer_arp
from lab.fabric.blocks import is_blocked
from lab.fabric.dhcp import CLIENT_PORT, SERVER_PORT, answer_dhcp
from lab.fabric.fragments import FragmentMemory
from lab.fabric.packets import (
    ARP,
    BROADCAST,
    ETHERNET_HEADER,
    FIN,
    ICMP,
    IPV4,
    IPV6,
    RST,
    SYN,
    TCP,
    UDP,
    Packet,
    build_fragmentation_needed,
    ethernet_header,
    parse_packet,
    with_ttl,
)
from lab.fabric.routing import (
    INTERNET,
    SERVICES,
    Path,
    Refusal,
    end_of,
    path_from_interface,
    path_from_internet,
    path_from_services,
)
from lab.fabric.rules import DropRule
from lab.fabric.topology import ROUTER_MAC, InterfaceView, Topology
from lab.fabric.tracking import Connection, ConnectionTable
from lab.fabric.translation import translate

FLOW_LIMIT = 32768


class Delivery(NamedTuple):
    """A frame for an interface's `port`, or an IP packet for INTERNET or SERVICES."""

    port: str
    data: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop:
    """A frame that is not delivered: why, the interface it counts for, and what its sender is told, if anything."""

    rule: DropRule
    interface: str
    answers: tuple[Delivery, ...] = ()


class _Flow(NamedTuple):
    """A verdict that later segments of a TCP connection share while its tracked connections live."""

    path: Path
    connections: tuple[Connection, ...]


class Pipeline:
    """The VPCs between their ports. `now` is in seconds of any clock that does not go back."""

    def __init__(self, *, domain: str) -> None:
        self.topology = Topology()
        self._domain = domain
        self._tables: dict[str, ConnectionTable] = {}
        self._fragments = FragmentMemory()
        self._flows: dict[tuple[str, bytes, bytes], _Flow] = {}

    def apply(self, topology: Topology) -> None:
        """Go by another topology from now on; connections stay tracked on the interfaces that stay."""
        self.topology = topology
        self._flows.clear()
        self._tables = {name: table for name, table in self._tables.items() if name in topology.interfaces}

    def sweep(self, now: float) -> None:
        """Forget what has expired."""
        self._flows.clear()
        for table in self._tables.values():
            table.sweep(now)

    def handle(self, port: str, frame: bytes, now: float) -> list[Delivery] | Drop:
        """What becomes of a frame from an interface, or of an IP packet from INTERNET or SERVICES."""
        if port in (INTERNET, SERVICES):
            return self._handle_from_outside(port, frame, now)
        sender = self.topology.interfaces.get(port)
        if sender is None:
            return Drop(rule=DropRule.NO_MACHINE, interface=port)
        if frame[12:15] == b"\x08\x00\x45":
            data = frame[ETHERNET_HEADER:]
            delivered = self._by_flow(port, frame[:12], data, now)
            if delivered is not None:
                return delivered
        return self._handle_from_interface(sender, frame, now)

    def _by_flow(self, port: str, macs: bytes, data: bytes, now: float) -> list[Delivery] | None:
        """The short way for an established TCP connection: no options, no fragment, no SYN, FIN or RST."""
        if len(data) < 40 or data[9] != TCP or data[33] & (SYN | FIN | RST):
            return None
        flow = self._flows.get((port, macs, data[12:24]))
        if flow is None or len(data) > flow.path.mtu or data[6] & 0x3F or data[7] or data[0] != 0x45:
            return None
        for connection in flow.connections:
            if connection.expires <= now:
                return None
        for connection in flow.connections:
            connection.expires = now + connection.timeout
        return [_deliver(flow.path, data)]

    def _handle_from_outside(self, port: str, data: bytes, now: float) -> list[Delivery] | Drop:
        if port == INTERNET:
            delivered = self._by_flow(port, b"", data, now)
            if delivered is not None:
                return delivered
        packet = parse_packet(data)
        if packet is None:
            is_ipv6 = len(data) > 0 and data[0] >> 4 == 6
            return Drop(rule=DropRule.IPV6 if is_ipv6 else DropRule.MALFORMED, interface=port)
        if port == INTERNET:
            path = path_from_internet(self.topology, destination=packet.destination)
        else:
            path = path_from_services(self.topology, source=packet.source, destination=packet.destination)
        if isinstance(path, Refusal):
            return Drop(rule=path.rule, interface=path.interface)
        return self._follow(port, b"", None, path, packet, now)

    def _handle_from_interface(self, sender: InterfaceView, frame: bytes, now: float) -> list[Delivery] | Drop:
        if len(frame) < ETHERNET_HEADER:
            return Drop(rule=DropRule.MALFORMED, interface=sender.id)
        if frame[6:12] != sender.mac:
            return Drop(rule=DropRule.SOURCE_MAC, interface=sender.id)
        ethertype = int.from_bytes(frame[12:14])
        if ethertype == ARP:
            answer = answer_arp(self.topology, sender, frame)
            if isinstance(answer, DropRule):
                return Drop(rule=answer, interface=sender.id)
            return [Delivery(sender.id, answer)]
        if ethertype != IPV4:
            return Drop(rule=DropRule.IPV6 if ethertype == IPV6 else DropRule.ETHERTYPE, interface=sender.id)
        packet = parse_packet(frame[ETHERNET_HEADER:])
        if packet is None:
            return Drop(rule=DropRule.MALFORMED, interface=sender.id)
        if _is_dhcp(packet, sender):
            offer = answer_dhcp(sender, packet.payload[8:], domain=self._domain)
            if offer is None:
                return Drop(rule=DropRule.DHCP, interface=sender.id)
            return [Delivery(sender.id, offer)]
        path = path_from_interface(
            self.topology, sender, next_hop=frame[:6], source=packet.source, destination=packet.destination
        )
        if isinstance(path, Refusal):
            return Drop(rule=path.rule, interface=path.interface)
        return self._follow(sender.id, frame[:12], sender, path, packet, now)

    def _follow(
        self, port: str, macs: bytes, sender: InterfaceView | None, path: Path, packet: Packet, now: float
    ) -> list[Delivery] | Drop:
        """Groups and size, along a path."""
        judged = self._fragments.resolve(port, packet, now) if packet.fragmented else packet
        if judged is None:
            return Drop(rule=DropRule.FRAGMENT, interface=port)
        connections = []
        if sender is not None and path.leaves_by_groups:
            admitted = self._table(sender).admit(judged, sender.egress, outbound=True, now=now)
            if isinstance(admitted, DropRule):
                return Drop(rule=admitted, interface=sender.id)
            connections.append(admitted)
        # Between the sender's groups and the receiver's: what is lost on the way was sent, and tracked as sent.
        if self.topology.walls and self._is_walled_off(port, path, judged):
            return Drop(rule=DropRule.FAULT_BLOCKED, interface=path.port if sender is None else sender.id)
        if len(packet.data) > path.mtu:
            return Drop(rule=DropRule.MTU, interface=port, answers=self._too_big(sender, path, packet, now))
        if path.receiver is not None:
            seen = _as_received(judged, path)
            admitted = self._table(path.receiver).admit(seen, path.receiver.ingress, outbound=False, now=now)
            if isinstance(admitted, DropRule):
                return Drop(rule=admitted, interface=path.receiver.id)
            connections.append(admitted)
        if packet.protocol == TCP and packet.header_length == 20 and path.ttl is None and not packet.fragmented:
            if len(self._flows) >= FLOW_LIMIT:
                self._flows.clear()
            self._flows[port, macs, packet.data[12:24]] = _Flow(path, tuple(connections))
        return [_deliver(path, packet.data)]

    def _is_walled_off(self, port: str, path: Path, packet: Packet) -> bool:
        sender, receiver = end_of(port, packet.source), end_of(path.port, packet.destination)
        return is_blocked(self.topology.walls, packet, sender=sender, receiver=receiver)

    def _too_big(self, sender: InterfaceView | None, path: Path, packet: Packet, now: float) -> tuple[Delivery, ...]:
        """ICMP "fragmentation needed" to the sender, if its groups let that in (EC2's MTU guide asks for a rule)."""
        if sender is None or not packet.dont_fragment or packet.source not in sender.addresses:
            return ()
        message = build_fragmentation_needed(packet, router=sender.subnet.router, mtu=path.mtu)
        parsed = parse_packet(message)
        assert parsed is not None and parsed.protocol == ICMP
        if isinstance(self._table(sender).admit(parsed, sender.ingress, outbound=False, now=now), DropRule):
            return ()
        header = ethernet_header(destination=sender.mac, source=ROUTER_MAC)
        return (Delivery(sender.id, header + message),)

    def _table(self, interface: InterfaceView) -> ConnectionTable:
        return self._tables.setdefault(interface.id, ConnectionTable())


def _deliver(path: Path, data: bytes) -> Delivery:
    if path.translation is not None:
        data = translate(data, path.translation)
    if path.ttl is not None:
        data = with_ttl(data, path.ttl)
    return Delivery(path.port, path.header + data)


def _as_received(packet: Packet, path: Path) -> Packet:
    """The packet with the addresses its receiver sees."""
    if path.translation is None:
        return packet
    source, destination = path.translation.source, path.translation.destination
    return packet._replace(
        source=packet.source if source is None else source,
        destination=packet.destination if destination is None else destination,
    )


def _is_dhcp(packet: Packet, sender: InterfaceView) -> bool:
    transport = packet.transport
    return (
        packet.protocol == UDP
        and transport is not None
        and (transport.source_port, transport.destination_port) == (CLIENT_PORT, SERVER_PORT)
        and packet.destination in (BROADCAST, sender.subnet.router)
    )
