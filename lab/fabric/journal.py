"""What was dropped: how often by rule and interface, and the last frames of each rule."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import Any, NamedTuple

from lab.fabric.packets import describe
from lab.fabric.routing import INTERNET, SERVICES
from lab.fabric.rules import DropRule

KEPT_FRAMES = 8
KEPT_BYTES = 128


class _Entry(NamedTuple):
    time: float
    interface: str
    came_from: str
    start: bytes


class DropJournal:
    """Counts for ever, keeps the beginnings of the last frames."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[DropRule, str]] = Counter()
        self._last: dict[DropRule, deque[_Entry]] = {}

    def note(self, rule: DropRule, interface: str, *, came_from: str, frame: bytes) -> None:
        """One more: `interface` is the one it counts for, `came_from` the port `frame` came from."""
        self._counts[rule, interface] += 1
        entry = _Entry(time.time(), interface, came_from, frame[:KEPT_BYTES])
        self._last.setdefault(rule, deque(maxlen=KEPT_FRAMES)).append(entry)

    def counters(self) -> dict[str, dict[str, int]]:
        """Rule -> interface -> number."""
        found: dict[str, dict[str, int]] = {}
        for (rule, interface), number in self._counts.items():
            found.setdefault(rule.value, {})[interface] = number
        return found

    def last(self) -> dict[str, list[dict[str, Any]]]:
        """Rule -> the last frames, oldest first; see `FabricClient.drops`."""
        return {
            rule.value: [
                {
                    "time": entry.time,
                    "interface": entry.interface,
                    "came_from": entry.came_from,
                    "summary": describe(entry.start, has_ethernet_header=entry.came_from not in (INTERNET, SERVICES)),
                    "frame": entry.start.hex(),
                }
                for entry in entries
            ]
            for rule, entries in self._last.items()
        }
