"""The sweep's conclusion, and that it puts the interval back."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from bench import advert_sweep
from bench.advert_sweep import Count, advert_interval, conclusion, recommended, table


def counts(**took_over: list[int]) -> list[Count]:
    return [
        Count(interval=float(interval[1:].replace("_", ".")), contention=str(number), seconds=60, took_over=n, moved=n)
        for interval, numbers in took_over.items()
        for number, n in enumerate(numbers)
    ]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (counts(i0_1=[0, 3], i0_2=[0, 0], i0_5=[0, 0]), 0.2),
        (counts(i0_1=[0, 0], i0_2=[0, 1], i0_5=[0, 0]), 0.5),  # good luck below bad luck is no recommendation
        (counts(i0_5=[0, 0], i0_1=[0, 0]), 0.1),
        (counts(i0_5=[0, 1], i1_0=[1, 0]), None),
        ([], None),
    ],
)
def test_the_least_interval_above_all_false_failovers_is_recommended(seen: list[Count], expected: float | None) -> None:
    assert recommended(seen) == expected
    assert (f"{expected:g} s" if expected else "no interval") in conclusion(seen)


def test_the_table_has_a_row_an_interval_and_a_column_a_contention() -> None:
    out = Console(width=140, record=True, quiet=False, file=None)
    with out.capture() as said:
        out.print(table(counts(i0_1=[7, 3], i0_5=[0, 0])))
    assert "7 in 60 s" in said.get() and "1.51" in said.get()


def test_the_interval_is_put_back_even_if_something_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ordered: list[str] = []
    monkeypatch.setattr(advert_sweep, "must_run", lambda _, machine, command: ordered.append(f"{machine}: {command}"))
    lab: Any = None
    with pytest.raises(RuntimeError), advert_interval(lab, ["a", "b"], 0.2):  # type: ignore[list-item]
        assert len(ordered) == 2 and all("advert_int 0.2/" in each for each in ordered)
        raise RuntimeError("for the test")
    assert sorted(each[0] for each in ordered[2:]) == ["a", "b"]
    assert all("mv -f" in each and "reload" in each for each in ordered[2:])
