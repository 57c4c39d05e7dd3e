"""The lab's engine against the real one on this program's own scenario; and that the comparison can fail."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.engine.events import Step
from lab.stack import real_cli
from tests.lab.stack.scenario import (
    SCENARIO,
    Command,
    Ours,
    by_the_cli,
    by_the_engine,
    compare,
    told,
    without_chance,
)

NOT_COMPARED = (
    "the lab's engine was NOT compared with the real one: there is no `pulumi` on PATH. Install the Pulumi CLI "
    "(pulumi.com/docs/install), then: .venv/bin/python -m pytest -m real_cli"
)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> list[Ours]:
    return by_the_engine(tmp_path_factory.mktemp("engine"))


@pytest.mark.real_cli
@pytest.mark.timeout(1800)
@pytest.mark.skipif(real_cli.find() is None, reason=NOT_COMPARED)
def test_the_engine_does_what_the_real_one_does_with_this_program(ours: list[Ours], tmp_path: Path) -> None:
    executable = real_cli.find()
    assert executable is not None
    for command, real, own in zip(SCENARIO, by_the_cli(executable, tmp_path), ours, strict=True):
        compare(real, own, command)


@pytest.mark.cloud
def test_the_scenario_is_what_it_says(ours: list[Ours]) -> None:
    """Each command does what its name promises: else the comparison would compare nothing."""
    did = {command.name: own for command, own in zip(SCENARIO, ours, strict=True)}
    ops = {name: Counter(step.op for step in own.steps) for name, own in did.items()}
    assert {own.exit_code for name, own in did.items() if "not expected" not in name} == {0}
    assert did["preview of changes that were not expected"].exit_code == 7
    assert ops["first up"].keys() == {"create"}
    assert ops["second up is empty"].keys() == {"same"}
    assert ops["an update"].keys() == {"same", "update"}
    replaced = [step.urn for step in did["a director is replaced"].steps if step.op == "replace"]
    assert [urn.rpartition("::")[2] for urn in replaced if "aws:ec2/instance:Instance" in urn] == ["director-2"]
    assert [step.op for step in did["refresh after a change by hand"].steps if step.urn.endswith("::vpc")] == ["update"]
    assert ops["up puts it right"]["update"] == 1
    assert ops["destroy"].keys() == {"delete"} and did["destroy"].outputs == {}


# A `pulumi` that answers what was recorded: one file of printed lines, exit code and outputs for every verb's turn.
FAKE = """#!{python}
import json, pathlib, sys
here = pathlib.Path({here!r})
words = sys.argv[1:]
if words[0] == "plugin" or words[:2] == ["stack", "select"]:
    sys.exit(0)
if words[:2] == ["stack", "output"]:
    print((here / "outputs").read_text())
    sys.exit(0)
turn = len(list(here.glob("asked-*")))
(here / f"asked-{{turn}}").write_text(" ".join(words))
recorded = json.loads((here / f"{{turn}}.json").read_text())
(here / "outputs").write_text(json.dumps(recorded["outputs"]))
print("warning: what is no JSON is no event", file=sys.stderr)
print("\\n".join(recorded["lines"]))
sys.exit(recorded["exit"])
"""
Recording = list[dict[str, Any]]


def recording_of(ours: list[Ours]) -> Recording:
    """What the real CLI would have printed, had it done the same: independent steps in another order, other ids."""
    return [_recorded(command, own) for command, own in zip(SCENARIO, ours, strict=True)]


def _recorded(command: Command, own: Ours) -> dict[str, Any]:
    steps = [{"op": step.op, "urn": step.urn} for step in _another_order(own)]
    if command.verb == "preview":
        lines = json.dumps({"steps": steps, "changeSummary": {}}, indent=4).splitlines()
    else:
        begun = [{**step, "op": "refresh"} if command.verb == "refresh" else step for step in steps]
        events = [{"resourcePreEvent": {"metadata": step}} for step in begun]
        events += [{"resOutputsEvent": {"metadata": step}} for step in steps]
        lines = [json.dumps(event) for event in (*events, {"summaryEvent": {}})]
    other_ids = re.sub(r"\b((?!ami-)[a-z]+-)[0-9a-f](?=[0-9a-f]{16}\b)", r"\g<1>e", json.dumps(own.outputs))
    return {"lines": lines, "exit": own.exit_code, "outputs": json.loads(other_ids)}


def _another_order(own: Ours) -> list[Step]:
    """Two neighbours of which neither needs the other change places, as they may in any run."""
    steps = list(own.steps)
    for n in range(len(steps) - 1):
        first, second = steps[n].urn, steps[n + 1].urn
        if first != second and not {(first, second), (second, first)} & own.pairs:
            steps[n], steps[n + 1] = steps[n + 1], steps[n]
            break
    return steps


@pytest.fixture
def compared(ours: list[Ours], tmp_path: Path) -> Callable[[Recording], None]:
    """Runs the whole comparison against a `pulumi` that answers the recording."""

    def run(recording: Recording) -> None:
        for n, each in enumerate(recording):
            (tmp_path / f"{n}.json").write_text(json.dumps(each))
        executable = tmp_path / "pulumi-fake"
        executable.write_text(FAKE.format(python=sys.executable, here=str(tmp_path)))
        executable.chmod(0o755)
        scenario = [
            Command(name=c.name, verb=c.verb, settings=c.settings, expect_no_changes=c.expect_no_changes)
            for c in SCENARIO
        ]  # without changes by hand: nothing is deployed
        for command, real, own in zip(SCENARIO, by_the_cli(executable, tmp_path, scenario), ours, strict=True):
            compare(real, own, command)

    return run


@pytest.mark.cloud
def test_equal_runs_compare_equal(ours: list[Ours], compared: Callable[[Recording], None], tmp_path: Path) -> None:
    compared(recording_of(ours))
    asked = [(tmp_path / f"asked-{n}").read_text().split() for n in range(len(SCENARIO))]
    assert [words[0] for words in asked] == [command.verb for command in SCENARIO]
    assert all("--json" in words for words in asked)
    assert ["--expect-no-changes" in words for words in asked] == [c.expect_no_changes for c in SCENARIO]


def another_op(recording: Recording) -> None:
    lines = recording[3]["lines"]
    n = next(n for n, line in enumerate(lines) if '"op": "update"' in line)
    lines[n] = lines[n].replace('"op": "update"', '"op": "replace"')


def a_step_more(recording: Recording) -> None:
    recording[1]["lines"].append('{"resourcePreEvent": {"metadata": {"op": "same", "urn": "urn:more"}}}')


def a_dependent_first(recording: Recording) -> None:
    recording[0]["lines"].reverse()


def the_replacement_the_other_way_round(recording: Recording) -> None:
    lines = recording[4]["lines"]
    of_machine = [
        n
        for n, line in enumerate(lines)
        if line.startswith('{"resourcePre') and "::director-2" in line and "Instance::" in line
    ]
    first, last = of_machine[0], of_machine[-1]
    lines[first], lines[last] = lines[last], lines[first]


def a_refresh_that_saw_nothing(recording: Recording) -> None:
    recording[5]["lines"] = [line.replace('"op": "update"', '"op": "same"') for line in recording[5]["lines"]]


def another_exit_code(recording: Recording) -> None:
    recording[2]["exit"] = 0


def a_failure(recording: Recording) -> None:
    recording[3]["lines"].append('{"resOpFailedEvent": {"metadata": {"op": "update", "urn": "urn:x"}}}')


def another_output(recording: Recording) -> None:
    recording[0]["outputs"]["virtualIp"] = "10.0.0.101"


def an_output_less(recording: Recording) -> None:
    del recording[6]["outputs"]["url"]


@pytest.mark.cloud
@pytest.mark.parametrize(
    ("difference", "found_in"),
    [
        (another_op, "an update"),
        (a_step_more, "second up is empty"),
        (a_dependent_first, "first up"),
        (the_replacement_the_other_way_round, "a director is replaced"),
        (a_refresh_that_saw_nothing, "refresh after a change by hand"),
        (another_exit_code, "preview of changes that were not expected"),
        (a_failure, "an update"),
        (another_output, "first up"),
        (an_output_less, "up puts it right"),
    ],
)
def test_every_difference_is_found(
    ours: list[Ours],
    compared: Callable[[Recording], None],
    difference: Callable[[Recording], None],
    found_in: str,
) -> None:
    recording = recording_of(ours)
    difference(recording)
    with pytest.raises(AssertionError, match=found_in):
        compared(recording)


def test_a_cli_that_tells_nothing_is_an_error() -> None:
    with pytest.raises(AssertionError, match="told nothing"):
        told(["error: no such option --json"])


def test_outputs_are_compared_but_for_what_is_new_with_every_run() -> None:
    one = {
        "vpcId": "vpc-0123456789abcdef0",
        "url": "http://3.4.5.6/",
        "virtualIp": "10.0.0.100",
        "imageId": "ami-0deb1a13000000001",
    }
    other = {"vpcId": "vpc-fedcba98765432100", "url": "http://7.8.9.10/", "virtualIp": "10.0.0.100"}
    other["imageId"] = one["imageId"]
    assert without_chance(one) == without_chance(other)
    for key, value in (
        ("imageId", "ami-0deb1a13000000002"),
        ("vpcId", "subnet-0123456789abcdef0"),
        ("url", "https://3.4.5.6/"),
        ("virtualIp", "10.0.0.9"),
    ):
        assert without_chance({**one, key: value}) != without_chance(other)
