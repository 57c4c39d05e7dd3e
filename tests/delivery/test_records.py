"""A plan is applied to what it was made for, and a stack's commit is read off its history."""

import dataclasses

import pytest

from delivery import records
from delivery.records import Situation

PLANNED = Situation(
    stack="prod", commit="a" * 40, last_update="3 update 2026-11-01T10:00:00.000Z", plan_digest="d" * 64
)


def entry(kind: str, start: str, version: int = 0, **environment: str) -> dict[str, object]:
    return {"version": version, "kind": kind, "startTime": start, "environment": environment}


def test_a_plan_is_applied_to_what_it_was_made_for() -> None:
    assert records.refusal(PLANNED, PLANNED) is None


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"stack": "dev"}, "it is for stack prod, not dev"),
        ({"commit": "b" * 40}, f"it was made for commit {'a' * 40}, and this is {'b' * 40}"),
        ({"plan_digest": "e" * 64}, "the file is not the one that was made"),
        ({"last_update": "4 update 2026-11-02T10:00:00.000Z"}, "the stack was updated since"),
        ({"last_update": None}, "now it is none"),
    ],
)
def test_and_to_nothing_else(changed: dict[str, str | None], words: str) -> None:
    why = records.refusal(PLANNED, dataclasses.replace(PLANNED, **changed))  # type: ignore[arg-type]
    assert why is not None
    assert words in why
    assert "make deploy-plan STACK=" in why


def test_the_record_survives_its_file() -> None:
    assert records.from_json(records.to_json(PLANNED)) == PLANNED


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"stack": "dev"}', '{"more": 1}'])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not the record|Expecting"):
        records.from_json(text)


def test_the_last_update_is_the_newest_whatever_the_order() -> None:
    history = [
        entry("update", "2026-11-01T10:00:00.000Z"),
        entry("refresh", "2026-11-03T10:00:00.000Z"),
        entry("update", "2026-11-02T10:00:00.000Z"),
    ]
    assert records.last_update(history) == "0 refresh 2026-11-03T10:00:00.000Z"
    assert records.last_update(history[::-1]) == records.last_update(history)
    assert records.last_update([]) is None


def test_a_preview_is_no_update() -> None:
    history = [entry("update", "2026-11-01T10:00:00.000Z"), entry("preview", "2026-11-02T10:00:00.000Z")]
    assert records.last_update(history) == "0 update 2026-11-01T10:00:00.000Z"


def test_the_deployed_commit_is_that_of_the_last_up() -> None:
    history = [
        entry("update", "2026-11-01T10:00:00.000Z", **{"git.head": "old"}),
        entry("update", "2026-11-02T10:00:00.000Z", **{"git.head": "new"}),
        entry("refresh", "2026-11-03T10:00:00.000Z", **{"git.head": "another"}),
    ]
    assert records.deployed_commit(history) == "new"


@pytest.mark.parametrize(
    "history",
    [
        [],
        [entry("refresh", "2026-11-01T10:00:00.000Z", **{"git.head": "a"})],
        [entry("update", "2026-11-01T10:00:00.000Z")],
        [
            entry("update", "2026-11-01T10:00:00.000Z", **{"git.head": "a"}),
            entry("destroy", "2026-11-02T10:00:00.000Z", **{"git.head": "a"}),
        ],
    ],
)
def test_without_a_deployment_or_a_commit_there_is_none(history: list[dict[str, object]]) -> None:
    assert records.deployed_commit(history) is None
