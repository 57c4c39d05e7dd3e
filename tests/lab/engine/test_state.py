from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.engine.deletion import in_order
from lab.engine.events import Diagnostic, StepFailed, StepFinished
from lab.engine.render import line, summary
from lab.engine.state import Row, State, StateError, load
from lab.engine.wire import secret


def row(name: str, *needs: str) -> Row:
    return Row(urn=f"urn:pulumi:dev::gold::t:m:T::{name}", type="t:m:T", custom=True, dependencies=needs)


def test_a_row_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    kept = Row(
        urn="urn:pulumi:dev::gold::t:m:T::a",
        type="t:m:T",
        custom=True,
        id="a-1",
        inputs={"password": secret({"deep": "s3cret"}), "n": 1},
        property_dependencies={"n": ["u"]},
        dependencies=("u",),
        delete_timeout_seconds=30.0,
        init_errors=("late",),
    )
    State([], path=path).put(kept)
    assert load(path, writable=False).rows == [kept]
    assert "s3cret" not in path.read_text()


def test_a_preview_never_writes(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    load(path, writable=False).put(row("a"))
    assert not path.exists()


def test_a_crash_while_writing_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    state = State([], path=path)
    state.put(row("a"))

    def crash(document: object, file: object, **_: object) -> None:
        file.write('{"format": 1, "ro')  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setattr(json, "dump", crash)
    with pytest.raises(OSError, match="disk full"):
        state.put(row("b"))
    assert load(path, writable=False).rows == [row("a")]


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 99, "rows": []}', '{"format": 1, "rows": [{"new": 1}]}'])
def test_a_foreign_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(StateError, match=r"state.json"):
        load(path, writable=True)


def test_a_lost_key_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    State([], path=path).put(Row(urn="u::s::t::n", type="t", custom=True, inputs={"p": secret("x")}))
    (tmp_path / "state.json.key").unlink()
    with pytest.raises(StateError, match="lab down"):
        load(path, writable=True)


def test_dependents_come_first() -> None:
    a, b, c = row("a"), row("b", row("a").urn), row("c", row("b").urn)
    assert in_order([a, c, b]) == [c, b, a]


def test_lines() -> None:
    urn = "urn:pulumi:dev::gold::my:mod:C$aws:ec2/vpc:Vpc::net"
    assert line(StepFinished(op="create", urn=urn, seconds=1.25)) == " +  aws:ec2/vpc:Vpc net create (1.2 s)"
    assert "FAILED" in line(StepFailed(op="delete", urn=urn, seconds=0, message="why"))
    assert line(Diagnostic(severity="warning", message="careful\n", urn=urn)) == "   warning: net: careful"
    assert summary({"create": 2, "same": 1}) == "2 created, 1 unchanged"
    assert summary({}) == "nothing to do"
