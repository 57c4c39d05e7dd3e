"""Time in the simulation: seconds, an event queue, and nothing that waits."""

import heapq
from collections.abc import Callable


class BrokenInvariantError(AssertionError):
    """The history broke a promise; the message says which."""


class Clock:
    """What happens when. Events of the same moment happen in the order they were asked for."""

    __slots__ = ("_asked", "_events", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple]] = []
        self._asked = 0

    def after(self, seconds: float, act: Callable[..., None], *arguments: object) -> None:
        self._asked += 1
        heapq.heappush(self._events, (self.now + seconds, self._asked, act, arguments))

    def run(self, until: float) -> None:
        """Let happen what is due up to `until`."""
        events, pop = self._events, heapq.heappop
        while events and events[0][0] <= until:
            self.now, _, act, arguments = pop(events)
            act(*arguments)
        self.now = until
