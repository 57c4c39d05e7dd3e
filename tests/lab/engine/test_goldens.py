"""Thirty scenarios recorded from the real engine (CLI 3.260.0, SDK 3.272.0), run again with this one.

Compared in every step: the multiset of steps and those that failed, their order where one resource needs the other,
the calls the provider got, the summary, success or failure, the state afterwards. Not compared: the order among
independent resources (by chance also in the real engine), messages, and which number an id got, only how often a
resource was made before.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lab.engine.deploy import DeploymentError, outputs
from lab.engine.events import Step
from lab.engine.row import Row
from lab.engine.state import load
from lab.protocol.wire import contains, is_secret, plain
from lab.stack.project import ConfigError
from tests.lab.engine.comparing import PREFIX, compare_steps
from tests.lab.engine.stand_in import Stack

GOLDENS = sorted((Path(__file__).parent / "goldens").glob("*.json"))
SCHEMA = "config:\n  count: {type: integer}\n"
# Steps that use what the lab's engine refuses, and the words it does so with; the scenario ends before the first.
REFUSED = {("read_get", 2): "import_", ("read_get", 3): "import_"}
# Two resources of one name: the real engine was recorded to fail before the first was made, ours fails after; both do
# one or the other by chance. Only the failure is compared.
BY_CHANCE = {("config_missing", 7)}
# A command line the real CLI itself refused (two options of its own that exclude each other).
NO_COMMAND = {("refresh", 1)}
FIELDS = {
    "parent": "parent",
    "provider": "provider",
    "dependencies": "dependencies",
    "property_dependencies": "propertyDependencies",
    "protect": "protect",
    "external": "external",
    "delete": "delete",
    "secret_outputs": "additionalSecretOutputs",
    "deleted_with": "deletedWith",
    "replace_with": "replaceWith",
    "replacement_trigger": "replacementTrigger",
    "retain_on_delete": "retainOnDelete",
}


def test_all_scenarios_are_there() -> None:
    assert len(GOLDENS) == 30
    assert REFUSED.keys() | NO_COMMAND | BY_CHANCE <= {
        (path.stem, n) for path in GOLDENS for n in range(len(read(path)))
    }


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_the_engine_does_what_the_real_one_did(path: Path, stack: Stack) -> None:
    scenario = read(path)
    if path.stem == "config_schema":
        stack.manifest += SCHEMA
    if path.stem == "secrets":
        stack.manifest += "config:\n  pw: {type: string, secret: true}\n"
        stack.config = ("pw=hunter2",)
    expected_states, states = [], []
    for number, golden in enumerate(scenario):
        where = f"{path.stem}, step {number}: {golden['cmd']}"
        if golden.get("program") is not None:
            stack.write(golden["program"])
        if (path.stem, number) in NO_COMMAND:
            drift(stack)
            continue
        if word := REFUSED.get((path.stem, number)):
            before = load(stack.state_path, writable=False).rows
            assert word in str(stack.fails("up")), where
            assert load(stack.state_path, writable=False).rows == before, where
            continue
        if golden["cmd"].startswith("config set "):
            stack.config = ("=".join(golden["cmd"].split()[2:]),)
            continue
        if golden["cmd"].startswith("stack output"):
            assert outputs(stack.state_path, show_secrets=False) == golden["stdout"], where
            continue
        old = load(stack.state_path, writable=False).rows
        exit_code, steps, summary = run(stack, golden)
        assert exit_code == golden["exit"], where
        if (path.stem, number) in BY_CHANCE:
            continue
        assert (summary or None) == (golden.get("summary") or None), where
        compare_steps(golden, steps, needs(scenario, number, old), where)
        calls = [call for call in stack.provider.calls if call.split(":")[0] in ("create", "update", "delete")]
        assert Counter(calls) == Counter(golden.get("calls", [])), where
        if "state" in golden:
            expected_states.append(golden["state"])
            states.append([as_recorded(row) for row in load(stack.state_path, writable=False).rows])
    for expected, found in zip(ranked(expected_states), ranked(states), strict=True):
        assert sorted(found, key=by_urn) == sorted(expected, key=by_urn)


def run(stack: Stack, golden: dict[str, Any]) -> tuple[int, list[Step], dict[str, int]]:
    """Exit code as the CLI's, steps, and summary of one command."""
    verb, *options = golden["cmd"].split()
    stack.provider.calls.clear()
    stack.provider.fail = {golden["fail"]} if "fail" in golden else set()
    finish = {item.rpartition("::")[2] for item in golden.get("done", []) if "pulumi:" not in item.split()[1]}
    stack.provider.during = SiblingsFirst(stack, finish) if "fail" in golden else lambda _: None
    try:
        done = stack.run(f"{verb} --refresh" if "--refresh" in options else verb)
    except ConfigError:
        return 1, [], {}
    except DeploymentError as error:
        return 1, list(error.deployment.steps), error.deployment.summary
    code = 7 if "--expect-no-changes" in options and done.changed else 0
    return code, list(done.steps), done.summary


class SiblingsFirst:
    """Holds the call that is to fail until what had succeeded before it in the recorded run has: that is by chance."""

    def __init__(self, stack: Stack, finish: set[str]) -> None:
        self._stack = stack
        self._finish = finish
        self._changed = threading.Condition()
        stack.on_event = self._told

    def _told(self, _: object) -> None:
        with self._changed:
            self._changed.notify_all()

    def _done(self) -> bool:
        ended = {event.urn.rpartition("::")[2] for event in self._stack.events if isinstance(event, Step)}
        return ended >= self._finish

    def __call__(self, call: str) -> None:
        if call in self._stack.provider.fail:
            with self._changed:
                assert self._changed.wait_for(self._done, timeout=20), "the siblings did not finish"


def needs(scenario: list[dict[str, Any]], number: int, old: list[Row]) -> set[tuple[str, str]]:
    """Pairs of URNs of which one needs the other before this step and after it."""
    after = next((step["state"] for step in scenario[number:] if step.get("state")), [])
    new = {
        (row["urn"], each)
        for row in after
        for each in (*row.get("dependencies", ()), *([row["deletedWith"]] if "deletedWith" in row else ()))
    }
    before = {(row.urn.removeprefix(PREFIX), each.removeprefix(PREFIX)) for row in old for each in row.dependencies}
    return (new & before) if before and new else new | before


def as_recorded(row: Row) -> dict[str, Any]:
    """A row as the goldens have it."""
    text: dict[str, Any] = {"urn": row.urn, "type": row.type}
    if row.custom:
        text |= {"custom": True, "id": "<uuid>" if row.type.startswith("pulumi:providers") else row.id}
    text |= {key: shown(value) for key in ("inputs", "outputs") if (value := getattr(row, key))}
    text |= {name: value for key, name in FIELDS.items() if (value := getattr(row, key))}
    if not row.type.startswith("pulumi:"):
        assert row.provider or not row.custom
    text["replacementTrigger"] = row.replacement_trigger
    return dict(json.loads(json.dumps({k: v for k, v in text.items() if v is not None}).replace(PREFIX, "")))


def shown(value: Any) -> Any:
    if is_secret(value):
        return {"<secret>": True}
    if isinstance(value, dict) and not contains(value, is_secret):
        value = plain(value) if "urn" not in value else value
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list) else value


def ranked(states: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """The states with ids by how often the resource was made: the counter runs over all, whose order is chance."""
    text = re.sub(r'"a-[0-9a-f]{7}"', '"a-auto"', json.dumps(states))
    names = {
        row["id"].rpartition("-")[0] for state in states for row in state if re.search(r"-\d+$", row.get("id", ""))
    }
    if names:
        one = re.compile(rf"\b({'|'.join(sorted(names, key=len, reverse=True))})-(\d+)\b", re.IGNORECASE)
        seen = sorted({(m[1].lower(), int(m[2])) for m in one.finditer(text)})
        ranks = {key: sum(name == key[0] for name, _ in seen[: n + 1]) for n, key in enumerate(seen)}
        text = one.sub(lambda m: f"{m[1]}-{ranks[m[1].lower(), int(m[2])]}", text)
    return list(json.loads(text))


def by_urn(row: dict[str, Any]) -> tuple[str, bool]:
    return row["urn"], row.get("delete", False)


def drift(stack: Stack) -> None:
    """What was done by hand in the recorded run: a's text changed, c vanished."""
    for id_, outputs_ in list(stack.provider.cloud.items()):
        if id_.startswith("a-"):
            stack.provider.cloud[id_] = {**outputs_, "text": "drifted", "upper": "DRIFTED"}
        if id_.startswith("c-"):
            del stack.provider.cloud[id_]


def read(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text()))


def test_the_order_is_checked() -> None:
    """The comparison itself fails for a wrong order."""
    urns = ["t:m:T::a", "t:m:T::b"]
    golden = {"cmd": "up", "steps": [f"create {urn}" for urn in urns]}
    steps = [Step(op="create", urn=PREFIX + urn) for urn in urns]
    compare_steps(golden, steps, {(urns[1], urns[0])}, "")
    with pytest.raises(AssertionError):
        compare_steps(golden, steps[::-1], {(urns[1], urns[0])}, "")
