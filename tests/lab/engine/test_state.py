from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lab.engine.deletion import delete_all
from lab.engine.row import Row
from lab.engine.state import State, StateError, load
from lab.protocol.wire import secret


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
        property_dependencies={"n": ("u",)},
        replacement_trigger=secret("t0p"),
        replace_with=("w",),
        dependencies=("u",),
        delete_timeout_seconds=30.0,
        init_errors=("late",),
    )
    State([], path=path).put(kept)
    assert load(path, writable=False).rows == [kept]
    assert "s3cret" not in path.read_text() and "t0p" not in path.read_text()
    assert [file.stat().st_mode & 0o077 for file in tmp_path.iterdir()] == [0, 0]  # the state and its key


@pytest.mark.parametrize(
    "of_another",
    [
        {"dependencies": ("u",)},
        {"property_dependencies": {"p": ("u",)}},
        {"parent": "u"},
        {"provider": "u"},
        {"deleted_with": "u"},
        {"replace_with": ("u",)},
    ],
)
def test_whatever_refers_to_another_needs_it(of_another: dict[str, Any]) -> None:
    assert Row(urn="a", type="t", custom=True, **of_another).needs == {"u"}


def test_a_preview_never_writes(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    load(path, writable=False).put(row("a"))
    assert not path.exists()


def test_a_crash_while_writing_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    state = State([], path=path)
    state.put(row("a"))

    def crash(document: object, file: object, **_: object) -> None:
        file.write('{"format": 2, "ro')  # type: ignore[attr-defined]
        raise OSError("disk full")

    monkeypatch.setattr(json, "dump", crash)
    with pytest.raises(OSError, match="disk full"):
        state.put(row("b"))
    assert load(path, writable=False).rows == [row("a")]


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1, "rows": []}', '{"format": 2, "rows": [{"new": 1}]}'])
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


def test_dependents_go_first_and_what_one_that_stays_needs_stays() -> None:
    a, b, c, z = row("a"), row("b", row("a").urn), row("c", row("b").urn), row("z")
    gone: list[Row] = []
    delete_all([a, c, b, z], gone.append, stopping=lambda: False)
    assert [each for each in gone if each != z] == [c, b, a]

    def refuse(each: Row) -> None:
        if each == c:
            raise OSError
        gone.append(each)

    gone.clear()
    delete_all([a, c, b, z], refuse, stopping=lambda: False)
    assert gone == [z]


def test_rows_that_need_each_other_go_all_the_same() -> None:
    a, b = row("a", row("b").urn), row("b", row("a").urn)
    gone: list[Row] = []
    delete_all([a, b], gone.append, stopping=lambda: False)
    assert len(gone) == 2


def test_a_renamed_row_takes_all_that_refers_to_it_along() -> None:
    old, new = row("old").urn, row("new").urn
    child = Row(
        urn=row("b").urn,
        type="t:m:T",
        custom=True,
        parent=old,
        provider=old,
        dependencies=(old, "x"),
        property_dependencies={"p": (old,), "q": ("x",)},
        deleted_with=old,
        replace_with=(old,),
    )
    state = State([row("old"), child], path=None)
    state.rename(old, new)
    assert state.rows[0].urn == new
    assert state.rows[1].needs == {new, "x"}
    state.forget([state.rows[0]])
    assert state.rows[0].dependencies == ("x",)
    assert state.rows[0].property_dependencies == {"q": ("x",)}
