"""Connection tracking of one interface: what lets a reply pass that no rule allows.

Times are of the EC2 user guide, "Security group connection tracking", where it gives them, else of Linux (kernel
documentation, nf_conntrack-sysctl). A change of rules does not cut what is tracked.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from lab.fabric.groups import Permission, permits
from lab.fabric.packets import ACK, FIN, ICMP, RST, SYN, TCP, UDP, Packet
from lab.fabric.rules import DropRule

TCP_ESTABLISHED_SECONDS = 432000.0  # EC2: idle timeout; 350 s on newer instance types
TCP_OPENING_SECONDS = 120.0  # Linux, syn_sent
TCP_CLOSING_SECONDS = 120.0  # Linux, fin_wait and time_wait
TCP_RESET_SECONDS = 10.0  # Linux, close
UDP_SECONDS = 30.0  # EC2: one way, or a single request and response
UDP_STREAM_SECONDS = 180.0  # EC2: more than one request and response
ICMP_SECONDS = 30.0  # Linux, nf_conntrack_icmp_timeout
OTHER_SECONDS = 600.0  # Linux's generic timeout, and what EC2 users see for protocol 112
CONNECTION_LIMIT = 65536
SWEEP_SECONDS = 10.0

# ICMP queries and their replies (RFC 792, RFC 950): reply type -> query type.
_ICMP_REPLIES = {0: 8, 14: 13, 16: 15, 18: 17}
_ICMP_QUERIES = frozenset(_ICMP_REPLIES.values())


class Connection:
    """One tracked connection: it lives until `expires`, and each packet lengthens that by `timeout` (seconds)."""

    __slots__ = ("_exchanges", "_finished", "_last_outbound", "_opened_outbound", "_replied", "expires", "timeout")

    def __init__(self, *, outbound: bool, timeout: float = float("inf")) -> None:
        self.timeout = timeout
        self.expires = float("inf")
        self._opened_outbound = outbound
        self._last_outbound = outbound
        self._replied = False
        self._exchanges = 0
        self._finished: set[bool] = set()

    @property
    def closing(self) -> bool:
        """Whether both ends said FIN, or one said RST."""
        return len(self._finished) == 2

    def note(self, packet: Packet, *, outbound: bool, now: float) -> None:
        """Take a packet of it into account."""
        if outbound != self._opened_outbound:
            self._replied = True
            self._exchanges += self._last_outbound == self._opened_outbound
        self._last_outbound = outbound
        if packet.protocol == TCP:
            self.timeout = self._tcp_timeout(packet, outbound)
        elif packet.protocol == UDP:
            self.timeout = UDP_STREAM_SECONDS if self._exchanges > 1 else UDP_SECONDS
        else:
            self.timeout = ICMP_SECONDS if packet.protocol == ICMP else OTHER_SECONDS
        self.expires = now + self.timeout

    def _tcp_timeout(self, packet: Packet, outbound: bool) -> float:
        flags = packet.transport.tcp_flags if packet.transport else 0
        if flags & RST:
            self._finished = {True, False}
            return TCP_RESET_SECONDS
        if flags & FIN:
            self._finished.add(outbound)
        if self._finished:
            return min(self.timeout, TCP_CLOSING_SECONDS)
        if flags & SYN and not self._replied:
            return TCP_OPENING_SECONDS
        # A connection met in the middle counts as established: after a failover nobody sends a SYN again.
        return TCP_ESTABLISHED_SECONDS


# What passes by rule alone. The place for flows that EC2 does not track either (any-any rules both ways).
UNTRACKED = Connection(outbound=True)


class ConnectionTable:
    """The tracked connections of one interface."""

    def __init__(self) -> None:
        self._connections: dict[Hashable, Connection] = {}
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._connections)

    def admit(
        self, packet: Packet, permissions: Iterable[Permission], *, outbound: bool, now: float
    ) -> Connection | DropRule:
        """The connection the packet belongs to, begun by it where a rule allows; else why it may not pass."""
        refused = DropRule.GROUP_EGRESS if outbound else DropRule.GROUP_INGRESS
        remote = packet.destination if outbound else packet.source
        key = _key(packet, outbound=outbound)
        if key is None:
            return UNTRACKED if permits(permissions, packet, remote) else refused
        connection = self._connections.get(key)
        if connection is None or connection.expires <= now or (connection.closing and _opens(packet)):
            if not permits(permissions, packet, remote):
                return refused
            if connection is not None:
                connection.expires = now  # whoever still holds it must look again
            elif not self._has_room(now):
                return DropRule.TRACKING_FULL
            connection = self._connections[key] = Connection(outbound=outbound)
        connection.note(packet, outbound=outbound, now=now)
        return connection

    def sweep(self, now: float) -> None:
        """Forget what has expired."""
        self._swept = now
        self._connections = {key: entry for key, entry in self._connections.items() if entry.expires > now}

    def _has_room(self, now: float) -> bool:
        if len(self._connections) >= CONNECTION_LIMIT and now - self._swept >= SWEEP_SECONDS:
            self.sweep(now)
        return len(self._connections) < CONNECTION_LIMIT


def _opens(packet: Packet) -> bool:
    return packet.transport is not None and packet.transport.tcp_flags & (SYN | ACK) == SYN


def _key(packet: Packet, *, outbound: bool) -> Hashable | None:
    """What both directions of a connection have in common, seen from the interface; None where nothing answers."""
    transport = packet.transport
    ends = (packet.source, packet.destination) if outbound else (packet.destination, packet.source)
    if transport is None:
        return None
    if packet.protocol in (TCP, UDP):
        ports = (transport.source_port, transport.destination_port)
        return (packet.protocol, *ends, *(ports if outbound else ports[::-1]))
    if packet.protocol == ICMP:
        if transport.icmp_type in _ICMP_QUERIES:
            return (ICMP, *ends, transport.icmp_identifier, transport.icmp_type, outbound)
        if transport.icmp_type in _ICMP_REPLIES:
            return (ICMP, *ends, transport.icmp_identifier, _ICMP_REPLIES[transport.icmp_type], not outbound)
        return None  # an error; EC2's guide wants a rule for path MTU discovery
    return (packet.protocol, *ends)
