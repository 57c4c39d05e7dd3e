"""What a program wants of a resource, and what follows from that and from what is deployed. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from lab.engine.events import Op
from lab.engine.row import Row
from lab.protocol.contract import UNKNOWN, Checked, Diff, Properties, RefusedError


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A resource as the program registers it: the row wanted, whose inputs are as on the wire, and the run's options.

    `aliases` are the URNs it may be deployed under; time-outs are in seconds.
    """

    row: Row
    version: str = ""
    aliases: tuple[str, ...] = ()
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    timeouts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do with a resource, the inputs that made it so, and whether the old one has to go first."""

    op: Op
    keys: tuple[str, ...] = ()
    delete_first: bool = False


def decide(goal: Goal, old: Row, replaced: Set[str], diff: Callable[[], Diff]) -> Decision:
    """Same, update or replace a deployed resource; `replaced` are the URNs this run replaces, `diff` asks the provider.

    Raises RefusedError for a protected one that had to be replaced.
    """
    if old.pending_replacement:
        return Decision(op="replace", delete_first=True)
    found, keys = Diff(), _replaced_along(goal.row, old, replaced)
    if not keys:
        found = diff()
        forced = {key for key in found.changed if {key, "*"} & set(goal.replace_on_changes)} | set(found.replace)
        keys = tuple(key for key in found.changed if key in forced)
    if not keys:
        # A half-made one is finished by an update, whatever the diff says.
        return Decision(op="update" if found.changed or old.init_errors else "same", keys=found.changed)
    if old.protect:
        raise RefusedError(
            f"unable to replace it ({', '.join(keys)} changed): it is marked for protection; "
            "take `protect` away in the program, run `up`, then change it"
        )
    wish = goal.delete_before_replace
    return Decision(op="replace", keys=keys, delete_first=found.delete_before_replace if wish is None else wish)


def _replaced_along(wanted: Row, old: Row, replaced: Set[str]) -> tuple[str, ...]:
    """Why a resource is replaced whatever its inputs are, empty where there is no such reason."""
    if wanted.deleted_with in replaced:
        return ("deletedWith",)
    if replaced & set(wanted.replace_with):
        return ("replaceWith",)
    return ("replacementTrigger",) if wanted.replacement_trigger != old.replacement_trigger else ()


def with_ignored(goal: Goal, old: Row | None) -> Properties:
    """The goal's inputs, with the deployed values of those whose changes it ignores."""
    if old is None:
        return goal.row.inputs
    others = {key: value for key, value in goal.row.inputs.items() if key not in goal.ignore_changes}
    return others | {key: value for key, value in old.inputs.items() if key in goal.ignore_changes}


def forced_along(old: Row, rows: Sequence[Row], diff: Callable[[Row, Properties], Diff]) -> list[Row]:
    """Those of `rows` that a deletion of `old` forces to be replaced, and those that they force.

    Only those count that use one of its properties where a new value means replacement (so the real engine asks: `diff`
    of inputs with UNKNOWN), or that are to be replaced with it.
    """
    found: list[Row] = []
    gone = {old.urn}

    def forced(row: Row) -> bool:
        if row.deleted_with in gone or gone & set(row.replace_with):
            return True
        keys = {key for key, needed in row.property_dependencies.items() if gone & set(needed)}
        return bool(keys and diff(row, {**row.inputs, **dict.fromkeys(keys, UNKNOWN)}).replace)

    while new := [row for row in rows if row not in found and forced(row)]:
        found += new
        gone |= {row.urn for row in new}
    return found


def accepted(checked: Checked) -> Properties:
    """The checked inputs; RefusedError with all that a provider found wrong with them."""
    if checked.failures:
        reasons = "; ".join(f"{failure.property}: {failure.reason}" for failure in checked.failures)
        raise RefusedError(f"it has a problem: {reasons}")
    return checked.inputs


def whole(paths: tuple[str, ...], option: str) -> tuple[str, ...]:
    """Names of properties as an option gives them; RefusedError for a path into one."""
    for path in paths:
        if path != "*" and re.search(r"[.\[*]", path):
            raise RefusedError(f"{option} of the path {path!r} is not done by the lab's engine: name a whole property")
    return paths


def seconds(text: str) -> float:
    """A Go duration such as 1h30m or 90s in seconds (pkg.go.dev/time, ParseDuration)."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise RefusedError(f"the time-out {text!r} is none; write it as 30s, 5m or 1h30m")
    return sum(float(number) * units[unit] for number, unit in parts)
