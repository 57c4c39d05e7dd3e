"""Where a failover's time went, and whether the targets hold: on made-up observations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.failover_budget import (
    AgentsCall,
    Bounds,
    NoBaselineError,
    Run,
    detection_bound,
    document,
    percentile,
    split,
    summaries,
    verdicts,
)
from bench.plot import panels
from bench.timeline import timeline

FAULT, OWN, OTHER, VIRTUAL_IP = 1000.0, "eni-1", "eni-2", "10.0.0.100"
BOUNDS = Bounds(detection=1.5, call=0.3, remap=1.0)


def probes(*, until: float, after: float, failed: tuple[float, ...] = ()) -> dict[str, Any]:
    """One every 20 ms, answered within 5 ms, from 5 s before the fault to 8 s after `after`, but for a gap."""
    began = [FAULT - 5 + 0.02 * n for n in range(int((after - FAULT + 13) / 0.02))]
    good = [(at, at + 0.005) for at in began if at < until or at >= after]
    return {"succeeded": good, "failed": [(at, "TimeoutError()") for at in failed]}


def call(
    action: str, received: float, *, status: int = 200, interface: str = OTHER, dry: bool = False
) -> dict[str, Any]:
    return {
        "action": action,
        "received": received,
        "answered": received + 0.3,
        "interface": interface,
        "status": status,
        "dry_run": dry,
    }


def move(at: float, interface: str, public: str | None = "203.0.113.7", address: str = VIRTUAL_IP) -> dict[str, Any]:
    return {"at": at, "address": address, "interface": interface, "public": public}


def observed(**changes: Any) -> Run:
    seen: dict[str, Any] = {
        "probes": probes(until=FAULT, after=FAULT + 2.9),
        "journal": {
            "calls": [call("AssignPrivateIpAddresses", FAULT + 1.4)],
            "moves": [move(FAULT + 2.75, OTHER)],
        },
    }
    fixed = {"system": "ours", "cause": "crash", "number": 1, "virtual_ip": VIRTUAL_IP, "interface": OTHER}
    return split(fault=FAULT, **fixed, **(seen | changes))


def test_the_phases_add_up_to_the_outage() -> None:
    run = observed()
    assert run.outage == pytest.approx(2.925, abs=0.021)
    assert (run.detect, run.claim, run.remap) == (pytest.approx(1.4), pytest.approx(0.3), pytest.approx(1.05))
    assert run.first_answer == pytest.approx(0.155, abs=0.021)
    assert sum((run.detect, run.claim, run.remap, run.first_answer)) == pytest.approx(run.outage, abs=0.03)
    assert (run.calls, run.writes, run.failed) == (1, 1, 0)


def test_from_event_to_request_is_what_the_agent_saw_less_what_the_api_took() -> None:
    assert observed().event_to_request is None
    run = observed(agents_call=AgentsCall(waited=0.004, seconds=0.308))
    assert (run.event_to_request, run.waited) == (pytest.approx(0.012), 0.004)


def test_a_rehearsal_a_read_and_another_directors_call_are_no_claim() -> None:
    calls = [
        call("DescribeInstances", FAULT + 0.1, interface=OTHER),
        call("AssociateAddress", FAULT + 0.2, status=412, dry=True),
        call("AssignPrivateIpAddresses", FAULT + 0.3, interface=OWN),
        call("AssignPrivateIpAddresses", FAULT + 1.4),
    ]
    run = observed(journal={"calls": calls, "moves": [move(FAULT + 2.75, OTHER)]})
    assert run.detect == pytest.approx(1.4)
    assert (run.calls, run.writes) == (2, 2)


def test_a_throttled_call_is_the_claims_beginning_and_no_write() -> None:
    calls = [
        call("AssignPrivateIpAddresses", FAULT + 1.4, status=503),
        call("AssignPrivateIpAddresses", FAULT + 2.0),
    ]
    run = observed(journal={"calls": calls, "moves": [move(FAULT + 2.75, OTHER)]})
    assert (run.detect, run.claim) == (pytest.approx(1.4), pytest.approx(0.9))
    assert (run.calls, run.writes) == (2, 1)


def test_a_move_counts_when_the_public_address_is_there_too() -> None:
    moves = [
        move(FAULT + 2.0, OTHER, public=None),
        move(FAULT + 2.75, OTHER),
        move(FAULT + 2.8, OWN, address="10.0.0.9"),
    ]
    calls = [call("AssignPrivateIpAddresses", FAULT + 1.4)]
    assert observed(journal={"calls": calls, "moves": moves}).remap == pytest.approx(1.05)
    moves = [move(FAULT + 2.0, OTHER), move(FAULT + 2.75, OTHER), move(FAULT + 2.8, OTHER, public=None)]
    assert observed(journal={"calls": calls, "moves": moves}).remap == pytest.approx(1.05)


def test_a_switch_without_an_outage_is_answered_at_once() -> None:
    seen = probes(until=FAULT, after=FAULT)
    # A hiccup afterwards is no part of it.
    seen["succeeded"] = [each for each in seen["succeeded"] if not FAULT + 4.0 < each[0] < FAULT + 4.3]
    run = observed(probes=seen)
    assert run.outage == pytest.approx(0.31, abs=0.03)
    assert run.first_answer is not None and run.first_answer < 0.03


def test_an_outage_that_begins_with_the_move_is_the_moves() -> None:
    run = observed(probes=probes(until=FAULT + 2.8, after=FAULT + 7))
    assert (run.outage, run.first_answer) == (pytest.approx(4.2, abs=0.05), pytest.approx(4.255, abs=0.05))


def test_an_interruption_before_the_fault_is_not_the_faults() -> None:
    seen = probes(until=FAULT, after=FAULT + 2.9)
    seen["succeeded"] = [each for each in seen["succeeded"] if not FAULT - 4.9 < each[0] < FAULT - 3.2]
    long_ago = [(at - 10, end - 10) for at, end in seen["succeeded"][:2]]
    seen["succeeded"] = long_ago + seen["succeeded"]
    seen["failed"] = [(FAULT - 4.0, "why"), (FAULT + 0.5, "why")]
    run = observed(probes=seen)
    assert run.outage == pytest.approx(2.925, abs=0.021) and run.failed == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: [],
        lambda good: [each for each in good if each[0] > FAULT],
        lambda good: [each for number, each in enumerate(good) if number % 3 == 0 or each[0] > FAULT],
    ],
    ids=["nothing", "nothing before", "a third before"],
)
def test_without_a_baseline_nothing_is_reported(spoil: Callable[[Any], Any]) -> None:
    seen = probes(until=FAULT, after=FAULT + 2.9)
    with pytest.raises(NoBaselineError, match="answered"):
        observed(probes={**seen, "succeeded": spoil(seen["succeeded"])})


def test_a_failure_before_the_fault_spoils_the_baseline_and_one_by_the_fault_does_not() -> None:
    seen = probes(until=FAULT, after=FAULT + 2.9)
    with pytest.raises(NoBaselineError, match="1 failed"):
        observed(probes={**seen, "failed": [(FAULT - 2, "TimeoutError()")]})
    # It was under way when the fault came.
    assert observed(probes={**seen, "failed": [(FAULT - 0.1, "TimeoutError()")]}).failed == 1


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(10, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile(values, 1.0)) == (5, 10, 10)
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([float(n) for n in range(1, 101)], 0.95) == 95
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_detection_is_bound_by_three_intervals_and_the_skew() -> None:
    assert detection_bound(interval=0.5, priority=253) == pytest.approx(1.505859375)
    assert detection_bound(interval=1.0, priority=90) == pytest.approx(3.6484375)


def runs_of(system: str, cause: str, outages: list[float], **fields: Any) -> list[Run]:
    fields = {"failed": 0, "probes": 500, "writes": 1, "calls": 1, **fields}
    return [Run(system=system, cause=cause, number=n, outage=each, **fields) for n, each in enumerate(outages, 1)]


PHASES = {"detect": 1.3, "claim": 0.3, "remap": 1.0, "first_answer": 0.1}
GOOD = [
    *runs_of(
        "ours", "crash", [2.5, 2.7, 2.9], event_to_request=0.004, detect=1.3, claim=0.3, remap=1.0, first_answer=0.1
    ),
    *runs_of("ours", "penalty", [0.1] * 5),
    *runs_of("ours", "stop", [0.1] * 5),
    *runs_of("original", "crash", [30.0, 40.0, 50.0], writes=2),
]


def test_what_is_good_holds() -> None:
    assert [each.held for each in verdicts(GOOD, BOUNDS)] == [True] * 5
    assert "2.70 s against 40.00 s" in verdicts(GOOD, BOUNDS)[0].found


@pytest.mark.parametrize(
    ("number", "worse"),
    [
        (0, runs_of("original", "crash", [6.0] * 5, writes=2)),
        (1, runs_of("ours", "crash", [3.7] * 5)),
        (2, runs_of("ours", "stop", [0.1], failed=1)),
        (3, runs_of("ours", "hang", [2.0], event_to_request=0.021)),
        (4, runs_of("ours", "hang", [2.0], writes=2)),
        (4, runs_of("ours", "hang", [2.0], writes=0)),
    ],
)
def test_each_target_can_be_missed_alone(number: int, worse: list[Run]) -> None:
    found = [each.held for each in verdicts(GOOD + worse, BOUNDS)]
    assert found == [index != number for index in range(5)]


def test_what_was_not_measured_is_not_judged() -> None:
    assert [each.held for each in verdicts([], BOUNDS)] == [None] * 5
    few = [run for run in GOOD if run.cause != "stop" and run.system == "ours"]
    assert [each.held for each in verdicts(few, BOUNDS)] == [None, True, None, True, True]


def test_summaries_keep_systems_and_causes_apart() -> None:
    found = {(each.system, each.cause): each for each in summaries(GOOD)}
    assert list(found) == [("ours", "crash"), ("ours", "penalty"), ("ours", "stop"), ("original", "crash")]
    crash = found["ours", "crash"]
    assert (crash.runs, crash.p50, crash.p95, crash.max) == (3, 2.7, 2.9, 2.9)
    assert crash.phases == PHASES
    assert found["original", "crash"].phases["detect"] is None
    assert {"summaries", "verdicts", "runs", "refused"} == set(document(GOOD, verdicts(GOOD, BOUNDS), refused=[]))


def test_the_timeline_shows_every_phase_and_every_run() -> None:
    drawn = ElementTree.fromstring(panels([timeline("Failovers <now>", GOOD[:13])]))
    svg = "{http://www.w3.org/2000/svg}"
    assert len(drawn.findall(f".//{svg}circle")) == 13
    bars = {(each.text or "").split()[0]: each for each in drawn.findall(f".//{svg}title")}
    assert set(bars) == {"detect", "claim", "remap", "first_answer"}
    widths = [float(each.get("width", "0")) for each in drawn.findall(f".//{svg}rect") if list(each)][:4]
    assert widths[0] / widths[1] == pytest.approx(1.3 / 0.3, rel=0.02)
    assert timeline("one", [replace(GOOD[0], system="original")]).count("original: crash") == 1
