"""Connection tracking of one interface: what lets a reply pass that no rule allows.

Times are of the EC2 user guide, "Security group connection tracking", where it gives them, else of Linux (kernel
documentation, nf_conntrack-sysctl). A change of rules does not cut what is tracked; it cuts at once what is not: flows
between rules for all the world (`GroupRules`).
"""

from __future__ import annotations

from collections.abc import Hashable

from lab.fabric.groups import ALL, GroupRules, opens_connection, permits
from lab.fabric.packets import FIN, ICMP, RST, SYN, TCP, UDP, Packet
from lab.fabric.rules import DropRule

TCP_ESTABLISHED_SECONDS = 432000.0  # EC2: idle timeout; 350 s on newer instance types
TCP_OPENING_SECONDS = 120.0  # Linux, syn_sent
TCP_CLOSING_SECONDS = 120.0  # Linux, fin_wait and time_wait
TCP_RESET_SECONDS = 10.0  # Linux, close
UDP_SECONDS = 30.0  # EC2: one way, or a single request and response
UDP_STREAM_SECONDS = 180.0  # EC2: more than one request and response
ICMP_SECONDS = 30.0  # Linux, nf_conntrack_icmp_timeout
OTHER_SECONDS = 600.0  # EC2: protocols other than TCP, UDP and ICMP
CONNECTION_LIMIT = 65536
SWEEP_SECONDS = 10.0

_TIMEOUTS = {TCP: TCP_ESTABLISHED_SECONDS, UDP: UDP_SECONDS, ICMP: ICMP_SECONDS}
_BOTH = frozenset((True, False))

# ICMP queries and their replies (RFC 792, RFC 950): reply type -> query type.
_ICMP_REPLIES = {0: 8, 14: 13, 16: 15, 18: 17}
_ICMP_QUERIES = frozenset(_ICMP_REPLIES.values())


class Connection:
    """One tracked connection: it lives until `expires`, and each packet lengthens that by `timeout` (seconds).

    `has_opening` is False where a TCP connection was met in the middle and only one direction was allowed so far.
    """

    __slots__ = (
        "_exchanges",
        "_finished",
        "_is_datagrams",
        "_last_outbound",
        "_replied",
        "expires",
        "has_opening",
        "opened_outbound",
        "timeout",
    )

    def __init__(self, protocol: int, *, outbound: bool, has_opening: bool = True) -> None:
        self.timeout = _TIMEOUTS.get(protocol, OTHER_SECONDS)
        self.expires = float("inf")
        self._is_datagrams = protocol == UDP
        self.opened_outbound = outbound
        self.has_opening = has_opening
        self._last_outbound = outbound
        self._replied = False
        self._exchanges = 0
        self._finished: frozenset[bool] = frozenset()

    @property
    def may_begin_again(self) -> bool:
        """Whether an opening packet is another connection's: both ends said FIN, or one RST, or none was seen yet."""
        return len(self._finished) == 2 or not self.has_opening

    def note(self, packet: Packet, *, outbound: bool, now: float) -> None:
        """Take a packet of it into account."""
        if outbound != self.opened_outbound:
            self._replied = True
        if packet.protocol == TCP:
            self.timeout = self._tcp_timeout(packet, outbound)
        self.renew(outbound=outbound, now=now)

    def renew(self, *, outbound: bool, now: float) -> None:
        """A packet that says nothing new but that it goes on: any of UDP, a TCP segment in the middle."""
        if self._is_datagrams and self._exchanges < 2 and outbound != self._last_outbound:
            self._last_outbound = outbound
            if outbound != self.opened_outbound:
                self._exchanges += 1
                if self._exchanges == 2:
                    self.timeout = UDP_STREAM_SECONDS
        self.expires = now + self.timeout

    def _tcp_timeout(self, packet: Packet, outbound: bool) -> float:
        flags = packet.transport.tcp_flags if packet.transport else 0
        if flags & RST:
            self._finished = _BOTH
            return TCP_RESET_SECONDS
        if flags & FIN:
            self._finished |= {outbound}
        if self._finished:
            return min(self.timeout, TCP_CLOSING_SECONDS)
        if flags & SYN and not self._replied:
            return TCP_OPENING_SECONDS
        # A connection met in the middle counts as established: after a failover nobody sends a SYN again.
        return TCP_ESTABLISHED_SECONDS


# What passes by rule alone: ICMP errors, and flows between rules for all the world.
UNTRACKED = Connection(ALL, outbound=True)


class ConnectionTable:
    """The tracked connections of one interface."""

    def __init__(self) -> None:
        self._connections: dict[Hashable, Connection] = {}
        self._swept = 0.0

    def __len__(self) -> int:
        return len(self._connections)

    def admit(self, packet: Packet, rules: GroupRules, *, outbound: bool, now: float) -> Connection | DropRule:
        """The connection the packet belongs to, begun by it where a rule allows; else why it may not pass."""
        permissions = rules.egress if outbound else rules.ingress
        refused = DropRule.GROUP_EGRESS if outbound else DropRule.GROUP_INGRESS
        remote = packet.destination if outbound else packet.source
        key = _key(packet, outbound=outbound)
        if key is None:
            return UNTRACKED if permits(permissions, packet, remote) else refused
        connection = self._connections.get(key)
        opens = packet.protocol != TCP or opens_connection(packet)
        if connection is None or connection.expires <= now or (opens and connection.may_begin_again):
            if connection is not None:
                connection.expires = now  # whoever still holds it must look again
            if rules.leaves_untracked(packet, outbound=outbound):
                return UNTRACKED
            if not permits(permissions, packet, remote):
                return refused
            if connection is None and not self._has_room(now):
                return DropRule.TRACKING_FULL
            connection = self._connections[key] = Connection(packet.protocol, outbound=outbound, has_opening=opens)
        elif not connection.has_opening and outbound != connection.opened_outbound:
            # Met in the middle: it has let nobody in yet. Else the first answer after a rule's end would undo that end.
            if not permits(permissions, packet, remote):
                return refused
            connection.has_opening = True
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
