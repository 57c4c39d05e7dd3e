"""What has changed between the deployed and the wanted, and what of it replaces: pure decisions over a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.protocol.contract import UNKNOWN, Properties
from lab.provider.registry import Property

# Like the real provider's SDK, which has no null: left out, false and empty are one.
NOTHING: tuple[Any, ...] = (None, "", [], {}, False)


def compare(
    properties: Mapping[str, Property], deployed: Properties, wanted: Properties
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of what differs, and of those that can only be had by a new resource."""
    changed = tuple(name for name, known in properties.items() if _differs(known, deployed.get(name), wanted.get(name)))
    replaced = tuple(
        name
        for name in changed
        if _replaces(properties[name], deployed.get(name), wanted.get(name), deployed=deployed, wanted=wanted)
    )
    return changed, replaced


def same(known: Property, old: Any, new: Any) -> bool:
    """Whether two values mean the same; UNKNOWN differs from everything."""
    if UNKNOWN in (old, new) or (isinstance(new, dict) and UNKNOWN in new.values()):
        return False
    if known.nested is not None and isinstance(old or {}, dict) and isinstance(new, dict):
        found = old or {}
        return not any(_differs(inner, found.get(name), new.get(name)) for name, inner in known.nested.items())
    if _is_nothing(old) or _is_nothing(new):
        return _is_nothing(old) and _is_nothing(new)
    if known.nested is not None and isinstance(old, list) and isinstance(new, list):
        return _objects(known.nested, old) == _objects(known.nested, new)
    if known.normal is not None:
        return bool(known.normal(old) == known.normal(new))
    return bool(old == new)


def followed(known: Property, declared: Any, found: Any) -> Any:
    """The input after a refresh: as declared where that is what was found, otherwise as found."""
    if declared is None or same(known, found, declared):
        return declared
    if known.nested is not None and isinstance(declared, dict) and isinstance(found, dict):
        return {
            name: followed(known.nested[name], value, found.get(name)) if name in known.nested else value
            for name, value in declared.items()
        }
    return found


def _differs(known: Property, old: Any, new: Any) -> bool:
    if new is None and known.computed:
        return False
    return not same(known, old, new)


def _replaces(known: Property, old: Any, new: Any, *, deployed: Properties, wanted: Properties) -> bool:
    if callable(known.replace):
        return known.replace(deployed, wanted)
    if known.replace or known.nested is None or known.kind is not dict:
        return bool(known.replace)
    if new == UNKNOWN:
        return any(inner.replace for inner in known.nested.values())
    old, new = old or {}, new or {}
    return any(inner.replace and _differs(inner, old.get(name), new.get(name)) for name, inner in known.nested.items())


def _is_nothing(value: Any) -> bool:
    # 0 is a value: a port, a size. In Python it equals False.
    return not (isinstance(value, int) and not isinstance(value, bool)) and value in NOTHING


def _objects(nested: Mapping[str, Property], items: list[Any]) -> list[list[tuple[str, str]]]:
    return sorted(
        sorted((name, repr(value)) for name, value in item.items() if name in nested and not _is_nothing(value))
        for item in items
        if isinstance(item, dict)
    )
