"""Faults in the network: packets between two ends, lost while somebody wants it so (`lab.fabric.model.Block`)."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from lab.fabric.groups import ALL, parse_protocol
from lab.fabric.model import Block
from lab.fabric.packets import TCP, UDP, Packet

ANYBODY, API_END, METADATA_END, INTERNET_END = "*", "api", "metadata", "internet"
RESOLVER_END = "resolver"  # no block can name it: it stays reachable where metadata does not
_KEYWORDS = frozenset({ANYBODY, API_END, METADATA_END, INTERNET_END})


class Wall(NamedTuple):
    """A compiled block, one way. An end is an interface's id or one of the words above; ALL is any protocol or port."""

    first: str
    second: str
    protocol: int
    port: int


def compile_blocks(
    blocks: Iterable[Block], interfaces: Container[str], faults: list[str]
) -> dict[str, tuple[Wall, ...]]:
    """The walls by the end that packets come from. Faults go to `faults`.

    A block of an interface that is not there stops nothing: its machine may be off.
    """
    walls: dict[str, tuple[Wall, ...]] = {}
    for index, block in enumerate(blocks):
        protocol = parse_protocol(block.protocol)
        if protocol is None:
            faults.append(f'blocks[{index}]: protocol is {block.protocol!r}, not "-1" or a number up to 255 as text')
        elif block.port is not None and protocol not in (TCP, UDP):
            faults.append(f"blocks[{index}]: a port needs protocol 6 or 17, not {block.protocol}")
        if block.port is not None and not 0 <= block.port <= 65535:
            faults.append(f"blocks[{index}]: port {block.port} is not within 0 to 65535")
        if protocol is None or any(
            end not in _KEYWORDS and end not in interfaces for end in (block.first, block.second)
        ):
            continue
        port = ALL if block.port is None else block.port
        ends = [(block.first, block.second), *([(block.second, block.first)] if block.both_ways else [])]
        for first, second in ends:
            walls[first] = (*walls.get(first, ()), Wall(first, second, protocol, port))
    return walls


def is_blocked(walls: Mapping[str, tuple[Wall, ...]], packet: Packet, *, sender: str, receiver: str) -> bool:
    """Whether a packet between two ends runs into a wall. A later fragment has its first one's ports."""
    return any(
        wall.second in (receiver, ANYBODY)
        and wall.protocol in (packet.protocol, ALL)
        and (wall.port == ALL or _has_port(packet, wall.port))
        for end in (sender, ANYBODY)
        for wall in walls.get(end, ())
    )


def _has_port(packet: Packet, port: int) -> bool:
    transport = packet.transport
    return transport is not None and port in (transport.source_port, transport.destination_port)
