"""A pack's configuration file, made complete as the CLI does it (pulumi, pkg/resource/analyzer/config.go), and checked.

The CLI passes over a rule or a parameter that the pack does not have; here it is a fault, for it would go unheard.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema

LEVELS = ("advisory", "mandatory", "remediate", "disabled")
ALL = "all"
LEVEL = "enforcementLevel"


class PackConfigError(Exception):
    """A pack's configuration is wrong; the text names every fault."""


@dataclass(frozen=True, kw_only=True)
class RuleInfo:
    """What a pack says of a rule: its name and level, and the JSON schema of each of its parameters."""

    name: str
    level: str
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class RuleConfig:
    """A rule's level and parameters, with defaults."""

    level: str
    parameters: Mapping[str, Any]


def reconcile(rules: Sequence[RuleInfo], text: str) -> dict[str, RuleConfig]:
    """The configuration of every rule, with that in `text` (JSON; empty is none) over the pack's own.

    Raises PackConfigError naming every fault.
    """
    given = _document(text)
    faults: list[str] = []
    known = {rule.name: rule for rule in rules}
    entries = {name: _entry(name, value, faults) for name, value in given.items()}
    faults += [f"{name}: the pack has no such rule" for name in entries if name not in known and name != ALL]
    if entries.get(ALL, ("", {}))[1]:
        faults.append(f"{ALL}: only {LEVEL} may be set for all rules")
    result: dict[str, RuleConfig] = {}
    for rule in rules:
        defaults = {name: one["default"] for name, one in rule.parameters.items() if "default" in one}
        level, parameters = entries.get(rule.name, ("", {}))
        complete = {**defaults, **parameters}
        faults += [f"{rule.name}: {fault}" for fault in _faults(rule, complete)]
        levels = (level, entries.get(ALL, ("", {}))[0], rule.level)
        result[rule.name] = RuleConfig(level=next(one for one in levels if one), parameters=complete)
    if faults:
        raise PackConfigError("; ".join(faults))
    return result


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise PackConfigError(f"it is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise PackConfigError("it must be an object of rules by name")
    return found


def _entry(name: str, value: Any, faults: list[str]) -> tuple[str, dict[str, Any]]:
    """The level, empty where it is not given, and the parameters of one entry."""
    if isinstance(value, str):
        value = {LEVEL: value}
    if not isinstance(value, dict):
        faults.append(f"{name}: {value!r} is neither a level nor an object of parameters")
        return "", {}
    level = value.get(LEVEL, "")
    if LEVEL in value and level not in LEVELS:
        faults.append(f"{name}: {level!r} is no enforcement level; one of {', '.join(LEVELS)} is")
        level = ""
    return level, {key: each for key, each in value.items() if key != LEVEL}


def _faults(rule: RuleInfo, parameters: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(parameters.keys() - rule.parameters.keys()):
        yield f"it has no parameter {name} (it has: {', '.join(sorted(rule.parameters)) or 'none'})"
    schema = {"type": "object", "properties": dict(rule.parameters), "required": list(rule.required)}
    for error in jsonschema.Draft7Validator(schema).iter_errors(dict(parameters)):
        yield f"{'.'.join(str(part) for part in error.absolute_path) or 'it'}: {error.message}"
