"""The values of filters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cloud.corrections.filters import matches


@pytest.mark.parametrize(
    ("pattern", "value", "passes"),
    [
        ("lab", "lab", True),
        ("lab", "lab-1", False),
        ("lab*", "lab", True),
        ("l?b", "lab", True),
        ("l?b", "lb", False),
        ("*-1", "lab-1", True),
        ("Lab", "lab", False),
        ("l.b", "lab", False),
        ("[ab]", "a", False),
        ("lab\\*", "lab*", True),
        ("lab\\*", "lab-1", False),
        ("a\\?", "a?", True),
        ("\\\\x", "\\x", True),
        ("*", "two\nlines", True),
        ("", "", True),
    ],
)
def test_patterns(pattern: str, value: str, passes: bool) -> None:
    assert matches(pattern, value) is passes


@given(st.text(max_size=20))
def test_a_text_with_everything_taken_literally_is_itself(text: str) -> None:
    literal = "".join(f"\\{each}" for each in text)
    assert matches(literal, text)
    assert not matches(literal, text + "x")


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_pattern_is_an_error(pattern: str, value: str) -> None:
    matches(pattern, value)
