"""What the agent decides: each rule by name, then any order of events."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from userdata.director.agent.decision import (
    ASSOCIATION_PATIENCE,
    FORGETTING_LOOKS,
    HOLD_OFF_LIMIT,
    HOLDING_SECONDS,
    RETRY_SECONDS,
    RIVALS,
    SETTLING_PATIENCE,
    SETTLING_SECONDS,
    Action,
    Call,
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

ASSIGN_FIRST = Start(call=Call.ASSIGN, attempt=1)
HERE = Looked(address_here=True, associated=True)
BARE = Looked(address_here=True, associated=False)
GONE = Looked(address_here=False, associated=False)
SILENT = Looked(address_here=None, associated=None)
DONE = Finished(call=Call.ASSIGN, error=None)
REFUSED = Finished(call=Call.ASSIGN, error="UnauthorizedOperation")
MASTER, BACKUP, RIVAL = (Vrrp(state=word) for word in ("MASTER", "BACKUP", "MASTER_RX_LOWER_PRI"))

CLAIMING = State(vrrp="MASTER", phase=Phase.CLAIMING, in_flight=Call.ASSIGN, attempt=1)
SETTLING = State(vrrp="MASTER", phase=Phase.SETTLING, attempt=1)
HOLDING = State(vrrp="MASTER", phase=Phase.HOLDING)
DOUBTING = State(vrrp="MASTER", phase=Phase.DOUBTING, losses=2)


def after(state: State, *events: Event) -> tuple[State, list[Action]]:
    """The state after `events`, and what the last of them asked for besides telling."""
    actions: tuple[Action, ...] = ()
    for event in events:
        state, actions = decide(state, event)
    return state, [action for action in actions if not isinstance(action, Tell)]


@pytest.mark.parametrize(
    ("state", "event", "actions"),
    [
        (State(), MASTER, [ASSIGN_FIRST]),
        (State(), BACKUP, [Look()]),
        (State(), Woke(), [Look()]),
        (State(), GONE, [Wait(seconds=5)]),
        (State(vrrp="BACKUP"), HERE, [Wait(seconds=5)]),
        (CLAIMING, MASTER, []),
        (CLAIMING, RIVAL, []),
        (CLAIMING, BACKUP, [Look()]),
        (CLAIMING, DONE, [Look()]),
        (CLAIMING, GONE, []),
        (CLAIMING, Woke(), []),
        (SETTLING, GONE, [Wait(seconds=SETTLING_SECONDS)]),
        (SETTLING, BARE, [Wait(seconds=SETTLING_SECONDS)]),
        (SETTLING, HERE, [Wait(seconds=1)]),
        (SETTLING, SILENT, [Wait(seconds=1)]),
        (HOLDING, GONE, [ASSIGN_FIRST]),
        (HOLDING, RIVAL, [Look()]),
        (State(), RIVAL, [Look()]),
        (State(vrrp="BACKUP"), RIVAL, [Look()]),
        (SETTLING, RIVAL, [Look()]),
        (DOUBTING, RIVAL, [Look()]),
        (replace(HOLDING, rivals=RIVALS), RIVAL, []),
        (State(vrrp="BACKUP", rivals=RIVALS), RIVAL, [Look()]),
        (DOUBTING, MASTER, [ASSIGN_FIRST]),
        (DOUBTING, Woke(), [Look()]),
        (DOUBTING, GONE, [ASSIGN_FIRST]),
        (DOUBTING, SILENT, [ASSIGN_FIRST]),
        (DOUBTING, HERE, [Wait(seconds=1)]),
        (DOUBTING, BARE, [Wait(seconds=SETTLING_SECONDS)]),
        (DOUBTING, BACKUP, [Look()]),
        (HOLDING, BARE, [Wait(seconds=SETTLING_SECONDS)]),
        (HOLDING, SILENT, [Wait(seconds=1)]),
        (HOLDING, Vrrp(state="FAULT"), [Look()]),
        (HOLDING, Vrrp(state="STOP"), [Look()]),
        (HOLDING, Vrrp(state="MASTER_PRIORITY"), []),
    ],
)
def test_table(state, event, actions):
    assert after(state, event)[1] == actions


def test_the_call_comes_before_the_line_in_the_journal():
    assert decide(State(), MASTER)[1] == (ASSIGN_FIRST, Tell(event="detected"))


def test_retries_wait_longer_with_jitter_and_never_stop():
    state, waits = CLAIMING, []
    for attempt in range(1, 8):
        state, actions = after(state, REFUSED)
        waits += actions
        state, actions = after(state, Woke())
        assert actions == [Start(call=Call.ASSIGN, attempt=attempt + 1)]
    assert waits == [Wait(seconds=seconds, jitter=True) for seconds in (*RETRY_SECONDS, 2.0, 2.0, 2.0)]


def test_metadata_is_looked_at_after_1_3_and_10_seconds_then_every_5():
    state, actions = after(SETTLING, HERE)
    waits = list(actions)
    for _ in range(5):
        state, actions = after(state, HERE)
        waits += actions
    at = [sum(wait.seconds for wait in waits[: count + 1]) for count in range(6)]
    assert at == [1, 3, 10, 15, 20, 25]
    assert HOLDING_SECONDS[-1] == 5


def test_the_association_is_repaired_only_when_it_stays_away():
    state, started = CLAIMING, []
    state, _ = after(state, DONE)
    for _ in range(ASSOCIATION_PATIENCE):
        assert not started
        state, actions = after(state, BARE)
        started = [action for action in actions if isinstance(action, Start)]
    assert [start.call for start in started] == [Call.ASSOCIATE]
    state, actions = after(state, Finished(call=Call.ASSOCIATE, error=None))
    assert actions == [Look()]
    assert after(state, HERE)[0].phase is Phase.HOLDING


def test_a_late_association_needs_no_repair():
    state, actions = after(CLAIMING, DONE, *[BARE] * (ASSOCIATION_PATIENCE - 1), HERE)
    assert state.phase is Phase.HOLDING and actions == [Wait(seconds=1)]


def test_a_refused_association_of_a_lost_address_becomes_a_claim():
    refused = Finished(call=Call.ASSOCIATE, error="InvalidParameterValue")
    state, actions = after(CLAIMING, DONE, *[BARE] * ASSOCIATION_PATIENCE, refused)
    assert [type(action) for action in actions] == [Wait]
    assert after(state, Woke())[1] == [Look()]
    assert after(state, Woke(), GONE)[1] == [ASSIGN_FIRST]


def test_a_claim_that_never_shows_is_repeated():
    _, actions = after(CLAIMING, DONE, *[GONE] * SETTLING_PATIENCE)
    assert actions == [ASSIGN_FIRST]


def test_a_claim_that_ends_after_the_state_changed_is_not_undone():
    state, actions = after(CLAIMING, BACKUP, DONE)
    assert (state.vrrp, state.in_flight, actions) == ("BACKUP", None, [])


def test_master_again_while_a_call_is_in_flight_claims_when_it_ends():
    state, actions = after(CLAIMING, BACKUP, MASTER)
    assert actions == [] and state.in_flight
    state, actions = after(state, DONE)
    assert actions == [ASSIGN_FIRST]
    assert after(state, DONE)[1] == [Look()]


def test_a_rival_during_a_call_is_answered_with_one_more():
    state, actions = after(CLAIMING, RIVAL, RIVAL)
    assert actions == [] and state.in_flight
    state, actions = after(state, DONE)
    assert actions == [Start(call=Call.ASSIGN, attempt=2)]
    assert after(state, DONE)[1] == [Look()]


def test_a_rival_does_not_make_a_failing_claim_call_more_often():
    state, _ = after(CLAIMING, REFUSED)
    state, actions = after(state, RIVAL)
    assert actions == [], "the next attempt is due anyway"
    state, actions = after(state, Woke(), RIVAL, REFUSED)
    assert actions == [Start(call=Call.ASSIGN, attempt=3)], "a call under way when the rival claimed is none after it"
    assert after(state, REFUSED)[1] == [Wait(seconds=RETRY_SECONDS[2], jitter=True)]
    assert after(state, MASTER, REFUSED, REFUSED)[1] == [Wait(seconds=RETRY_SECONDS[0], jitter=True)]


@pytest.mark.parametrize("state", [CLAIMING, replace(CLAIMING, in_flight=None), SETTLING, HOLDING, DOUBTING])
def test_rivals_are_answered_a_few_times_and_not_for_ever(state):
    """Who hears its rival without being heard is told of it every advert interval."""
    for _ in range(RIVALS):
        before = state
        state, _ = after(state, RIVAL)
        assert state != before
    assert decide(state, RIVAL) == (state, ())
    assert after(state, MASTER, RIVAL)[0].rivals == 1


@pytest.mark.parametrize("state", [State(), State(vrrp="BACKUP"), SETTLING, replace(HOLDING, losses=2)])
def test_after_a_rival_an_address_that_is_not_here_is_claimed_at_once(state):
    assert after(state, RIVAL, GONE)[1] == [ASSIGN_FIRST]
    state, actions = after(state, RIVAL, HERE)
    assert (state.phase, state.losses, actions) == (Phase.HOLDING, 0, [Wait(seconds=1)])


def test_a_rival_in_the_hold_off_ends_it():
    state, _ = lose(lose(HOLDING)[0])
    assert state.phase is Phase.DOUBTING
    assert after(state, RIVAL)[1] == [Look()]
    assert after(state, RIVAL, GONE)[1] == [ASSIGN_FIRST]


def lose(state: State) -> tuple[State, list[Action]]:
    """The address is seen here, and then it is gone."""
    state, _ = after(replace(state, phase=Phase.HOLDING, in_flight=None), HERE)
    return after(state, GONE)


@pytest.mark.parametrize(
    ("rank", "seconds"), [(0, [2, 4, 8, 8, 8]), (1, [4, 16, 64, 64]), (2, [8, 64, 300, 300]), (3, [16, 256, 300, 300])]
)
def test_the_first_loss_is_repaired_at_once_and_the_next_ones_later_and_later(rank, seconds):
    state, actions = lose(replace(HOLDING, rank=rank))
    assert actions == [ASSIGN_FIRST]
    waits = []
    for _ in seconds:
        state, actions = lose(state)
        waits += actions
        assert after(state, Woke())[1] == [Look()], "it may have come back"
        assert after(state, Woke(), GONE)[1] == [ASSIGN_FIRST]
    assert waits == [Wait(seconds=wait, jitter=True) for wait in seconds]
    assert max(seconds) <= HOLD_OFF_LIMIT


def test_an_address_that_goes_or_never_comes_while_it_settles_is_lost_too():
    state, actions = after(SETTLING, BARE, GONE)
    assert (state.losses, actions) == (1, [ASSIGN_FIRST])
    state, actions = after(state, DONE, *[GONE] * SETTLING_PATIENCE)
    assert (state.losses, actions) == (2, [Wait(seconds=2, jitter=True)])


@pytest.mark.parametrize("event", [MASTER, RIVAL])
def test_a_loss_that_vrrp_explains_does_not_count(event):
    state, _ = lose(lose(lose(HOLDING)[0])[0])
    assert state.losses == 3
    state, _ = after(state, event)
    assert state.losses == 0
    assert lose(state)[1] == [ASSIGN_FIRST]


def test_a_rival_explains_the_loss_that_a_running_claim_will_see():
    state, _ = after(replace(CLAIMING, losses=2), RIVAL)
    assert after(state, DONE, DONE, *[GONE] * SETTLING_PATIENCE)[1] == [ASSIGN_FIRST]


def test_losses_are_forgotten_after_five_minutes_of_holding():
    state, _ = lose(lose(HOLDING)[0])
    state, _ = after(replace(state, phase=Phase.HOLDING, looks=0), *[HERE] * (FORGETTING_LOOKS - 2))
    assert lose(state)[0].losses == 3
    state, actions = after(replace(state, rivals=RIVALS), HERE, HERE)
    assert (state.losses, state.rivals, actions) == (0, 0, [Wait(seconds=5)])
    assert FORGETTING_LOOKS * HOLDING_SECONDS[-1] >= HOLD_OFF_LIMIT


def test_an_address_that_came_back_during_the_hold_off_is_not_claimed():
    state, _ = lose(lose(HOLDING)[0])
    assert state.phase is Phase.DOUBTING
    state, actions = after(state, Woke(), HERE)
    assert (state.phase, actions) == (Phase.HOLDING, [Wait(seconds=1)])
    assert after(state, HERE)[1] == [Wait(seconds=2)]


@dataclass
class World:
    """EC2, metadata and the agent's loop, as far as decisions see them."""

    state: State = field(default_factory=State)
    here: bool = False
    associated: bool = False
    looking: bool = False
    waiting: bool = False
    calls: int = 0

    def handle(self, event: Event) -> None:
        if isinstance(event, Finished):
            assert self.state.in_flight is event.call
        before = self.state.in_flight
        self.state, actions = decide(self.state, event)
        free = before is None or isinstance(event, Finished)
        starts = [action for action in actions if isinstance(action, Start)]
        assert len(starts) <= (1 if free else 0), "more than one call in flight"
        assert not starts or self.state.master, "a call while not MASTER"
        assert (self.state.in_flight is not None) == bool(starts or not free)
        self.calls += len(starts)
        self.looking = self.looking or Look() in actions
        self.waiting = self.waiting or any(isinstance(action, Wait) for action in actions)

    def step(self) -> None:
        """Let the world answer whatever is outstanding, faithfully."""
        if self.state.in_flight:
            call = self.state.in_flight
            if call is Call.ASSIGN:
                self.here = True
            else:
                self.associated = True
            self.handle(Finished(call=call, error=None))
        elif self.looking:
            self.looking = False
            self.handle(Looked(address_here=self.here, associated=self.here and self.associated))
        else:
            assert self.waiting, "the agent waits for nothing: it is stuck"
            self.waiting = False
            self.handle(Woke())


WORDS = ("MASTER", "BACKUP", "FAULT", "STOP", "MASTER_RX_LOWER_PRI", "DELETED")
STEPS = st.one_of(
    st.sampled_from(WORDS).map(lambda word: Vrrp(state=word)),
    st.sampled_from([None, "RequestLimitExceeded", "ConnectTimeoutError"]),  # the call in flight ends so
    st.sampled_from([HERE, BARE, GONE, SILENT]),
    st.just(Woke()),
    st.just("world"),
)


def play(steps: Sequence[object], rank: int = 0) -> World:
    world = World(state=State(rank=rank))
    world.handle(Woke())
    for step in steps:
        if step == "world":
            world.step()
        elif isinstance(step, Vrrp):
            world.handle(step)
        elif isinstance(step, Woke) and world.waiting:
            world.waiting = False
            world.handle(step)
        elif isinstance(step, Looked) and world.looking:
            world.looking = False
            world.handle(step)
        elif (step is None or isinstance(step, str)) and world.state.in_flight:
            world.handle(Finished(call=world.state.in_flight, error=step))
    return world


@settings(max_examples=500, deadline=None)
@given(
    st.lists(STEPS, max_size=40),
    st.sampled_from(["MASTER", "MASTER_RX_LOWER_PRI"]),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
)
def test_any_order_ends_with_the_address_here_while_master(steps, word, here, associated, rank):
    world = play(steps, rank)
    world.here, world.associated = here, associated  # whatever happened outside meanwhile
    world.handle(Vrrp(state=word))
    for _ in range(200):  # a claim that another one overtook is repeated after its patience
        world.step()
    assert world.here and world.associated and world.state.phase is Phase.HOLDING
    assert world.state.in_flight is None
    calls = world.calls
    for _ in range(20):
        world.step()
    assert world.calls == calls, "a held address is called for again"


@settings(max_examples=500, deadline=None)
@given(st.lists(STEPS, max_size=40), st.sampled_from(["BACKUP", "FAULT", "STOP"]))
def test_any_order_ends_without_calls_while_not_master(steps, word):
    world = play(steps)
    world.handle(Vrrp(state=word))
    calls = world.calls
    for _ in range(40):
        world.step()
    assert world.calls == calls and world.state.in_flight is None


@settings(max_examples=200, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_a_lost_address_comes_back_while_master(steps):
    world = play([*steps, MASTER, *["world"] * 60])
    world.here = False  # another director's late call
    for _ in range(60):
        world.step()
    assert world.here and replace(world.state, looks=0).phase is Phase.HOLDING
