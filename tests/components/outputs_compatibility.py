"""What would break a program that reads the outputs: two versions of their JSON Schema, compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

ANNOTATIONS = {"$schema", "$id", "$comment", "title", "description", "examples"}
STRUCTURE = {"properties", "required", "items"}


def incompatibilities(released: Mapping[str, Any], current: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Every way in which `current` is not `released` with optional outputs added; nothing where it is."""
    here = path.removesuffix(".") or "the whole"
    for keyword in sorted((set(released) | set(current)) - ANNOTATIONS - STRUCTURE):
        if released.get(keyword) != current.get(keyword):
            yield f"{here}: {keyword} was {released.get(keyword)!r} and is {current.get(keyword)!r}"
    before, now = set(released.get("required", ())), set(current.get("required", ()))
    yield from (f"{path}{name}: no longer always there" for name in sorted(before - now))
    # A stack that was deployed before does not have it, so the new schema would refuse what the old one took.
    yield from (f"{path}{name}: newly required" for name in sorted(now - before))
    properties = current.get("properties", {})
    for name, schema in released.get("properties", {}).items():
        if name in properties:
            yield from incompatibilities(schema, properties[name], f"{path}{name}.")
        else:
            yield f"{path}{name}: removed"
    if ("items" in released) != ("items" in current):
        yield f"{here}: items given in one only"
    elif "items" in released:
        yield from incompatibilities(released["items"], current["items"], f"{path.removesuffix('.')}[].")
