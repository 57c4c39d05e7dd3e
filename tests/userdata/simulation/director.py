"""A director: its machine, its Keepalived, and the agent's runtime around the real `decide`.

The runtime here does what userdata/director/agent/runtime.py and fifo.py do, event by event, without threads.
"""

import random
from collections.abc import Callable

from tests.userdata.simulation.clock import BrokenInvariantError, Clock
from tests.userdata.simulation.ec2 import Ec2
from tests.userdata.simulation.metadata import Metadata
from tests.userdata.simulation.vrrp import MASTER, Keepalived, Network, Settings
from userdata.director.agent.decision import (
    RIVALS,
    Call,
    Decision,
    Event,
    Finished,
    Look,
    Looked,
    Phase,
    Start,
    State,
    Tell,
    Vrrp,
    Wait,
    Woke,
    decide,
)
from userdata.director.agent.runtime import JITTER

Decide = Callable[[State, Event], Decision]
WORDS = {word: Vrrp(state=word) for word in ("MASTER", "BACKUP", "FAULT", "STOP", "MASTER_RX_LOWER_PRI")}
WOKE = Woke()
# Within so much an agent has called: told of a rival while the address is elsewhere; told MASTER.
RIVAL_SECONDS, MASTER_SECONDS = 1.5, 2.1
# Calls an agent may make: so many at once, so many a second, so many more for each MASTER.
BUCKET, REFILL, GRANT = 10.0, 0.6, 4.0


class Unassign:
    """An action the real agent does not know: a mutant's."""


class Director:
    """One of 2 to 4; `index` is also its rank."""

    def __init__(
        self,
        index: int,
        settings: Settings,
        clock: Clock,
        chance: random.Random,
        network: Network,
        ec2: Ec2,
        metadata: Metadata,
        policy: Decide = decide,
    ) -> None:
        self.index = index
        self.clock = clock
        self.chance = chance
        self.ec2 = ec2
        self.metadata = metadata
        self.policy = policy
        self.keepalived = Keepalived(index, settings, network, self._notified)
        network.members.append(self.keepalived)
        self.state = State(rank=index)
        self.trace: Callable[..., None] | None = None
        self.up = False  # the machine
        self.paused = 0  # the machine or the agent's process
        self.alive = False  # the agent
        self.outstanding = False
        self.calls: list[float] = []
        self.words = 0  # MASTER states the agent was told
        self._generation = 0  # of the agent: answers to an earlier one are nobody's
        self._lines: list[str] = []
        self._late: list[tuple[Callable[..., None], tuple]] = []
        self._reading = False
        self._looking = False
        self._identity = False
        self._knows_here = False  # the last thing the agent was told about the address: it is here
        self._waiting = 0
        self._woken = 0
        self._tokens = BUCKET
        self._tokens_at = 0.0

    # The machine

    def settle(self, *, master: bool) -> None:
        """It has been up for long, and everything is in order."""
        self.up = self.alive = self._identity = True
        self.keepalived.settle(MASTER if master else "BACKUP")
        phase = Phase.HOLDING if master else Phase.IDLE
        self.state = State(vrrp="MASTER" if master else "BACKUP", phase=phase, looks=3 * master, rank=self.index)
        self._wait(5 * self.chance.random())

    def crash(self) -> None:
        """No process does anything any more; what was sent is sent."""
        self.up = False
        self.keepalived.vanish()
        self._lines.clear()
        self.kill_agent()
        self.state = State(rank=self.index)  # what was in /run is gone

    def boot(self) -> None:
        """The agent first, then Keepalived, as the units are ordered."""
        self.up = True
        self.start_agent()
        self.clock.after(1.0 + 2.0 * self.chance.random(), self._start_keepalived)

    def _start_keepalived(self) -> None:
        if self.up and self.keepalived.state == "DOWN":
            self.keepalived.network.disturb()
            self.keepalived.start()

    def pause(self, *, machine: bool) -> None:
        self.paused += 1
        if machine:
            self.keepalived.host_paused = True

    def resume(self, *, machine: bool) -> None:
        self.paused -= 1
        if machine and self.keepalived.host_paused:
            self.keepalived.host_paused = False
            self.keepalived.resume()
        if not self.paused:
            late, self._late = self._late, []
            for act, arguments in late:
                act(*arguments)

    # The agent's process

    def kill_agent(self) -> None:
        if self.alive and self._lines and self.chance.random() < 0.5:
            self._lines.clear()  # read from the FIFO, and not acted upon: all a FIFO can lose
        self.alive = self.outstanding = self._reading = self._looking = self._identity = self._knows_here = False
        self._generation += 1
        self._late.clear()

    def start_agent(self) -> None:
        """A new process: it knows what is on lo, what waits in the FIFO, and what the one before wrote down."""
        if not self.up or self.alive:
            return
        self.alive = True
        last = self.state.vrrp
        self.state = State(rank=self.index)
        self._woken = self._waiting  # what the one before waited for is nobody's
        self._grant()
        if self.trace:
            self.trace(f"director {self.index}: agent starts, the address is {'' if self.on_lo else 'not '}on lo")
        if self.on_lo:
            self._handle(self._generation, WORDS["MASTER_RX_LOWER_PRI"])
        elif last in ("BACKUP", "FAULT"):
            self._handle(self._generation, WORDS[last])
        self._handle(self._generation, WOKE)
        self._read_soon()

    @property
    def on_lo(self) -> bool:
        return self.keepalived.on_lo

    # The FIFO

    def _notified(self, word: str) -> None:
        if self.up:
            self._lines.append(word)
            self._read_soon()

    def _read_soon(self) -> None:
        if self.alive and self._lines and not self._reading:
            self._reading = True
            random_ = self.chance.random
            seconds = 0.001 + (0.03 * random_() if random_() < 0.2 else 0.002 * random_())
            self.clock.after(seconds, self._read, self._generation)

    def _read(self, generation: int) -> None:
        if generation != self._generation:
            return
        if self.paused:
            self._late.append((self._read, (generation,)))
            return
        self._reading = False
        word = self._lines[-1]  # the newest of all that wait
        self._lines.clear()
        if word.startswith("MASTER"):
            self.words += 1
        if word == "MASTER":
            self._grant()
            self.clock.after(MASTER_SECONDS, self._must_have_claimed, generation, len(self.calls))
        elif word == "MASTER_RX_LOWER_PRI" and self._idle_and_lost():
            self.clock.after(RIVAL_SECONDS, self._must_have_called, generation, len(self.calls))
        self._handle(generation, WORDS[word])

    # The loop

    def _handle(self, generation: int, event: Event) -> None:
        if generation != self._generation:
            return
        if self.paused:
            self._late.append((self._handle, (generation, event)))
            return
        if type(event) is Looked:
            self._looking = False
            if event.address_here is not None:
                self._knows_here = event.address_here
        elif type(event) is Finished:
            self.outstanding = False
        elif type(event) is Vrrp:
            self._knows_here = False
        before = self.state
        self.state, actions = self.policy(before, event)
        if self.trace:
            self._tell(event, before)
        for action in actions:
            kind = type(action)
            if kind is Wait:
                self._wait(action.seconds * (1 + JITTER * self.chance.random() if action.jitter else 1))
            elif kind is Look:
                if not self._looking:
                    self._looking = True
                    self.metadata.look(self.index, self._seen)
            elif kind is Start:
                self._start(action, event, before)
            elif kind is not Tell:
                self.ec2.unassign()
                raise BrokenInvariantError(f"director {self.index} unassigns")
        if not (self._waiting > self._woken or self._looking or self.outstanding):
            raise BrokenInvariantError(f"director {self.index} waits for nothing: its agent is stuck")

    def _seen(self, seen: Looked) -> None:
        # A look of an earlier agent is answered to nobody; the new one's own look is as good.
        if self.alive and self._looking:
            self._identity = self._identity or seen.address_here is not None
            self._handle(self._generation, seen)

    def _wait(self, seconds: float) -> None:
        self._waiting += 1
        self.clock.after(seconds, self._wake, self._generation, self._waiting)

    def _wake(self, generation: int, waiting: int) -> None:
        if generation != self._generation or waiting != self._waiting:
            return
        if self.paused:
            self._late.append((self._wake, (generation, waiting)))
            return
        self._woken = waiting
        self._handle(generation, WOKE)

    # Calls

    def _start(self, action: Start, cause: Event, before: State) -> None:
        now = self.clock.now
        if self.outstanding:
            raise BrokenInvariantError(f"director {self.index} has two calls in flight")
        if not self.state.master:
            raise BrokenInvariantError(f"director {self.index} calls EC2 while {self.state.vrrp}")
        if self._knows_here and type(cause) is Looked and cause.address_here is None:
            raise BrokenInvariantError(f"director {self.index} takes silent metadata for a loss")
        if before.phase is not Phase.CLAIMING and self._needless(action, cause):
            raise BrokenInvariantError(f"director {self.index} claims what it has held for long")
        self.outstanding = True
        self.calls.append(now)
        self._tokens = min(BUCKET, self._tokens + REFILL * (now - self._tokens_at)) - 1
        self._tokens_at = now
        if self._tokens < 0:
            raise BrokenInvariantError(f"director {self.index} calls EC2 without end: {len(self.calls)} calls")
        generation, call = self._generation, action.call
        if self.trace:
            self.trace(f"director {self.index}: calls {call.value}, attempt {action.attempt}")
        if not self._identity and self.metadata.silent[self.index]:
            self.clock.after(1.0, self._handle, generation, Finished(call=call, error="NoMetadata"))
            return
        self._identity = True
        self.ec2.call(self.index, call, lambda error: self._answered(generation, call, error))

    def _answered(self, generation: int, call: Call, error: str | None) -> None:
        self._handle(generation, Finished(call=call, error=error))

    def _grant(self) -> None:
        self._tokens = min(BUCKET, self._tokens + GRANT)

    def _needless(self, action: Start, cause: Event) -> bool:
        """Whether it was this director's for so long that it had to know. A new MASTER is let off: speed counts.

        So is, at the caller, a claim that EC2 refused: it may have been done all the same.
        """
        ec2, now = self.ec2, self.clock.now
        return (
            action.call is Call.ASSIGN
            and action.attempt == 1
            and not (type(cause) is Vrrp and cause.state == "MASTER")
            and type(cause) is not Finished
            and ec2.owner == ec2.holder == self.index
            and now - ec2.views[-1][0] > 1.5
            and not self.metadata.troubled
        )

    def _idle_and_lost(self) -> bool:
        """Whether the address is elsewhere, plainly, and nothing is being done about it."""
        return (
            self.state.master
            and self.state.rivals < RIVALS
            and not self.outstanding
            and self.state.phase not in (Phase.CLAIMING, Phase.SETTLING)
            and self.ec2.owner != self.index
            and self.ec2.holder != self.index
        )

    def _must_have_claimed(self, generation: int, calls: int) -> None:
        if generation == self._generation and len(self.calls) == calls and not self.paused and self.state.master:
            raise BrokenInvariantError(f"director {self.index} became MASTER and did not claim")

    def _must_have_called(self, generation: int, calls: int) -> None:
        if (
            generation == self._generation
            and len(self.calls) == calls
            and not self.paused
            and self.keepalived.state == MASTER
            and self._idle_and_lost()
            and not self.metadata.troubled
        ):
            raise BrokenInvariantError(f"director {self.index} heard a rival and did nothing about the lost address")

    def _tell(self, event: Event, before: State) -> None:
        words = event.state if isinstance(event, Vrrp) else type(event).__name__
        if isinstance(event, Looked):
            if self.state.phase is before.phase and self.state.losses == before.losses:
                return
            words += f" here={event.address_here} associated={event.associated}"
        elif isinstance(event, Finished):
            words += f" {event.call.value} {event.error or 'ok'}"
        elif isinstance(event, Woke) and self.state.phase is before.phase:
            return
        losses = f", losses {self.state.losses}" if self.state.losses else ""
        self.trace(f"director {self.index}: {words}: {before.phase.value} -> {self.state.phase.value}{losses}")
