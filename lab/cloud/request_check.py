"""Whether a query is what EC2's model of the call says: names, required parameters, types. Pure.

The model is botocore's, which AWS publishes; codes and words are those of the EC2 API reference, "Error codes".
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, OperationModel, OperationNotFoundError, ServiceModel, Shape, StructureShape

# What may stand in any query beside the call's own parameters (EC2 API reference, "Common query parameters").
COMMON = frozenset(
    {"Action", "Version", "AWSAccessKeyId", "Timestamp", "Expires", "Signature", "SignatureMethod", "SignatureVersion"}
)
_NUMBER = re.compile(r"[+-]?[0-9]{1,19}")
_BITS = {"integer": 31, "long": 63}
# XML 1.0, production Char: an answer could not repeat any other.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

Tree = dict[str, Any]


class BadRequestError(ValueError):
    """A query EC2 refuses before it looks at anything: `code` and the words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def check(action: str, fields: Iterable[tuple[str, str]]) -> None:
    """Raise BadRequestError with EC2's code for the first thing wrong in a query of `action`."""
    operation = _operation(action)
    if operation is None:
        raise BadRequestError("InvalidAction", f"The action {action} is not valid for this web service.")
    given: dict[str, str] = {}
    for name, value in fields:
        if name in given:
            raise BadRequestError("MalformedQueryString", f"The parameter {name} is there twice")
        given[name] = value
    own = {name: value for name, value in given.items() if name not in COMMON and not name.startswith("X-Amz-")}
    _check(operation.input_shape, _tree(own), "")


@cache
def _model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("ec2")


@cache
def _operation(action: str) -> OperationModel | None:
    try:
        return _model().operation_model(action)
    except OperationNotFoundError:
        return None


def _tree(fields: Mapping[str, str]) -> Tree:
    """`A.1.B=x` as {"A": {"1": {"B": "x"}}}."""
    root: Tree = {}
    for name, value in fields.items():
        if found := _NO_XML.search(name + value):
            raise BadRequestError("InvalidCharacter", f"A character is not valid: {found[0]!r} in {name!r}")
        *path, last = name.split(".")
        here = root
        for part in path:
            here = here.setdefault(part, {})
            if not isinstance(here, dict):
                raise _unknown(name)
        if last in here:
            raise _unknown(name)
        here[last] = value
    return root


def _check(shape: Shape | None, value: Tree | str, where: str) -> None:
    if isinstance(shape, StructureShape):
        _check_structure(shape, value, where)
    elif isinstance(shape, ListShape):
        if isinstance(value, str):
            raise _unknown(where)
        for index, item in value.items():
            if not (index.isascii() and index.isdecimal() and int(index) >= 1):
                raise _unknown(f"{where}.{index}")
            _check(shape.member, item, f"{where}.{index}")
    elif isinstance(value, dict):
        raise _unknown(f"{where}.{next(iter(value))}" if where else next(iter(value)))
    elif shape is not None and not _fits(shape.type_name, value):
        raise BadRequestError("InvalidParameterValue", f"Value ({value[:100]}) for parameter {where} is invalid.")


def _check_structure(shape: StructureShape, value: Tree | str, where: str) -> None:
    if isinstance(value, str):
        raise _unknown(where)
    members = _members(shape)
    prefix = f"{where}." if where else ""
    for name, item in value.items():
        if name not in members:
            raise _unknown(prefix + name)
        _check(members[name], item, prefix + name)
    for name, member in _required(shape).items():
        if not value.get(name):
            raise BadRequestError("MissingParameter", f"The request must contain the parameter {prefix}{member}")


@cache
def _members(shape: StructureShape) -> dict[str, Shape]:
    return {query_name(name, member): member for name, member in shape.members.items()}


@cache
def _required(shape: StructureShape) -> dict[str, str]:
    return {query_name(name, shape.members[name]): name for name in shape.required_members}


def query_name(name: str, member: Shape) -> str:
    """How EC2's query protocol writes a member (botocore.serialize.EC2Serializer)."""
    given = member.serialization.get("queryName")
    if given:
        return str(given)
    text = str(member.serialization.get("name", name))
    return text[0].upper() + text[1:]


def _fits(kind: str, value: str) -> bool:
    if kind in _BITS:
        return bool(_NUMBER.fullmatch(value)) and -(1 << _BITS[kind]) <= int(value) < 1 << _BITS[kind]
    if kind == "boolean":
        return value.lower() in ("true", "false")
    if kind in ("float", "double"):
        try:
            return float(value) == float(value)
        except ValueError:
            return False
    if kind == "blob":
        try:
            b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            return False
    return True


def _unknown(name: str) -> BadRequestError:
    return BadRequestError("UnknownParameter", f"The parameter {name} is not recognized")
