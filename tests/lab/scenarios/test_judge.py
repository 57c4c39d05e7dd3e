"""The table is sound, and the judge refuses what it must refuse: each fault is put into evidence that holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from tests.lab.scenarios.agreement import DirectorSeen, Seen
from tests.lab.scenarios.judge import Evidence, between, judge
from tests.lab.scenarios.scenario import Scenario, nothing
from tests.lab.scenarios.table import BY_NAME, SCENARIOS

VIRTUAL_IP = "10.0.0.100"
FAULT, ACTED, RETURNED = 100.0, 110.0, 130.0
SCENARIO = Scenario(
    name="one",
    text="one",
    act=nothing,
    next_owner="other",
    outage_seconds=4.0,
    failed=3,
    back_seconds=1.0,
    back_failed=0,
)


def director(name: str, vrrp: str | None, *, owns: bool | None) -> DirectorSeen:
    return DirectorSeen(name=name, answers=True, vrrp=vrrp, lists_address=owns, lists_elastic_ip=owns)


ONE, TWO = director("director-1", "BACKUP", owns=False), director("director-2", "MASTER", owns=True)
DEAD = DirectorSeen(name="director-1", answers=False)
WELL = Seen(
    virtual_ip=VIRTUAL_IP, holders=("director-2",), elastic_ip_at=f"director-2 {VIRTUAL_IP}", directors=(ONE, TWO)
)
AFTER = replace(WELL, directors=(DEAD, TWO))


def probes(*, silent: tuple[float, float] = (101.0, 104.0), failed: tuple[float, ...] = ()) -> dict[str, Any]:
    """One answer every 20 ms from 95 to 131 s, none in `silent`, and requests that failed."""
    times = [95.0 + number * 0.02 for number in range(1800)]
    succeeded = [(at - 0.01, at) for at in times if not silent[0] < at < silent[1]]
    return {"succeeded": succeeded, "failed": [(at, "TimeoutError()") for at in failed]}


EVIDENCE = Evidence(
    owners=("director-2",), fault=FAULT, acted=ACTED, returned=RETURNED, after=AFTER, back=WELL, probes=probes()
)


def told(**changes: Any) -> str:
    return "; ".join(judge(SCENARIO, replace(EVIDENCE, **changes)))


def test_what_is_within_all_bounds_holds() -> None:
    assert judge(SCENARIO, EVIDENCE) == []
    assert judge(SCENARIO, replace(EVIDENCE, probes=probes(failed=(101.0, 101.1, 101.2)))) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"owners": ("director-1",)}, "director-2 owns, not director-1"),
        ({"after": replace(AFTER, holders=())}, "the virtual IP is nobody's"),
        ({"after": replace(AFTER, holders=("director-1", "director-2"))}, "director-1 and director-2's"),
        ({"after": replace(AFTER, holders=("web-1",))}, "web-1's, which is no director"),
        ({"after": replace(AFTER, elastic_ip_at=None)}, "leads to nowhere"),
        ({"after": replace(AFTER, elastic_ip_at="web-1 10.0.0.80")}, "leads to web-1 10.0.0.80"),
        ({"after": replace(WELL, directors=(replace(ONE, vrrp="MASTER"), TWO))}, "does not own and is MASTER"),
        ({"after": replace(WELL, directors=(ONE, replace(TWO, vrrp="BACKUP")))}, "director-2 owns and is BACKUP"),
        ({"after": replace(WELL, directors=(ONE, replace(TWO, lists_address=False)))}, "does not list the virtual IP"),
        ({"after": replace(WELL, directors=(ONE, replace(TWO, lists_address=None)))}, "does not list the virtual IP"),
        ({"after": replace(WELL, directors=(ONE, replace(TWO, lists_elastic_ip=False)))}, "not list the Elastic IP"),
        ({"after": replace(WELL, directors=(replace(ONE, lists_address=True), TWO))}, "list the virtual IP? True"),
        ({"after": replace(AFTER, directors=(DEAD, replace(TWO, answers=False)))}, "director-2 does not answer"),
        ({"probes": probes(silent=(101.0, 105.5))}, "no answer for 4.5"),
        ({"probes": probes(silent=(101.0, 140.0))}, "no answer for 9.0"),
        ({"probes": probes(failed=(101.0, 101.1, 101.2, 101.3))}, "4 requests failed, allowed are 3"),
        ({"probes": probes(silent=(95.0, 100.0))}, "nothing was measured"),
        ({"probes": probes(failed=(98.0,))}, "nothing was measured"),
        ({"probes": {"succeeded": [], "failed": []}}, "nothing was measured"),
        ({"probes": probes(silent=(115.0, 117.0))}, "back: no answer for 2.0"),
        ({"probes": probes(failed=(115.0,))}, "back: 1 requests failed, allowed are 0"),
        ({"back": AFTER}, "back: director-1 does not answer"),
        ({"back": replace(WELL, ill=("web-1",))}, "back: web-1 is not healthy"),
        ({"back": replace(WELL, directors=(replace(ONE, vrrp="FAULT"), TWO))}, "director-1 does not own and is FAULT"),
        ({"back": replace(WELL, holders=("director-1",))}, "back: the owner changed from director-2 to director-1"),
        ({"restless": ("10.0.0.100 is director-1's",)}, "while nothing was done: 10.0.0.100"),
    ],
)
def test_what_it_refuses(changes: dict[str, Any], said: str) -> None:
    assert said in told(**changes)


def test_a_director_that_may_take_the_address_back() -> None:
    one, two = director("director-1", "MASTER", owns=True), director("director-2", "BACKUP", owns=False)
    back = Seen(
        virtual_ip=VIRTUAL_IP, holders=("director-1",), elastic_ip_at=f"director-1 {VIRTUAL_IP}", directors=(one, two)
    )
    assert judge(replace(SCENARIO, back_stays=False), replace(EVIDENCE, back=back)) == []
    assert judge(SCENARIO, replace(EVIDENCE, back=back)) != []


def test_no_bound_on_requests_where_being_down_is_the_point() -> None:
    many = replace(EVIDENCE, probes=probes(failed=tuple(101 + n / 100 for n in range(200))))
    assert judge(replace(SCENARIO, failed=None), many) == []
    assert judge(SCENARIO, many) != []


def test_an_outage_that_lasts_until_the_end_is_seen() -> None:
    seen = between({"succeeded": [(9.9, 10.0)], "failed": []}, 11.0, 15.0)
    assert (seen.began, seen.seconds) == (10.0, 5.0)


def test_failures_belong_to_the_span_they_began_in_or_a_second_before() -> None:
    some = probes(failed=(108.5, 109.5, 120.0))
    assert [between(some, *span).failed for span in ((FAULT, ACTED), (ACTED, RETURNED))] == [1, 2]


def test_the_table() -> None:
    assert len(SCENARIOS) >= 35 and len(BY_NAME) == len(SCENARIOS)
    assert sum(each.core for each in SCENARIOS) == 8
    assert Counter(each.core for each in SCENARIOS[:8])[True] == 8
    for each in SCENARIOS:
        assert each.outage_seconds > 0 and each.back_seconds > 0, each.name
        # Who may be away for long must not be: a bound is at most the time given to the end state to come about.
        assert each.outage_seconds <= 2 * each.patience_seconds, each.name
