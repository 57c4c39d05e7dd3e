"""A failover scenario: what happens to a running lab, and the most that it may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from bench.failover_causes import Pair
from lab.running import RunningLab

Deed = Callable[[RunningLab, Pair], None]

# Measured: a crash takes 2.4 to 3.1 s on a quiet machine, a switch 0.03 to 0.2 s, and without any event a busy machine
# leaves a client waiting for up to 0.6 s.
CRASH_SECONDS = 6.0
NOTHING_SECONDS = 1.0
SINGLE_REQUESTS = 2


def nothing(_: RunningLab, __: Pair) -> None:
    """For a scenario that needs no repair but the usual one."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """`act` does it and returns when it has had its effect; `repair` undoes what clearing the lab's faults does not.

    `next_owner` is seen from the owner before. Of clients, from `act` until everything agrees: `outage_seconds` is the
    longest time without an answer, `failed` the requests that failed (None: being down is the point). `back_seconds`
    and `back_failed` are the same from the repair until both directors are well; `back_stays`: the owner is still the
    same then. `patience_seconds` is for the end state to come about. `first_owner` is who must own at the beginning,
    where priority counts: director-1 has the higher one.
    """

    name: str
    text: str
    act: Deed
    next_owner: Literal["other", "same", "either"]
    outage_seconds: float
    failed: int | None = None
    repair: Deed = nothing
    back_seconds: float = 2.0
    back_failed: int | None = 2
    back_stays: bool = True
    first_owner: Literal["director-1", "director-2"] | None = None
    patience_seconds: float = 90.0
    core: bool = False

    def owners(self, before: Pair) -> tuple[str, ...]:
        """The names of those who may own afterwards."""
        allowed = {"other": (before.other,), "same": (before.owner,), "either": (before.owner, before.other)}
        return tuple(machine.name for machine in allowed[self.next_owner])
