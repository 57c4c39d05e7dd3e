"""The short way: a verdict that the later packets of a TCP or UDP flow share while its tracked connections live."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lab.fabric.packets import ETHERNET_HEADER, FIN, RST, SYN, TCP, UDP, Packet
from lab.fabric.routing import Path
from lab.fabric.tracking import Connection
from lab.fabric.translation import Rewrite, prepare

FLOW_LIMIT = 32768

# Of a frame, and of an IP packet from outside: all up to version and header length, the total length, flags and offset
# of fragments, time to live, protocol, addresses and ports.
_LAYOUTS = {ETHERNET_HEADER: struct.Struct("!15sxH2xHBB2x12s"), 0: struct.Struct("!1sxH2xHBB2x12s")}
_NO_OPTIONS = b"\x45"  # version 4, a header of 20 bytes
_SHORTEST = {TCP: 40, UDP: 28}
_UNUSUAL_FLAGS = SYN | FIN | RST


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """A way through the fabric, and the connections to renew on it, each with whether this is outbound for it."""

    path: Path
    tracked: tuple[tuple[Connection, bool], ...]
    shortest: int
    longest: int
    rewrite: Rewrite | None
    is_unchanged: bool

    def carry(self, frame: bytes, offset: int) -> bytes:
        """What is delivered of a frame whose IP packet begins at `offset`."""
        if self.is_unchanged:
            return frame
        data = frame[offset:] if offset else frame
        if self.rewrite is not None:
            data = self.rewrite.apply(data)
        return self.path.header + data


class FlowCache:
    """The flows under way, by what all their packets have in common."""

    def __init__(self) -> None:
        self._flows: dict[tuple[str, bytes, int, bytes], Flow] = {}

    def clear(self) -> None:
        """Forget all: the next packets take the long way."""
        self._flows.clear()

    def find(self, port: str, frame: bytes, offset: int, now: float) -> Flow | None:
        """The flow a frame from `port` belongs to, its connections renewed.

        None for all that is to be looked at in full: a new flow, options, fragments, padding, a length that is wrong
        or too much, a TCP connection's opening or end, a connection that expired.
        """
        size = len(frame) - offset
        if size < 28:
            return None
        head, total, fragment, ttl, protocol, ends = _LAYOUTS[offset].unpack_from(frame)
        flow = self._flows.get((port, head, protocol, ends))
        if flow is None or total != size or not flow.shortest <= size <= flow.longest:
            return None
        if fragment & 0x3FFF or not ttl:
            return None
        if protocol == TCP and frame[offset + 33] & _UNUSUAL_FLAGS:
            return None
        for connection, outbound in flow.tracked:
            if connection.expires <= now:
                return None
            if protocol == UDP:
                connection.renew(outbound=outbound, now=now)
            else:
                connection.expires = now + connection.timeout
        return flow

    def remember(
        self, port: str, macs: bytes, path: Path, packet: Packet, tracked: tuple[tuple[Connection, bool], ...]
    ) -> None:
        """Let what follows `packet` go as it did. `macs` are the Ethernet addresses it came with, if any."""
        if packet.protocol not in _SHORTEST or packet.header_length != 20 or packet.fragmented or path.ttl is not None:
            return
        if packet.transport is None or packet.transport.tcp_flags & _UNUSUAL_FLAGS:
            return
        if len(self._flows) >= FLOW_LIMIT:
            self._flows.clear()
        ethernet = macs + b"\x08\x00" if macs else b""
        self._flows[port, ethernet + _NO_OPTIONS, packet.protocol, packet.data[12:24]] = Flow(
            path=path,
            tracked=tracked,
            shortest=_SHORTEST[packet.protocol],
            longest=path.mtu,
            rewrite=None if path.translation is None else prepare(packet.data, path.translation),
            is_unchanged=path.translation is None and path.header == ethernet,
        )
