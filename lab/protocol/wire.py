"""Pulumi's property values on the wire: protobuf structs to plain values and back, secrets and references apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf import struct_pb2  # type: ignore[import-untyped]

from lab.protocol.contract import UNKNOWN, Properties, RefusedError

# Signatures of pulumi/runtime/rpc.py: a map that has SIGNATURE is no map but the kind of value its signature names.
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker, no secret
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
ASSETS = ("c44067f5952c0a294b673a41bacd8c17", "0def7320c3a5731c473e5ecbe6d01bc7")


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """A struct as a dictionary; whole numbers become int, as in JSON."""
    return {key: from_value(value) for key, value in struct.fields.items()}


def from_value(value: struct_pb2.Value) -> Any:
    """A single value as `from_struct` makes them; None for one that is not set."""
    match value.WhichOneof("kind"):
        case "struct_value":
            return from_struct(value.struct_value)
        case "list_value":
            return [from_value(item) for item in value.list_value.values]
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
        case _:
            return None


def to_struct(properties: Properties) -> struct_pb2.Struct:
    """A dictionary of JSON values as a struct."""
    struct = struct_pb2.Struct()
    struct.update(properties)
    return struct


def is_secret(value: Any) -> bool:
    """Whether the value itself is marked secret."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def secret(value: Any) -> Any:
    """The value marked secret, once."""
    return value if is_secret(value) else {SIGNATURE: SECRET, "value": value}


def contains(value: Any, kind: Callable[[Any], bool]) -> bool:
    """Whether the value, or anything in it, is of a kind: `is_secret`, `is_unknown`."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return kind(value) or any(contains(item, kind) for item in inside)


def is_unknown(value: Any) -> bool:
    """Whether the value itself is not known yet."""
    return bool(value == UNKNOWN)


def plain(value: Any) -> Any:
    """The value for a provider: secrets unwrapped, a resource as its id (or URN where it has none).

    Raises RefusedError for assets and archives, which the lab's engine does not carry.
    """
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    signature = value.get(SIGNATURE)
    if signature == SECRET:
        return plain(value["value"])
    if signature == RESOURCE:
        return value.get("id") or (UNKNOWN if "id" in value else value["urn"])
    if signature is not None:
        kind = "an asset or archive" if signature in ASSETS else f"a value of the unknown kind {signature}"
        raise RefusedError(f"it has {kind}, which the lab's engine does not carry: pass a string")
    return {key: plain(item) for key, item in value.items()}


def plain_properties(properties: Properties) -> Properties:
    """All values of a resource as `plain` makes them."""
    return {key: plain(value) for key, value in properties.items()}


def remark(properties: Properties, like: Properties, also: tuple[str, ...] = ()) -> Properties:
    """Properties with those marked secret that are so in `like`, or that `also` names."""
    marked = {key: _marked(value, like.get(key)) for key, value in properties.items()}
    return {key: secret(value) if key in also else value for key, value in marked.items()}


def _marked(value: Any, like: Any) -> Any:
    if isinstance(value, dict) and isinstance(like, dict) and SIGNATURE not in like:
        return {key: _marked(item, like.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(like, list) and len(value) == len(like):
        return [_marked(item, other) for item, other in zip(value, like, strict=True)]
    return secret(value) if contains(like, is_secret) else value
