"""What values and combinations of inputs the real provider refuses, as pure functions for its tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from lab.protocol.contract import Failure, Properties
from lab.provider.registry import Rule

Wrong = Callable[[Any], str]


def one_of(*allowed: str) -> Wrong:
    """One of these words."""
    return lambda value: "" if value in allowed else f"{value!r} is none of {', '.join(allowed)}"


def between(low: int, high: int) -> Wrong:
    """A number from `low` to `high`, both allowed."""
    return lambda value: "" if low <= value <= high else f"{value} is not from {low} to {high}"


def at_most(length: int) -> Wrong:
    """A text of at most so many characters."""
    return lambda value: "" if len(value) <= length else f"{len(value)} characters, and {length} are allowed"


def network(low: int = 0, high: int = 32) -> Wrong:
    """An IPv4 network by its first address, with a prefix length from `low` to `high`."""

    def wrong(value: Any) -> str:
        try:
            prefix = IPv4Network(value).prefixlen
        except ValueError as error:
            return f"no IPv4 network: {error}"
        if "/" not in value:
            return f"{value!r} has no prefix length, such as {value}/32"
        return "" if low <= prefix <= high else f"{value!r}: the prefix length must be from /{low} to /{high}"

    return wrong


def ipv4(value: Any) -> str:
    """An IPv4 address."""
    try:
        IPv4Address(value)
    except ValueError as error:
        return f"no IPv4 address: {error}"
    return ""


def json_text(value: Any) -> str:
    """A JSON document."""
    try:
        json.loads(value)
    except ValueError as error:
        return f"no JSON: {error}"
    return ""


def exactly_one_of(*names: str) -> Rule:
    """ExactlyOneOf of the real provider's schemas."""
    return lambda inputs: (
        ()
        if len(_given(inputs, names)) == 1
        else (_fault(names[0], f"exactly one of {', '.join(names)} must be given{_not(inputs, names)}"),)
    )


def conflicting(*names: str) -> Rule:
    """ConflictsWith: at most one of these."""
    return lambda inputs: (
        (_fault(names[0], f"at most one of {', '.join(names)} may be given{_not(inputs, names)}"),)
        if len(_given(inputs, names)) > 1
        else ()
    )


def _given(inputs: Properties, names: tuple[str, ...]) -> list[str]:
    # An empty text is what the real provider's SDK takes for not given.
    return [name for name in names if inputs.get(name) not in (None, "")]


def _not(inputs: Properties, names: tuple[str, ...]) -> str:
    given = _given(inputs, names)
    return f", not {' and '.join(given)}" if given else ""


def _fault(name: str, reason: str) -> Failure:
    return Failure(property=name, reason=reason)
