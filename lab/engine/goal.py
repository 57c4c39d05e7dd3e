"""What a program wants of a resource, and what follows from that and from what is deployed. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lab.engine.contract import UNKNOWN, Checked, Diff, Properties
from lab.engine.events import Op
from lab.engine.state import Row


class RefusedError(Exception):
    """Something the lab's engine does not do, or a program's mistake; names the resource and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A resource as the program registers it. `inputs` are as on the wire; time-outs are in seconds."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: Properties = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    provider: str = ""
    version: str = ""
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool | None = None
    ignore_changes: tuple[str, ...] = ()
    replace_on_changes: tuple[str, ...] = ()
    secret_outputs: tuple[str, ...] = ()
    timeouts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to do with a resource, the inputs that made it so, and whether the old one has to go first."""

    op: Op
    keys: tuple[str, ...] = ()
    delete_first: bool = False


def decide(goal: Goal, old: Row, diff: Diff) -> Decision:
    """Same, update or replace a deployed resource. Raises RefusedError for a protected one that had to be replaced."""
    forced = {key for key in diff.changed if key in goal.replace_on_changes or "*" in goal.replace_on_changes}
    if keys := tuple(key for key in diff.changed if key in forced or key in diff.replace):
        if old.protect:
            raise RefusedError(
                f"unable to replace resource {goal.urn!r} ({', '.join(keys)} changed): it is marked for protection; "
                "take `protect` away in the program, run `up`, then change it"
            )
        wish = goal.delete_before_replace
        return Decision(op="replace", keys=keys, delete_first=diff.delete_before_replace if wish is None else wish)
    # A half-made one is finished by an update, whatever the diff says, unless it must be replaced anyway.
    return Decision(op="update" if diff.changed or old.init_errors else "same", keys=diff.changed)


def with_ignored(goal: Goal, old: Row | None) -> Properties:
    """The goal's inputs, with the deployed values of those whose changes it ignores."""
    inputs = dict(goal.inputs)
    for key in goal.ignore_changes:
        if re.search(r"[.\[*]", key):
            raise RefusedError(
                f"{goal.urn!r} ignores changes of the path {key!r}, which the lab's engine does not do: "
                "ignore a whole property"
            )
        if old is not None and key in old.inputs:
            inputs[key] = old.inputs[key]
        elif old is not None:
            inputs.pop(key, None)
    return inputs


def row_of(goal: Goal, *, inputs: Properties, outputs: Properties, id_: str, provider: str = "") -> Row:
    """The goal as a deployed row."""
    return Row(
        urn=goal.urn,
        type=goal.type,
        custom=goal.custom,
        id=id_,
        inputs=inputs,
        outputs=outputs,
        parent=goal.parent,
        provider=provider,
        dependencies=goal.dependencies,
        property_dependencies=goal.property_dependencies,
        protect=goal.protect,
        retain_on_delete=goal.retain_on_delete,
        delete_timeout_seconds=goal.timeouts.get("delete"),
    )


def with_unknown(row: Row, urns: set[str]) -> Properties | None:
    """The row's inputs as they would be if these resources were new, None where it does not use them."""
    keys = {key for key, needed in row.property_dependencies.items() if urns & set(needed)}
    return {**row.inputs, **dict.fromkeys(keys, UNKNOWN)} if keys else None


def refuse_failures(goal: Goal, checked: Checked) -> None:
    """Raise RefusedError with all that a provider found wrong with the inputs."""
    if checked.failures:
        reasons = "; ".join(f"{failure.property}: {failure.reason}" for failure in checked.failures)
        raise RefusedError(f"{goal.type} resource {goal.name!r} has a problem: {reasons}")


def seconds(text: str, *, urn: str) -> float:
    """A Go duration such as 1h30m or 90s in seconds (pkg.go.dev/time, ParseDuration)."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    parts = re.findall(r"([\d.]+)(ms|h|m|s)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise RefusedError(f"{urn!r} has the time-out {text!r}; write it as 30s, 5m or 1h30m")
    return sum(float(number) * units[unit] for number, unit in parts)
