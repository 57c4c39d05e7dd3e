"""Later fragments carry no ports: remember the first one's, so that the groups judge a datagram as one."""

from __future__ import annotations

from lab.fabric.packets import Packet, Transport

MEMORY_SECONDS = 30.0  # Linux reassembles for as long (ip-sysctl, ipfrag_time)
MEMORY_LIMIT = 4096


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
