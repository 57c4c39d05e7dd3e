"""Raw config values in, typed values out: every value that is wrong is noted as a fault, and reading goes on."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

REQUIRED = object()
"""Stands where a key has no default: a config without it is refused."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One thing wrong with the config: where, what was found, and what is allowed."""

    key: str
    value: object
    allowed: str

    def __str__(self) -> str:
        shown = json.dumps(self.value, default=str)
        return f"{self.key} = {shown if len(shown) <= 100 else shown[:97] + '...'}: {self.allowed}"


class Faults:
    """The faults found so far."""

    def __init__(self) -> None:
        self.found: list[Fault] = []

    def add(self, key: str, value: object, allowed: str) -> None:
        """Note that `key` holds `value`, and what would be allowed there."""
        self.found.append(Fault(key=key, value=value, allowed=allowed))

    def sound(self, *keys: str) -> bool:
        """True while none of `keys` has a fault: a rule over several values asks first, so that a typo counts once."""
        return not {fault.key for fault in self.found} & set(keys)


class Fields:
    """One mapping of the config. `known` gives every key it may have with its default, or REQUIRED.

    A reader of a faulty value returns a placeholder of the right type; whoever looks at it asks `Faults.sound` first.
    Numbers and booleans may come as text, because `pulumi config set` stores text.
    """

    def __init__(
        self, given: Mapping[str, object], known: Mapping[str, object], faults: Faults, prefix: str = ""
    ) -> None:
        self.given = given
        self._known = known
        self._faults = faults
        self._prefix = prefix
        for key in given:
            if key not in known:
                self.refuse(key, f"unknown key{nearest(key, known)}")

    def path(self, key: str) -> str:
        """Where `key` stands in the whole config, such as "services[0].port"."""
        return f"{self._prefix}{key}"

    def refuse(self, key: str, allowed: str) -> None:
        """Note that the value of `key` is wrong."""
        self._faults.add(self.path(key), self._value(key), allowed)

    def text(self, key: str, allowed: str, accept: Callable[[str], bool]) -> str:
        """Text that `accept` takes."""
        value = self._value(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            value = str(value)  # YAML makes a number of an unquoted password
        if isinstance(value, str) and accept(value):
            return value
        self.refuse(key, allowed)
        return ""

    def choice(self, key: str, choices: Iterable[str]) -> str:
        """One of `choices`."""
        return self.text(key, f"must be one of {', '.join(choices)}", frozenset(choices).__contains__)

    def number(self, key: str, low: float, high: float) -> float:
        """A finite number from `low` to `high`."""
        value = _as_number(self._value(key))
        if value is not None and low <= value <= high:
            return value
        self.refuse(key, f"must be a number from {low:g} to {high:g}")
        return low

    def integer(self, key: str, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        value = _as_number(self._value(key))
        if value is not None and low <= value <= high and value.is_integer():
            return int(value)
        self.refuse(key, f"must be a whole number from {low} to {high}")
        return low

    def flag(self, key: str) -> bool:
        """True or false."""
        value = self._value(key)
        if value is True or value == "true":
            return True
        if value is not False and value != "false":
            self.refuse(key, "must be true or false")
        return False

    def address(self, key: str) -> str:
        """An IPv4 address."""
        return self.text(key, "must be an IPv4 address such as 10.0.0.100", is_address)

    def network(self, key: str) -> str:
        """An IPv4 network."""
        return self.text(key, "must be an IPv4 network such as 10.0.0.0/24, no bits set beyond the prefix", is_network)

    def texts(self, key: str, allowed: str, accept: Callable[[str], bool]) -> tuple[str, ...]:
        """A list of distinct texts, each of which `accept` takes; what is no text becomes empty."""
        items = self._sequence(key)
        for index, item in enumerate(items):
            if not isinstance(item, str) or not accept(item):
                self._faults.add(f"{self.path(key)}[{index}]", item, allowed)
            elif item in items[:index]:
                self._faults.add(f"{self.path(key)}[{index}]", item, "must not be listed twice")
        return tuple(item if isinstance(item, str) else "" for item in items)

    def records(self, key: str, known: Mapping[str, object], low: int, high: int) -> tuple[Fields, ...]:
        """A list of `low` to `high` mappings, each with the keys of `known`."""
        items = self._sequence(key)
        if self._faults.sound(self.path(key)) and not low <= len(items) <= high:
            self._faults.add(self.path(key), items, f"must have {low} to {high} entries, not {len(items)}")
        records = []
        for index, item in enumerate(items):
            prefix = f"{self.path(key)}[{index}]"
            if isinstance(item, Mapping):
                records.append(Fields(item, known, self._faults, f"{prefix}."))
            else:
                self._faults.add(prefix, item, f"must be an object with the keys {', '.join(known)}")
        return tuple(records)

    def record(self, key: str, known: Mapping[str, object]) -> Fields:
        """A mapping with the keys of `known`."""
        return Fields(self.mapping(key), known, self._faults, f"{self.path(key)}.")

    def mapping(self, key: str) -> Mapping[str, object]:
        """A mapping with any keys."""
        value = _parsed(self._value(key))
        if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
            return value
        self._faults.add(self.path(key), value, "must be an object")
        return {}

    def _value(self, key: str) -> object:
        value = self.given.get(key, self._known.get(key))
        return None if value is REQUIRED else value

    def _sequence(self, key: str) -> list[object]:
        value = _parsed(self._value(key))
        if isinstance(value, list | tuple):
            return list(value)
        self._faults.add(self.path(key), value, "must be a list")
        return []


def nearest(key: str, known: Iterable[str]) -> str:
    """A hint that ends a message about an unknown key: the nearest known one, or all of them."""
    names = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(str(key).casefold(), names, n=1, cutoff=0.5)
    return f"; did you mean {names[near[0]]}?" if near else f"; known keys are {', '.join(names.values())}"


def is_address(text: str) -> bool:
    """Whether `text` is an IPv4 address in the usual notation."""
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def is_network(text: str) -> bool:
    """Whether `text` is an IPv4 network with its prefix length, without host bits."""
    try:
        IPv4Network(text)
    except ValueError:
        return False
    return text == str(IPv4Network(text))


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)  # nan and inf too: no range holds them
    except (ValueError, OverflowError):
        return None


def _parsed(value: object) -> object:
    """Structured config arrives as JSON text (Pulumi), or as it is (tests, other callers)."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
