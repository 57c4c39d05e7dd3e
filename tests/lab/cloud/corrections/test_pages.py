"""Pages: every item once, whatever the size, and tokens of nobody refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.core.exceptions import ServiceException

from lab.cloud.corrections.pages import requested_page


def page(**parameters: object) -> tuple[list[int], str | None]:
    return requested_page("DescribeVpcs", {"min": 5, "max": 1000}, parameters).of(range(23))


@given(st.integers(min_value=0, max_value=60), st.integers(min_value=5, max_value=1000))
def test_every_item_once(items: int, size: int) -> None:
    found: list[int] = []
    token: str | None = None
    for _ in range(items + 1):
        asked = {"MaxResults": size} | ({"NextToken": token} if token else {})
        some, token = requested_page("DescribeVpcs", {}, asked).of(range(items))
        assert len(some) <= size
        found += some
        if token is None:
            break
    assert found == list(range(items))


def test_the_last_full_page_ends_it() -> None:
    assert requested_page("DescribeVpcs", {}, {"MaxResults": 5}).of(range(5)) == ([0, 1, 2, 3, 4], None)


def test_all_where_no_size_is_asked_for() -> None:
    assert page() == (list(range(23)), None)


def test_a_list_that_shrank_meanwhile() -> None:
    token = page(MaxResults=20)[1]
    assert requested_page("DescribeVpcs", {}, {"NextToken": token}).of(range(3)) == ([], None)


@given(st.text(max_size=30))
def test_tokens_of_nobody(token: str) -> None:
    with pytest.raises(ServiceException) as caught:
        page(NextToken=token)
    assert caught.value.code == "InvalidParameterValue"
