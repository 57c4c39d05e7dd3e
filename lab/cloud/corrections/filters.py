"""Filters of the Describe calls: any value of a filter, all filters, `*` and `?` in values (API reference, Filter).

The same for every call, where moto has several ways; what a filter looks at is in filter_values.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from typing import Any

from moto.ec2.exceptions import FilterNotImplementedError, InvalidFilter

from lab.cloud.corrections.filter_values import FILTER_VALUES, UNDOCUMENTED
from lab.cloud.corrections.refusals import invalid_value, refusal

# "The maximum number of filter values specified on a single call is 200" (API reference of 2011, and still so).
MOST_VALUES, LONGEST_VALUE = 200, 255
NAMES = re.compile(r"<li> *<p> *<code>([^<]+)</code>")
WILDCARD = {"*": ".*", "?": "."}


def select(operation: Any, items: Sequence[Any], filters: Sequence[Any]) -> list[Any]:
    """Those of `items` that pass all `filters` of a request for `operation` (its model). Raises EC2's refusals."""
    wanted = [_checked(operation, each) for each in filters]
    if sum(len(values) for _, values in wanted) > MOST_VALUES:
        raise refusal("FilterLimitExceeded", "The maximum number of filter values specified on a single call is 200")
    if operation.name == "DescribeInstances":
        return _reservations(operation.name, items, wanted)
    return [each for each in items if _passes(operation.name, each, wanted)]


def matches(pattern: str, value: str) -> bool:
    """Whether a filter's value stands for `value`: `*` is any text, `?` a character, a backslash makes them plain."""
    return _expression(pattern).fullmatch(value) is not None


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    pieces = re.findall(r"\\.|.", pattern, re.DOTALL)
    return re.compile(
        "".join(WILDCARD[each] if each in WILDCARD else re.escape(each.removeprefix("\\") or each) for each in pieces),
        re.DOTALL,
    )


@cache
def _documented(operation: Any) -> frozenset[str]:
    """The names that the API reference has for the filters of a call; tags are `tag`, whatever they look like there."""
    members = operation.input_shape.members
    found = NAMES.findall(members["Filters"].documentation)
    return frozenset("tag" if name.startswith("tag:") else name for name in found)


def _checked(operation: Any, given: Any) -> tuple[str, list[str]]:
    name, values = given.get("Name"), given.get("Values", [])
    documented = _documented(operation)
    # `tag-value` is gone from the reference and works wherever tags do.
    bare = "tag" if str(name).startswith("tag:") or name == "tag-value" else name
    if not name or bare not in documented | UNDOCUMENTED.get(operation.name, frozenset()):
        raise invalid_value(f"The filter '{name or 'null'}' is invalid")
    if any(len(value) > LONGEST_VALUE for value in values):
        # As reported (ansible-collections/amazon.aws#2393).
        raise refusal("FilterLimitExceeded", "The maximum length for a filter value is 255 characters")
    return name, values


def _reservations(operation: str, items: Sequence[Any], wanted: Sequence[tuple[str, list[str]]]) -> list[Any]:
    """Reservations with the instances that pass; moto's are copies made for this call."""
    found = []
    for reservation in items:
        instances = [
            each for each in reservation.instances if _passes(operation, each, wanted, reservation=reservation)
        ]
        if instances:
            reservation.instances = instances
            found.append(reservation)
    return found


def _passes(operation: str, item: Any, wanted: Sequence[tuple[str, list[str]]], *, reservation: Any = None) -> bool:
    for name, patterns in wanted:
        values = (
            [reservation.id] if reservation and name == "reservation-id" else _texts(_values(operation, item, name))
        )
        if not any(matches(pattern, value) for value in values for pattern in patterns):
            return False
    return True


def _values(operation: str, item: Any, name: str) -> Any:
    known = FILTER_VALUES.get(operation, {})
    if name in known:
        return known[name](item)
    if name.startswith("tag:") or name in ("tag-key", "tag-value"):
        tags = [item] if operation == "DescribeTags" else item.get_tags()
        if name.startswith("tag:"):
            return [tag["value"] for tag in tags if tag["key"] == name.removeprefix("tag:")]
        return [tag[name.removeprefix("tag-")] for tag in tags]
    try:
        return item.get_filter_value(name)
    except (AttributeError, FilterNotImplementedError, InvalidFilter):
        raise refusal("UnsupportedOperation", f"The lab does not have the filter '{name}' of {operation}") from None


def _texts(value: Any) -> Iterable[str]:
    if value is None:
        return
    if isinstance(value, bool):
        yield str(value).lower()
    elif isinstance(value, datetime):
        yield f"{value:%Y-%m-%dT%H:%M:%S.000Z}"
    elif isinstance(value, (str, int)):
        yield str(value)
    else:
        for each in value:
            yield from _texts(each)
