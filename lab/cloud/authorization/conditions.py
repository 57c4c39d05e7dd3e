"""The Condition element of a statement: operators, sets of values, keys that are missing. Pure.

Source: IAM user guide, "IAM JSON policy elements: Condition operators" and "... with multiple keys or values".
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from lab.cloud.authorization.matching import Context, Pattern, is_arn_like, is_like, pattern, plain


class InvalidConditionError(ValueError):
    """A condition that is none; the text says why."""


class Among(Enum):
    """How many of a key's values in the request have to compare; EACH is the operators' own way."""

    EACH = ""
    ANY = "ForAnyValue:"
    ALL = "ForAllValues:"


Compare = Callable[[Any, str, Context], bool]


@dataclass(frozen=True, kw_only=True)
class Operator:
    """`read` makes something to compare with of a policy's value, or raises ValueError; `compare` compares it."""

    read: Callable[[str, bool], Any]
    compare: Compare
    negated: bool = False


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One operator on one key: `values` are the policy's, any of which will do."""

    key: str
    operator: Operator | None
    values: tuple[Any, ...]
    among: Among = Among.EACH
    if_exists: bool = False

    def holds(self, context: Context) -> bool:
        """Whether the request satisfies it.

        Without the key an operator does not hold and a negated one does; ForAllValues holds for no values at all.
        """
        found = context.get(self.key, ())
        if self.operator is None:
            return (not found) in self.values
        if self.among is Among.ANY:
            return any(self._holds(value, context) for value in found)
        if not found and self.among is Among.EACH:
            return self.operator.negated or self.if_exists
        return all(self._holds(value, context) for value in found)

    @property
    def keys(self) -> frozenset[str]:
        """Every condition key it looks at."""
        return frozenset({self.key}).union(*(value.keys for value in self.values if isinstance(value, Pattern)))

    def _holds(self, found: str, context: Context) -> bool:
        operator = self.operator
        assert operator is not None
        return any(operator.compare(value, found, context) for value in self.values) != operator.negated


def conditions(element: Any, *, variables: bool) -> tuple[Condition, ...]:
    """The conditions of a Condition element, all of which must hold. Raises InvalidConditionError."""
    if not isinstance(element, dict):
        raise InvalidConditionError("Condition is not an object")
    found = []
    for name, keys in element.items():
        if not isinstance(keys, dict):
            raise InvalidConditionError(f"{name} is not an object")
        for key, values in keys.items():
            found.append(_condition(name, key, values, variables))
        if not keys:
            _operator(name)
    return tuple(found)


def _condition(name: str, key: str, given: Any, variables: bool) -> Condition:
    values = [_text(value) for value in (given if isinstance(given, list) else [given])]
    operator, among, if_exists = _operator(name)
    try:
        if operator is None:
            read: Iterable[Any] = [_boolean(value) == "true" for value in values]
        else:
            read = [operator.read(value, variables) for value in values]
    except ValueError as error:
        raise InvalidConditionError(f"{name} of {key}: {error}") from error
    return Condition(key=key.lower(), operator=operator, values=tuple(read), among=among, if_exists=if_exists)


def _operator(name: str) -> tuple[Operator | None, Among, bool]:
    bare = name
    among = next((each for each in (Among.ANY, Among.ALL) if bare.startswith(each.value)), Among.EACH)
    bare = bare.removeprefix(among.value)
    if bare == "Null" and among is Among.EACH:
        return None, among, False
    if_exists = bare.endswith("IfExists")
    operator = OPERATORS.get(bare.removesuffix("IfExists"))
    if operator is None:
        raise InvalidConditionError(f"there is no condition operator {name}")
    return operator, among, if_exists


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise InvalidConditionError(f"{value!r} is no value of a condition")


def _boolean(value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise ValueError(f"{value!r} is neither true nor false")
    return value.lower()


def _number(value: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no number")
    return number


def _moment(value: str) -> float:
    """Seconds since 1970 of an ISO 8601 date (W3C profile: UTC where it names no zone) or of such seconds."""
    try:
        return float(int(value))
    except OverflowError as error:
        raise ValueError(f"{value!r} is no moment") from error
    except ValueError:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(value, strict=False)


def _same_text(wanted: Pattern, found: str, context: Context) -> bool:
    text = wanted.filled(context)
    return text is not None and plain(text) == found


def _same_without_case(wanted: Pattern, found: str, context: Context) -> bool:
    text = wanted.filled(context)
    return text is not None and plain(text).casefold() == found.casefold()


def _like(wanted: Pattern, found: str, context: Context) -> bool:
    text = wanted.filled(context)
    return text is not None and is_like(text, found)


def _arn_like(wanted: Pattern, found: str, context: Context) -> bool:
    text = wanted.filled(context)
    return text is not None and is_arn_like(text, found)


def _within(wanted: Any, found: str, _context: Context) -> bool:
    try:
        return ipaddress.ip_address(found) in wanted
    except ValueError:
        return False


def _by(read: Callable[[str], float], holds: Callable[[float, float], bool]) -> Compare:
    def compare(wanted: float, found: str, _context: Context) -> bool:
        try:
            return holds(read(found), wanted)
        except ValueError:
            return False

    return compare


def _literal(read: Callable[[str], Any]) -> Callable[[str, bool], Any]:
    """Variables are for strings and ARNs ("Where you can use policy variables")."""
    return lambda value, _variables: read(value)


def _pattern(value: str, variables: bool) -> Pattern:
    return pattern(value, variables=variables)


ORDERS: dict[str, Callable[[float, float], bool]] = {
    "Equals": lambda found, wanted: found == wanted,
    "LessThan": lambda found, wanted: found < wanted,
    "LessThanEquals": lambda found, wanted: found <= wanted,
    "GreaterThan": lambda found, wanted: found > wanted,
    "GreaterThanEquals": lambda found, wanted: found >= wanted,
}
NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
    "DateNotEquals": "DateEquals",
    "NotIpAddress": "IpAddress",
}
OPERATORS: dict[str, Operator] = {
    "StringEquals": Operator(read=_pattern, compare=_same_text),
    "StringEqualsIgnoreCase": Operator(read=_pattern, compare=_same_without_case),
    "StringLike": Operator(read=_pattern, compare=_like),
    # "ArnEquals and ArnLike behave identically."
    "ArnEquals": Operator(read=_pattern, compare=_arn_like),
    "ArnLike": Operator(read=_pattern, compare=_arn_like),
    "Bool": Operator(read=_literal(_boolean), compare=lambda wanted, found, _: wanted == found.lower()),
    "BinaryEquals": Operator(read=_literal(str), compare=lambda wanted, found, _: wanted == found),
    "IpAddress": Operator(read=_literal(_network), compare=_within),
    **{f"Numeric{name}": Operator(read=_literal(_number), compare=_by(_number, by)) for name, by in ORDERS.items()},
    **{f"Date{name}": Operator(read=_literal(_moment), compare=_by(_moment, by)) for name, by in ORDERS.items()},
}
OPERATORS |= {
    name: Operator(read=OPERATORS[of].read, compare=OPERATORS[of].compare, negated=True)
    for name, of in NEGATIONS.items()
}
