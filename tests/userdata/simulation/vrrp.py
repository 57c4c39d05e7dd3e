"""Keepalived's VRRP as far as the agent sees it: timers of version 3, unicast adverts, and the lines of the FIFO.

After keepalived.conf(5) and Keepalived's vrrp.c (vrrp_state_backup, vrrp_state_master_rx, vrrp_state_leave_master).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.userdata.simulation.clock import Clock

LATENCY_SECONDS = 0.0004  # of a packet inside one subnet
STARTUP_SECONDS = 2.0  # vrrp_startup_delay
QUIET_SECONDS = 60.0  # of adverts are skipped at a time, while nothing happens
DOWN, BACKUP, MASTER, FAULT = "DOWN", "BACKUP", "MASTER", "FAULT"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all directors' keepalived.conf have in common."""

    interval: float = 0.5
    step: int = 1  # between the priorities, which begin at 254
    preempt: bool = False
    preempt_delay: float = 0.0
    timer_expired_backup: bool = True
    higher_prio_send_advert: bool = True
    patient_backup: bool = True  # a BACKUP whose own timer was late waits once more (versions differ)


class Network:
    """Protocol 112 between the directors: who hears whom, and how well."""

    def __init__(self, clock: Clock, chance: random.Random) -> None:
        self.clock = clock
        self.chance = chance
        self.members: list[Keepalived] = []
        self.cut: dict[tuple[int, int], int] = {}  # (from, to): how many faults cut it
        self.loss = 0.0
        self.delay = 0.0
        self.delayed_until = 0.0  # packets sent while they were delayed may still arrive

    def send(self, sender: "Keepalived", priority: int) -> None:
        after, loss, delay = self.clock.after, self.loss, self.delay
        for member in self.members:
            if member is sender or self.cut.get((sender.index, member.index)):
                continue
            if loss and self.chance.random() < loss:
                continue
            seconds = LATENCY_SECONDS * (0.5 + self.chance.random())
            if delay:
                seconds += delay * self.chance.random()
            after(seconds, member.receive, priority)

    def masters(self) -> "list[Keepalived]":
        return [member for member in self.members if member.state == MASTER]

    def still(self) -> bool:
        """Whether adverts alone are not going to change any state."""
        if self.loss or self.delay or self.clock.now < self.delayed_until:
            return False
        masters = self.masters()
        for member in self.members:
            if member.state not in (BACKUP, MASTER):
                continue
            if member.host_paused:
                return False
            heard = [m for m in masters if m is not member and not self.cut.get((m.index, member.index))]
            if member.state == MASTER and heard:
                return False
            if member.state == BACKUP and not any(m.outranks(member) for m in heard):
                return False
        return True

    def quiet_adverts(self, interval: float) -> int:
        """How many adverts from now on are not worth an event each."""
        if not self.still():
            return 1
        return int(QUIET_SECONDS / interval)

    def disturb(self) -> None:
        """Something is about to happen to VRRP: from now on every advert counts again."""
        for member in self.members:
            member.wake_up()


class Keepalived:
    """One director's. `notify` gets the states it writes to the FIFO."""

    __slots__ = (
        "_deadline",
        "_generation",
        "_heard",
        "_preempting",
        "_timer",
        "host_paused",
        "index",
        "network",
        "notify",
        "on_lo",
        "priority",
        "settings",
        "state",
        "trace",
    )

    def __init__(self, index: int, settings: Settings, network: Network, notify: Callable[[str], None]) -> None:
        self.index = index
        self.priority = 254 - index * settings.step
        self.settings = settings
        self.network = network
        self.notify = notify
        self.state = DOWN
        self.on_lo = False
        self.host_paused = False
        self.trace: Callable[..., None] | None = None
        self._generation = 0  # of timers: those of an earlier one are dead
        self._deadline = 0.0
        self._heard = 0.0  # adverts up to then are skipped, and count as received
        self._timer = False
        self._preempting = 0.0

    @property
    def skew(self) -> float:
        return (256 - self.priority) / 256 * self.settings.interval

    @property
    def down_seconds(self) -> float:
        return 3 * self.settings.interval + self.skew

    def outranks(self, other: "Keepalived") -> bool:
        """Whether its adverts keep the other BACKUP for ever."""
        return not self.settings.preempt or self.priority >= other.priority

    def start(self) -> None:
        """The process starts; whatever an earlier one left on lo is taken off."""
        self.on_lo = False
        self._enter(BACKUP, self.network.clock.now + STARTUP_SECONDS + self.down_seconds)

    def settle(self, state: str) -> None:
        """Put it into `state` without a history, as if it had been so for long."""
        self.state = state
        self.on_lo = state == MASTER
        if state == MASTER:
            self.network.clock.after(0.0, self._advertise, self._generation)
        else:
            self._expect(self.network.clock.now + self.down_seconds)

    def stop(self, *, killed: bool = False) -> None:
        """It ends. If `killed`, it says nothing and leaves the address on lo; systemd writes STOP (ExecStopPost)."""
        if self.state == DOWN:
            return
        if not killed:
            self._leave_master()
        self.state = DOWN
        self._generation += 1
        self.notify("STOP")

    def vanish(self) -> None:
        """The machine is gone."""
        self.state = DOWN
        self.on_lo = False
        self._generation += 1

    def fault(self) -> None:
        """The penalty file says -254."""
        if self.state in (BACKUP, MASTER):
            self._leave_master()
            self._enter(FAULT, 0.0)

    def repair(self) -> None:
        """The penalty file says 0."""
        if self.state == FAULT:
            self._enter(BACKUP, self.network.clock.now + self.down_seconds)

    def resume(self) -> None:
        """The machine runs again after a pause: adverts of the pause are lost, timers are late."""
        now = self.network.clock.now
        if self.state == MASTER:
            self._advertise(self._generation, late=True)
        elif self.state == BACKUP and self._deadline <= now:
            late = now - self._deadline > self.settings.interval
            if late and self.settings.patient_backup:
                self._expect(now + self.down_seconds)
            else:
                self._become_master()

    def receive(self, priority: int) -> None:
        """An advert arrived."""
        if self.host_paused:
            return
        now = self.network.clock.now
        if self.state == BACKUP:
            if priority == 0:
                self._expect(now + self.skew)
            elif not self.settings.preempt or priority >= self.priority:
                self._preempting = 0.0
                self._expect(max(now, self._heard) + self.down_seconds)
            elif self.settings.preempt_delay:
                self._preempting = self._preempting or now + self.settings.preempt_delay
                if now < self._preempting:
                    self._expect(now + self.down_seconds)
        elif self.state == MASTER:
            if priority == 0:
                self.network.send(self, self.priority)
            elif priority < self.priority:
                self.network.send(self, self.priority)
                self.notify("MASTER_RX_LOWER_PRI")
            else:
                if self.settings.higher_prio_send_advert:
                    self.network.send(self, self.priority)
                self.on_lo = False
                self._enter(BACKUP, now + self.down_seconds)

    def _enter(self, state: str, deadline: float) -> None:
        self.state = state
        self._generation += 1
        self._preempting = self._heard = 0.0
        if self.trace:
            self.trace(f"director {self.index}: keepalived {state}")
        self.notify(state)
        if state == BACKUP:
            self._expect(deadline)

    def _leave_master(self) -> None:
        if self.state == MASTER:
            self.network.send(self, 0)
        self.on_lo = False

    def _expect(self, deadline: float) -> None:
        """Set the Master_Down timer. An event that is already on its way finds the later deadline when it comes."""
        earlier = deadline < self._deadline
        self._deadline = deadline
        if earlier or not self._timer:
            self._timer = True
            self.network.clock.after(deadline - self.network.clock.now, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = False
        if self.state != BACKUP:
            return
        if self._deadline > self.network.clock.now + 1e-9:
            self._timer = True
            self.network.clock.after(self._deadline - self.network.clock.now, self._timed_out)
        elif not self.host_paused:
            self._become_master()

    def _become_master(self) -> None:
        self.state = MASTER
        self._generation += 1
        self.on_lo = True
        if self.trace:
            self.trace(f"director {self.index}: keepalived MASTER")
        self._advertise(self._generation)
        self.notify("MASTER")

    def _advertise(self, generation: int, *, late: bool = False) -> None:
        if generation != self._generation or self.host_paused or self.state != MASTER:
            return
        now, interval = self.network.clock.now, self.settings.interval
        if late:
            self._generation += 1
            if self.settings.timer_expired_backup and now - self._deadline > 3 * interval + self.skew:
                self.on_lo = False
                self._enter(BACKUP, now + self.down_seconds)
                return
        self.network.send(self, self.priority)
        adverts = self.network.quiet_adverts(interval)
        gap = adverts * interval
        if adverts > 1:  # skipped adverts would have been heard by all
            for member in self.network.members:
                if member.state == BACKUP and not self.network.cut.get((self.index, member.index)):
                    member.heard_until(now + gap)
        self._deadline = now + gap  # when the next one is due
        self.network.clock.after(gap, self._advertise, self._generation)

    def heard_until(self, when: float) -> None:
        """Adverts up to `when` are taken as received."""
        self._heard = when
        self._expect(max(self._deadline, when + self.down_seconds))

    def wake_up(self) -> None:
        """Skip no more adverts, as a MASTER: the next one is due on the old beat, and earlier ones were heard."""
        now, interval = self.network.clock.now, self.settings.interval
        if self.state != MASTER or self.host_paused or self._deadline - now <= interval:
            return
        rest = (self._deadline - now) % interval
        self._generation += 1
        self._deadline = now + rest
        self.network.clock.after(rest, self._advertise, self._generation)
        for member in self.network.members:
            if member.state == BACKUP and not self.network.cut.get((self.index, member.index)):
                member.heard_last(now + rest - interval)

    def heard_last(self, when: float) -> None:
        """The last advert came at `when`, as a BACKUP that had been told of later ones."""
        self._heard = 0.0
        if when + self.down_seconds < self._deadline:
            self._expect(when + self.down_seconds)
