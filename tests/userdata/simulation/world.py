"""One history, played to its end: the parts put together, the faults, then calm, and the invariants."""

import random
from dataclasses import dataclass

from tests.userdata.simulation import invariants
from tests.userdata.simulation.clock import BrokenInvariantError, Clock
from tests.userdata.simulation.director import Decide, Director
from tests.userdata.simulation.ec2 import Ec2
from tests.userdata.simulation.faults import Fault
from tests.userdata.simulation.histories import History, history
from tests.userdata.simulation.metadata import Metadata
from tests.userdata.simulation.vrrp import Network
from userdata.director.agent.decision import decide


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`broken` is the invariant that did not hold, None if all did. `settled`: seconds from calm to order."""

    seed: int
    broken: str | None
    trace: tuple[str, ...]
    settled: float
    writes: int


class World:
    """Everything there is while a history is played."""

    def __init__(self, history: History, policy: Decide = decide, *, trace: bool = False) -> None:
        self.history = history
        self.clock = Clock()
        self.chance = random.Random(history.seed + 1)
        self.network = Network(self.clock, self.chance)
        self.ec2 = Ec2(self.clock, self.chance, history.directors)
        self.metadata = Metadata(self.clock, self.ec2, history.directors)
        self.lines: list[str] = []
        parts = (history.settings, self.clock, self.chance, self.network, self.ec2, self.metadata, policy)
        self.directors = [Director(index, *parts) for index in range(history.directors)]
        if trace:
            self.ec2.trace = self._note
            for director in self.directors:
                director.trace = director.keepalived.trace = self._note
        self._begin()

    def play(self) -> float:
        """The whole history; the seconds from calm to order. BrokenInvariantError if an invariant does not hold."""
        end = self._plan()
        if self.history.kind == "partition":
            invariants.partition_is_stable(self, end)
        self.clock.run(end)
        if self.lines:
            self._note("calm")
        return invariants.order_returns_and_stays(self)

    def _begin(self) -> None:
        master = self.history.master
        for director in self.directors:
            if master is None:
                self.clock.after(2.0 * self.chance.random(), director.boot)
            else:
                director.settle(master=director.index == master)
        if master is not None:
            self.ec2.settle(master)

    def _plan(self) -> float:
        """Put the troubles on the clock; the time at which the last one is over."""
        end = 5.0 if self.history.master is None else 0.0
        for trouble in self.history.troubles:
            self.clock.after(trouble.at, self._act, "begins", trouble.fault, trouble.target)
            self.clock.after(trouble.at + trouble.seconds, self._act, "ends", trouble.fault, trouble.target)
            end = max(end, trouble.at + trouble.seconds)
        return end

    def _act(self, word: str, fault: Fault, target: int) -> None:
        self.network.disturb()
        if self.lines or self.ec2.trace:
            self._note(f"*** {fault.name} (director {target}) {word}")
        (fault.begin if word == "begins" else fault.end)(self, target)

    def _note(self, text: str) -> None:
        self.lines.append(f"{self.clock.now:9.3f}  {text}")


def play(seed: int, policy: Decide = decide, *, trace: bool = False) -> Outcome:
    """Play the history of `seed` with the agents deciding by `policy`."""
    world = World(history(seed), policy, trace=trace)
    broken, settled = None, 0.0
    try:
        settled = world.play()
    except BrokenInvariantError as error:
        broken = str(error)
    writes = sum(len(director.calls) for director in world.directors)
    return Outcome(seed=seed, broken=broken, trace=tuple(world.lines), settled=settled, writes=writes)
