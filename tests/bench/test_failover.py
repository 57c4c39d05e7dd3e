"""The verb around the measurements: what it reads, what it writes, and when it fails. The lab is a stand-in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench import failover
from bench.failover import agents_call, main
from bench.failover_budget import Bounds, NoBaselineError, Run
from bench.failover_causes import CAUSES, Pair
from lab.running import LabError, RunningLab
from lab.status import Machine

RUN = Run(
    system="ours",
    cause="crash",
    number=1,
    outage=2.5,
    failed=0,
    probes=700,
    detect=1.2,
    claim=0.3,
    remap=1.0,
    first_answer=0.05,
    event_to_request=0.003,
    calls=1,
    writes=1,
)


def machine(name: str) -> Machine:
    return Machine(name=name, role="director", instance_id="i-1", interface_id="eni-1", state="running", addresses=())


PAIR = Pair(owner=machine("director-1"), other=machine("director-2"))
Measured = Callable[[str, str, int], Run]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Runs the verb with `measured` in the place of every run; its exit code and its document."""

    @contextmanager
    def nothing(*_: object) -> Iterator[RunningLab]:
        yield None  # type: ignore[misc]

    for name in ("heal", "settle", "settle_original"):
        monkeypatch.setattr(failover, name, lambda _: PAIR)
    for name in ("own_lab", "original"):
        monkeypatch.setattr(failover, name, nothing)
    monkeypatch.setattr(failover, "bounds_of", lambda _: Bounds(detection=1.5, call=0.3, remap=1.0))
    monkeypatch.setitem(CAUSES, "throttled", replace(CAUSES["throttled"], prepare=lambda *_: None))

    def run(measured: Measured, *words: str) -> tuple[int, dict[str, Any]]:
        monkeypatch.setattr(failover, "_run", lambda _, system, cause, number, *__: measured(system, cause, number))
        code = main(["--out", str(tmp_path), *words])
        return code, json.loads((tmp_path / "failover.json").read_text())

    return run


def good(system: str, cause: str, number: int) -> Run:
    outage = {"original": 40.0}.get(system, 0.1 if cause in ("penalty", "stop") else 2.5)
    return replace(RUN, system=system, cause=cause, number=number, outage=outage)


def test_everything_is_measured_as_often_as_asked_for(bench: Any, tmp_path: Path, capsys: Any) -> None:
    code, told = bench(good, "--runs", "5", "--original-runs", "2")
    assert code == 0
    counted = {(each["system"], each["cause"]): each["runs"] for each in told["summaries"]}
    assert counted == {
        **{("ours", cause): 5 for cause in CAUSES},
        **{("original", cause): 2 for cause in ("crash", "fail-back", "stop")},
    }
    assert [each["held"] for each in told["verdicts"]] == [True] * 5
    said = capsys.readouterr().out
    assert "held" in said and "MISSED" not in said and "fail-back" in said
    assert (tmp_path / "failover.svg").read_text().count("<circle") == 5 * len(CAUSES) + 6


def test_a_missed_target_fails(bench: Any, capsys: Any) -> None:
    code, told = bench(lambda *which: replace(good(*which), writes=2), "--runs", "1", "--system", "ours")
    assert code == 1 and [each["held"] for each in told["verdicts"]] == [None, True, None, True, False]
    assert "MISSED" in capsys.readouterr().out


def test_a_run_without_a_baseline_is_made_again_and_not_reported(bench: Any) -> None:
    refusals = iter([True, False, True, False])

    def sometimes(*which: Any) -> Run:
        if next(refusals):
            raise NoBaselineError("nobody was answered")
        return good(*which)

    code, told = bench(sometimes, "--runs", "2", "--causes", "crash", "--system", "ours")
    assert code == 0 and len(told["runs"]) == 2
    assert told["refused"] == ["ours crash 1: nobody was answered", "ours crash 2: nobody was answered"]


def test_no_run_with_a_baseline_fails(bench: Any, capsys: Any) -> None:
    def never(*_: Any) -> Run:
        raise NoBaselineError("nobody was answered")

    code, told = bench(never, "--runs", "1", "--causes", "crash", "--system", "ours")
    assert code == 1 and told["runs"] == [] and told["summaries"] == []
    assert "fewer runs than asked for: ours crash" in capsys.readouterr().out


@pytest.mark.parametrize("end", [KeyboardInterrupt(), LabError("it broke")])
def test_what_was_measured_before_an_interruption_is_kept(bench: Any, end: BaseException) -> None:
    def two(system: str, cause: str, number: int) -> Run:
        if number > 2:
            raise end
        return good(system, cause, number)

    code, told = bench(two, "--causes", "crash", "--system", "ours")
    assert code == 1 and len(told["runs"]) == 2


def test_the_agents_call_is_the_last_claims_first() -> None:
    lines = [
        "Starting lvs-agent.service",
        json.dumps({"event": "detected"}),
        json.dumps({"event": "call", "waited": 0.001, "seconds": 0.5}),
        json.dumps({"event": "detected"}),
        json.dumps({"event": "call", "waited": 0.002, "seconds": 0.304}),
        json.dumps({"event": "claimed", "seconds": 0.3}),
        json.dumps({"event": "call", "waited": 0.002, "seconds": 0.9}),
    ]
    found = agents_call(lines)
    assert found is not None and found.waited + found.seconds == pytest.approx(0.306)
    assert agents_call(lines[:2]) is None
