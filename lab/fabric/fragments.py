"""Fragments: the later ones carry no ports, so remember the first one's; and the gateway makes some (RFC 791)."""

from __future__ import annotations

from lab.fabric.packets import Packet, Transport, adjust_checksum

MEMORY_SECONDS = 30.0  # Linux reassembles for as long (ip-sysctl, ipfrag_time)
MEMORY_LIMIT = 4096
_MORE_FRAGMENTS = 0x2000


class FragmentMemory:
    """The transport headers of first fragments seen lately, by where they came from and what they belong to."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int, int, int, int], tuple[float, Transport]] = {}

    def resolve(self, port: str, packet: Packet, now: float) -> Packet | None:
        """The fragment with its datagram's transport; None where the first fragment was not seen."""
        key = (port, packet.source, packet.destination, packet.protocol, packet.identification)
        if packet.transport is not None:
            if len(self._seen) >= MEMORY_LIMIT:
                self._seen.pop(next(iter(self._seen)))
            self._seen[key] = (now + MEMORY_SECONDS, packet.transport)
            return packet
        expires, transport = self._seen.get(key, (now, None))
        return None if transport is None or expires <= now else packet._replace(transport=transport)


def split(data: bytes, mtu: int) -> list[bytes]:
    """The IPv4 packet `data`, which has no options, in fragments of at most `mtu` bytes; it may be one itself."""
    field, payload = int.from_bytes(data[6:8]), data[20:]
    step = (mtu - 20) // 8 * 8
    fragments = []
    for at in range(0, len(payload), step):
        part = payload[at : at + step]
        more = _MORE_FRAGMENTS if at + step < len(payload) else field & _MORE_FRAGMENTS
        changed = (20 + len(part)).to_bytes(2) + data[4:6] + (more | (field & 0x1FFF) + at // 8).to_bytes(2)
        value = adjust_checksum(int.from_bytes(data[10:12]), data[2:8], changed)
        fragments.append(data[:2] + changed + data[8:10] + value.to_bytes(2) + data[12:20] + part)
    return fragments
