"""EC2 as the agents meet it: calls that take time, land early, late or never, and an address that moves after them.

The last AssignPrivateIpAddresses to take effect wins; the remapping shows later (EC2 API reference,
AssignPrivateIpAddresses: "Remapping an IP address is an asynchronous operation").
"""

import random
from collections.abc import Callable

from tests.userdata.simulation.clock import Clock
from userdata.director.agent.decision import Call

NOBODY, STRANGER = -1, -2
CONNECT_SECONDS, READ_SECONDS = 1.0, 2.0  # the agent's time-outs
Answer = Callable[[str | None], None]


class Ec2:
    """Who has the address. `views` is what metadata could ever have said: (since, holder, associated)."""

    def __init__(self, clock: Clock, chance: random.Random, directors: int) -> None:
        self.clock = clock
        self.chance = chance
        self.latency = 0.2 + 0.4 * chance.random()
        self.remap = 0.3 + 1.0 * chance.random()
        self.remap_factor = 1.0
        self.owner = NOBODY
        self.owned_since = 0.0
        self.associated = False
        self.views: list[tuple[float, int, bool]] = [(0.0, NOBODY, False)]
        self.modes: list[list[str]] = [[] for _ in range(directors)]
        self.under_way = 0  # effects and remappings still to come
        self.assigned = 0
        self.owners: list[tuple[float, int]] = []
        self.trace: Callable[..., None] | None = None
        self._move = 0

    def settle(self, owner: int) -> None:
        """The address has been there for long."""
        self.owner, self.associated = owner, True
        self.views.append((0.0, owner, True))

    def call(self, director: int, call: Call, answer: Answer) -> None:
        """One request; `answer` gets the error or None. It is not called if the caller gives up asking."""
        after, random_ = self.clock.after, self.chance.random
        modes = self.modes[director]
        mode = modes[-1] if modes else ""
        seconds = self.latency * (0.7 + 0.6 * random_())
        if mode == "down":
            after(CONNECT_SECONDS, answer, "ConnectTimeoutError")
        elif mode == "throttled" and random_() < 0.8:
            after(0.05 + 0.1 * random_(), answer, "RequestLimitExceeded")
        elif mode in ("denied", "clock"):
            after(0.1, answer, "AuthFailure" if mode == "clock" else "UnauthorizedOperation")
        elif mode == "lying":
            self._land(director, call, seconds * random_())
            after(seconds, answer, "InternalError")
        elif mode == "late":
            self._land(director, call, seconds + 6 * random_())
            after(seconds, answer, "Unavailable")
        elif mode == "slow":
            seconds = 0.5 + 5 * random_()
            effect = seconds * random_()
            self._land(director, call, effect)
            error = self._refusal(director, call)
            if seconds > READ_SECONDS:
                after(READ_SECONDS, answer, "ReadTimeoutError")
            else:
                after(seconds, answer, error)
        else:
            effect = seconds * (0.2 + 0.7 * random_())
            after(effect, self._call_lands, director, call, answer, seconds - effect)
            self.under_way += 1

    def assign(self, taker: int) -> None:
        """AssignPrivateIpAddresses takes effect. A director may be one, or the stranger with the third ENI."""
        if taker == self.owner:
            return
        if self.owner == NOBODY:
            self.associated = False
        self._owned_by(taker)
        seconds = self.remap * self.remap_factor * (0.6 + 0.8 * self.chance.random())
        self.under_way += 1
        # The old holder may lose it well before the new one has it.
        if self.chance.random() < 0.5:
            self.clock.after(seconds * 0.5, self._taken_off, self._move)
        self.clock.after(seconds, self._moved, self._move)

    def unassign(self) -> None:
        """UnassignPrivateIpAddresses, by whoever may: the Elastic IP's association goes with the address."""
        self._owned_by(NOBODY)
        self.associated = False
        self._see(NOBODY, associated=False)

    def dissociate(self) -> None:
        """DisassociateAddress, by hand."""
        self.associated = False
        self._see(self.views[-1][1], associated=False)

    @property
    def holder(self) -> int:
        """Whom the packets reach, and whose metadata lists the address (without lag)."""
        return self.views[-1][1]

    def _call_lands(self, director: int, call: Call, answer: Answer, rest: float) -> None:
        self.under_way -= 1
        error = self._refusal(director, call)
        if error is None:
            self._take_effect(director, call)
        self.clock.after(rest, answer, error)

    def _land(self, director: int, call: Call, seconds: float) -> None:
        self.under_way += 1
        self.clock.after(seconds, self._landed, director, call)

    def _landed(self, director: int, call: Call) -> None:
        self.under_way -= 1
        if self._refusal(director, call) is None:
            self._take_effect(director, call)

    def _refusal(self, director: int, call: Call) -> str | None:
        """EC2 associates only with an address that is on the interface."""
        return "InvalidParameterValue" if call is Call.ASSOCIATE and self.owner != director else None

    def _take_effect(self, director: int, call: Call) -> None:
        if self.trace:
            self.trace(f"ec2: {call.value} of director {director} takes effect")
        if call is Call.ASSIGN:
            self.assigned += 1
            self.assign(director)
        elif not self.associated:
            self.associated = True
            self.under_way += 1
            self.clock.after(0.2 + 0.5 * self.chance.random(), self._associated_shows)

    def _owned_by(self, owner: int) -> None:
        self._move += 1
        self.owner = owner
        self.owned_since = self.clock.now
        self.owners.append((self.clock.now, owner))
        if self.trace:
            self.trace(f"ec2: owner is now {_name(owner)}")

    def _taken_off(self, move: int) -> None:
        if move == self._move:
            self._see(NOBODY, associated=False)

    def _moved(self, move: int) -> None:
        self.under_way -= 1
        if move != self._move:
            return
        late = self.associated and self.chance.random() < 0.5
        self._see(self.owner, associated=self.associated and not late)
        if late:  # the address is listed before its Elastic IP is
            self.under_way += 1
            self.clock.after(0.1 + 0.4 * self.chance.random(), self._associated_shows)

    def _associated_shows(self) -> None:
        self.under_way -= 1
        if self.associated and self.holder == self.owner:
            self._see(self.owner, associated=True)

    def _see(self, holder: int, *, associated: bool) -> None:
        self.views.append((self.clock.now, holder, associated))
        if self.trace:
            self.trace(f"ec2: the address is on {_name(holder)}, {'' if associated else 'not '}associated")


def _name(owner: int) -> str:
    return {NOBODY: "nobody", STRANGER: "a stranger's interface"}.get(owner, f"director {owner}")
