"""What the agent does when something happens: a pure state machine without I/O and without a clock.

Rules (Keepalived's events come in bursts, EC2's remapping is asynchronous, the last AssignPrivateIpAddresses wins):
the newest VRRP state wins; while MASTER the virtual IP is claimed until instance metadata lists it, and claimed again
when it is gone; while anything else nothing is called and nothing undone; at most one call is in flight.
Two MASTERs that cannot hear each other take the address from each other: who loses it again soon waits before it claims
again, each time longer, and the longer the lower its priority, so that the address comes to rest at the highest.
"""

from dataclasses import dataclass, replace
from enum import Enum

RETRY_SECONDS = (0.2, 0.5, 1.0, 2.0)
# How soon instance metadata is asked again: until the address is listed, then after it was, then for ever.
SETTLING_SECONDS = 0.15
HOLDING_SECONDS = (1.0, 2.0, 7.0, 5.0)  # that is at +1, +3 and +10 s, then every 5 s
# The address may be listed before its Elastic IP is: so many looks are granted before the association is repaired.
ASSOCIATION_PATIENCE = 6
# After about 10 s of looking the claim is taken for lost.
SETTLING_PATIENCE = 66
# The first loss is repaired at once. Before the next ones are, the highest director waits 2, 4 and then always 8 s, the
# second 4, 16 and 64 s, the third 8, 64 and 300 s: whoever is higher stays the owner longer, and at last for good.
HOLD_OFF_LIMIT = 300
# So many rivals are answered at once: who is not heard by its rival is told of it every advert interval.
RIVALS = 3
# So many looks without a loss, about five minutes, and earlier losses and rivals are forgotten.
FORGETTING_LOOKS = 60


class Phase(Enum):
    """Where a claim stands."""

    IDLE = "idle"  # not MASTER
    CLAIMING = "claiming"  # a call is in flight or about to be repeated
    SETTLING = "settling"  # EC2 said yes, instance metadata does not show it yet
    HOLDING = "holding"  # instance metadata shows the virtual IP and its Elastic IP
    DOUBTING = "doubting"  # it may be elsewhere: claimed unless the next look shows it


class Call(Enum):
    """The two calls that move something, by their EC2 names."""

    ASSIGN = "AssignPrivateIpAddresses"
    ASSOCIATE = "AssociateAddress"


@dataclass(frozen=True, kw_only=True)
class Vrrp:
    """Keepalived wrote a state to its FIFO, or the state was learnt at start."""

    state: str


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The call in flight ended; `error` is EC2's code or an exception's name, None for success."""

    call: Call
    error: str | None


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What instance metadata said; None where it did not answer."""

    address_here: bool | None
    associated: bool | None


@dataclass(frozen=True, kw_only=True)
class Woke:
    """The wait that `Wait` asked for is over."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """Action: make this call. `attempt` counts from 1 within one claim."""

    call: Call
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Look:
    """Action: read instance metadata and answer with `Looked`."""


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Action: send `Woke` after so many seconds (spread by chance if `jitter`); replaces an earlier wait."""

    seconds: float
    jitter: bool = False


@dataclass(frozen=True, kw_only=True)
class Tell:
    """Action: write a line about the claim to the journal."""

    event: str
    error: str | None = None


Event = Vrrp | Finished | Looked | Woke
Action = Start | Look | Wait | Tell


@dataclass(frozen=True, kw_only=True)
class State:
    """All that is remembered between events. `again`: one more call is due as soon as the one in flight ends.

    `rank` counts the directors of higher priority, `losses` those of the address that no VRRP event explains, `rivals`
    the directors heard as MASTER too.
    """

    vrrp: str = "INIT"
    phase: Phase = Phase.IDLE
    in_flight: Call | None = None
    again: bool = False
    attempt: int = 0
    looks: int = 0
    bare_looks: int = 0
    losses: int = 0
    rivals: int = 0
    rank: int = 0

    @property
    def master(self) -> bool:
        """Whether the virtual IP is to be here."""
        return self.vrrp == "MASTER"


Decision = tuple[State, tuple[Action, ...]]


def decide(state: State, event: Event) -> Decision:
    """The state after `event`, and what is to be done about it, in order."""
    if isinstance(event, Vrrp):
        return _on_vrrp(state, event.state)
    if isinstance(event, Finished):
        return _on_finished(replace(state, in_flight=None), event)
    if isinstance(event, Looked):
        return _on_looked(state, event)
    return _on_woke(state)


def _on_vrrp(state: State, word: str) -> Decision:
    if word == "MASTER":
        return _claim(replace(state, vrrp=word, losses=0, rivals=0), "detected")
    if word == "MASTER_RX_LOWER_PRI":
        return _on_rival(state)
    if word not in ("BACKUP", "FAULT", "STOP"):
        return state, ()
    vrrp = "INIT" if word == "STOP" else word
    # A call in flight is left to finish and never undone: whoever is MASTER now claims after it.
    told = Tell(event="released" if state.master else "state")
    return replace(state, vrrp=vrrp, phase=Phase.IDLE, again=False, attempt=0), (told, Look())


def _on_rival(state: State) -> Decision:
    """Another director was MASTER too, and may have claimed: even after a call that is in flight."""
    if state.master and state.rivals >= RIVALS:
        return state, ()
    state = replace(state, losses=0, rivals=state.rivals + 1)  # here is what explains a loss
    if state.master and state.phase is Phase.CLAIMING:
        # One more call after the one in flight, or the one that is due: a new claim would forget the failures so far.
        return replace(state, again=True), ()
    return replace(state, vrrp="MASTER", phase=Phase.DOUBTING), (Look(),)


def _lost(state: State) -> Decision:
    losses = state.losses + 1
    state = replace(state, losses=losses)
    if losses == 1:
        return _claim(state, "lost")
    seconds = min((2 << state.rank) ** min(losses - 1, 3), HOLD_OFF_LIMIT)
    return replace(state, phase=Phase.DOUBTING), (Wait(seconds=seconds, jitter=True), Tell(event="contested"))


def _claim(state: State, why: str) -> Decision:
    state = replace(state, phase=Phase.CLAIMING, attempt=0, looks=0, bare_looks=0)
    if state.in_flight:
        return replace(state, again=True), (Tell(event=why),)
    state, actions = _start(state, Call.ASSIGN)
    return state, (*actions, Tell(event=why))  # the call first: a line in the journal can wait


def _start(state: State, call: Call) -> Decision:
    attempt = state.attempt + 1
    state = replace(state, phase=Phase.CLAIMING, in_flight=call, again=False, attempt=attempt)
    return state, (Start(call=call, attempt=attempt),)


def _on_finished(state: State, event: Finished) -> Decision:
    if not state.master:
        return state, (Tell(event="finished-late", error=event.error),)
    if state.again:
        return _start(state, Call.ASSIGN)
    if event.error is None:
        told = "claimed" if event.call is Call.ASSIGN else "associated"
        return replace(state, phase=Phase.SETTLING, looks=0, bare_looks=0), (Look(), Tell(event=told))
    delay = RETRY_SECONDS[min(state.attempt, len(RETRY_SECONDS)) - 1]
    # A refused association is looked at afresh: most often the address is not on the interface (any more).
    phase = Phase.CLAIMING if event.call is Call.ASSIGN else Phase.SETTLING
    return replace(state, phase=phase), (Wait(seconds=delay, jitter=True), Tell(event="failed", error=event.error))


def _on_woke(state: State) -> Decision:
    if state.master and state.phase is Phase.CLAIMING:
        return (state, ()) if state.in_flight else _start(state, Call.ASSIGN)
    return state, (Look(),)


def _on_looked(state: State, seen: Looked) -> Decision:
    if state.phase is Phase.CLAIMING:  # asked before the claim began: it says nothing about it
        return state, ()
    if state.phase is Phase.IDLE:
        return state, (Wait(seconds=HOLDING_SECONDS[-1]),)
    if state.phase is Phase.DOUBTING:
        if not seen.address_here:
            return _claim(state, "lost")
        state = replace(state, phase=Phase.HOLDING, looks=-1, bare_looks=0)
    if seen.address_here is None:  # silence is no evidence of a loss
        return state, (Wait(seconds=HOLDING_SECONDS[0]),)
    looks = state.looks + 1
    if state.phase is Phase.SETTLING:
        return _while_settling(replace(state, looks=looks), seen)
    if not seen.address_here:
        return _lost(state)
    if not seen.associated:
        settling = replace(state, phase=Phase.SETTLING, looks=0, bare_looks=1, attempt=0)
        return settling, (Wait(seconds=SETTLING_SECONDS), Tell(event="dissociated"))
    actions: tuple[Action, ...] = (Wait(seconds=HOLDING_SECONDS[min(looks, len(HOLDING_SECONDS) - 1)]),)
    state = replace(state, looks=looks)
    if looks >= FORGETTING_LOOKS:
        state = replace(state, losses=0, rivals=0)
    return state, (*actions, Tell(event="verified")) if looks == 1 else actions


def _while_settling(state: State, seen: Looked) -> Decision:
    if not seen.address_here:
        if state.bare_looks or state.looks >= SETTLING_PATIENCE:  # it was listed before, or never comes
            return _lost(state)
        return state, (Wait(seconds=SETTLING_SECONDS),)
    if not seen.associated:
        state = replace(state, bare_looks=state.bare_looks + 1)
        if state.bare_looks >= ASSOCIATION_PATIENCE:
            return _start(state, Call.ASSOCIATE)
        return state, (Wait(seconds=SETTLING_SECONDS),)
    holding = replace(state, phase=Phase.HOLDING, looks=0, bare_looks=0, attempt=0)
    return holding, (Wait(seconds=HOLDING_SECONDS[0]), Tell(event="visible"))
