"""Known bugs, put back into the decisions one at a time: the simulator has to find each.

Most were seen in other projects or in an earlier version of this agent; each is `decide` with one rule changed.
"""

from dataclasses import replace

from tests.userdata.simulation.director import Decide, Unassign
from tests.userdata.simulation.metadata import GONE
from userdata.director.agent.decision import (
    Call,
    Decision,
    Event,
    Finished,
    Look,
    Looked,
    Phase,
    Start,
    State,
    Vrrp,
    Wait,
    Woke,
    decide,
)

RIVAL = "MASTER_RX_LOWER_PRI"


def _calling(state: State, call: Call = Call.ASSIGN) -> Decision:
    """Call now, whatever else is the case."""
    attempt = state.attempt + 1
    state = replace(state, phase=Phase.CLAIMING, in_flight=call, attempt=attempt)
    return state, (Start(call=call, attempt=attempt),)


def _late_claim_is_believed(state: State, event: Event) -> Decision:
    """A call that ends after mastership was lost counts: the address is watched, and claimed again when it goes."""
    if isinstance(event, Finished) and not state.master and event.error is None:
        return replace(state, in_flight=None, phase=Phase.SETTLING, looks=0, bare_looks=0), (Look(),)
    return decide(state, event)


def _late_claim_is_undone(state: State, event: Event) -> Decision:
    """A call that ends after mastership was lost is taken back: by then the address may be the new MASTER's."""
    if isinstance(event, Finished) and not state.master and event.error is None:
        return replace(state, in_flight=None), (Unassign(),)
    return decide(state, event)


def _rival_is_ignored(state: State, event: Event) -> Decision:
    if isinstance(event, Vrrp) and event.state == RIVAL and state.master:
        return state, ()
    return decide(state, event)


def _rival_is_always_answered_with_a_call(state: State, event: Event) -> Decision:
    """Each of them, and that is one an advert interval where the rival does not hear this director."""
    if isinstance(event, Vrrp) and event.state == RIVAL:
        return decide(state, Vrrp(state="MASTER"))
    return decide(state, event)


def _backup_unassigns(state: State, event: Event) -> Decision:
    after, actions = decide(state, event)
    if isinstance(event, Vrrp) and event.state == "BACKUP" and state.master:
        return after, (Unassign(), *actions)
    return after, actions


def _masters_reassert_blindly(state: State, event: Event) -> Decision:
    """Instead of a look, a call."""
    if isinstance(event, Woke) and state.phase is Phase.HOLDING:
        return _calling(state)
    return decide(state, event)


def _success_is_not_verified(state: State, event: Event) -> Decision:
    """EC2 said yes: that is that."""
    if isinstance(event, Finished) and state.master and event.error is None:
        return replace(state, in_flight=None, again=False, phase=Phase.HOLDING, attempt=0), (Wait(seconds=5.0),)
    if isinstance(event, Looked) and state.phase is Phase.HOLDING:
        return state, (Wait(seconds=5.0),)
    return decide(state, event)


def _gives_up_after_five_failures(state: State, event: Event) -> Decision:
    if isinstance(event, Finished) and state.master and event.error and state.attempt >= 5:
        return replace(state, in_flight=None, phase=Phase.IDLE), (Wait(seconds=5.0),)
    return decide(state, event)


def _two_calls_in_flight(state: State, event: Event) -> Decision:
    if isinstance(event, Vrrp) and event.state == "MASTER" and state.in_flight:
        return _calling(replace(state, vrrp="MASTER", attempt=0))
    return decide(state, event)


def _silence_is_loss(state: State, event: Event) -> Decision:
    if isinstance(event, Looked) and event.address_here is None:
        return decide(state, GONE)
    return decide(state, event)


def _association_is_repaired_at_once(state: State, event: Event) -> Decision:
    if isinstance(event, Looked) and state.phase is Phase.SETTLING and event.address_here and not event.associated:
        return _calling(state, Call.ASSOCIATE)
    return decide(state, event)


def _association_is_never_repaired(state: State, event: Event) -> Decision:
    if isinstance(event, Looked) and event.address_here:
        return decide(state, Looked(address_here=True, associated=True))
    return decide(state, event)


def _association_is_made_anew_now_and_then(state: State, event: Event) -> Decision:
    """Each time costs money (EC2 API reference, AssociateAddress)."""
    if isinstance(event, Woke) and state.phase is Phase.HOLDING:
        return _calling(state, Call.ASSOCIATE)
    return decide(state, event)


def _silence_ends_the_looking(state: State, event: Event) -> Decision:
    if isinstance(event, Looked) and event.address_here is None and state.phase is Phase.HOLDING:
        return state, ()
    return decide(state, event)


def _loss_is_always_repaired_at_once(state: State, event: Event) -> Decision:
    """No hold-off: two MASTERs that do not hear each other take the address from each other for ever."""
    return decide(replace(state, losses=0), event)


def _rank_is_unknown(state: State, event: Event) -> Decision:
    """All hold off alike."""
    after, actions = decide(replace(state, rank=0), event)
    return replace(after, rank=state.rank), actions


def _loss_is_not_repaired(state: State, event: Event) -> Decision:
    if isinstance(event, Looked) and state.phase is Phase.HOLDING and event.address_here is False:
        return state, (Wait(seconds=5.0),)
    return decide(state, event)


def _failure_is_repeated_without_a_pause(state: State, event: Event) -> Decision:
    if isinstance(event, Finished) and state.master and event.error:
        return _calling(state, event.call)
    return decide(state, event)


def _unlisted_is_claimed_again_at_once(state: State, event: Event) -> Decision:
    """Remapping is taken for done when EC2 has answered."""
    if isinstance(event, Looked) and state.phase is Phase.SETTLING and event.address_here is False:
        return _calling(state)
    return decide(state, event)


def _restart_forgets(state: State, event: Event) -> Decision:
    """An agent that starts beside a Keepalived that has been MASTER for long waits to be told."""
    if isinstance(event, Vrrp) and event.state == RIVAL and state == State(rank=state.rank):
        return state, (Look(),)
    return decide(state, event)


def _older_call_counts_for_a_new_master(state: State, event: Event) -> Decision:
    """MASTER again while an earlier call is in flight: another director may have claimed after that one."""
    after, actions = decide(state, event)
    return replace(after, again=False, attempt=max(after.attempt, 1 if after.in_flight else 0)), actions


MUTANTS: dict[str, Decide] = {
    function.__name__.lstrip("_").replace("_", "-"): function
    for function in (
        _late_claim_is_believed,
        _late_claim_is_undone,
        _rival_is_ignored,
        _rival_is_always_answered_with_a_call,
        _backup_unassigns,
        _masters_reassert_blindly,
        _success_is_not_verified,
        _gives_up_after_five_failures,
        _two_calls_in_flight,
        _silence_is_loss,
        _association_is_repaired_at_once,
        _association_is_never_repaired,
        _association_is_made_anew_now_and_then,
        _silence_ends_the_looking,
        _loss_is_always_repaired_at_once,
        _rank_is_unknown,
        _loss_is_not_repaired,
        _failure_is_repeated_without_a_pause,
        _unlisted_is_claimed_again_at_once,
        _restart_forgets,
        _older_call_counts_for_a_new_master,
    )
}
