"""What is wrong with inputs, as pure decisions over a schema. UNKNOWN is right everywhere."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from lab.protocol.contract import UNKNOWN, Failure, Properties
from lab.provider.registry import Property, Schema

KINDS: Mapping[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
    dict: "an object",
}
WITHOUT_THE_LAB = "leave it away for the lab, or deploy with the real AWS provider"


def faults(whole: str, schema: Schema, inputs: Properties) -> tuple[Failure, ...]:
    """Everything wrong with the inputs of `whole`, a type's or function's token: all faults at once."""
    found = [*_of_object(whole, schema, schema.inputs, inputs, "")]
    if not found:
        found += [failure for rule in schema.rules for failure in rule(inputs)]
    return tuple(found)


def with_defaults(properties: Mapping[str, Property], inputs: Properties) -> Properties:
    """The inputs that are not None, with the defaults of those left out, in objects too; documents as text."""
    given = {key: value for key, value in inputs.items() if value is not None}
    for name, known in properties.items():
        value = given.get(name)
        if known.default is not None:
            given.setdefault(name, known.default)
        if known.document and isinstance(value, dict):
            given[name] = UNKNOWN if UNKNOWN in json.dumps(value) else json.dumps(value)
        if known.nested is None or value is None:
            continue
        if isinstance(value, dict):
            given[name] = with_defaults(known.nested, value)
        elif isinstance(value, list):
            given[name] = [with_defaults(known.nested, item) if isinstance(item, dict) else item for item in value]
    return given


def _of_object(
    whole: str, schema: Schema, properties: Mapping[str, Property], inputs: Properties, path: str
) -> Iterator[Failure]:
    for key in sorted(inputs.keys() - properties.keys()):
        yield Failure(property=path + key, reason=_unknown(whole, schema, properties, path, key))
    for key, known in properties.items():
        if key in inputs and inputs[key] is not None:
            yield from _of_value(whole, schema, known, inputs[key], path + key)
        elif known.required:
            yield Failure(property=path + key, reason="missing required property")


def _of_value(whole: str, schema: Schema, known: Property, value: Any, path: str) -> Iterator[Failure]:
    if value == UNKNOWN:
        return
    if not isinstance(value, known.kind) or (known.kind is int and isinstance(value, bool)):
        yield Failure(property=path, reason=f"must be {KINDS[known.kind]}, not {value!r}")
        return
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _of_item(whole, schema, known, item, f"{path}[{index}]", index)
    elif isinstance(value, dict) and known.nested is not None:
        yield from _of_object(whole, schema, known.nested, value, f"{path}.")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(item, str):
                yield Failure(property=f"{path}.{key}", reason=f"must be a text, not {item!r}")
    if known.wrong is not None and (reason := known.wrong(value)):
        yield Failure(property=path, reason=reason)


def _of_item(whole: str, schema: Schema, known: Property, item: Any, path: str, index: int) -> Iterator[Failure]:
    if item == UNKNOWN:
        return
    kind = str if known.nested is None else dict
    if not isinstance(item, kind):
        yield Failure(property=path, reason=f"must be {KINDS[kind]}, not {item!r}")
    elif isinstance(item, dict) and known.nested is not None:
        # `unmodelled` names paths without the index.
        for fault in _of_object(whole, schema, known.nested, item, path.removesuffix(f"[{index}]") + "."):
            yield Failure(property=f"{path}.{fault.property.rpartition('.')[2]}", reason=fault.reason)


def _unknown(whole: str, schema: Schema, properties: Mapping[str, Property], path: str, key: str) -> str:
    if path + key in schema.unmodelled:
        return f"the lab does not model {path}{key} of {whole}: {WITHOUT_THE_LAB}"
    close = difflib.get_close_matches(key, properties, n=1)
    hint = f"did you mean {path}{close[0]}?" if close else f"there are {', '.join(sorted(properties))}"
    return f"{whole} has no property {path}{key}: correct the name ({hint})"
