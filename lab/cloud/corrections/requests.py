"""What a request must be before anybody looks at what it means: names and forms, by the model of the EC2 API.

The model is botocore's, which is the API reference as data. Pure.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from lab.cloud.corrections.refusals import invalid_value, refusal

# Parameters every action takes (API reference, "Common query parameters"); those of SigV4 begin with X-Amz-.
COMMON = {
    *("Action", "Version", "AWSAccessKeyId", "Expires", "SecurityToken", "Timestamp"),
    *("Signature", "SignatureMethod", "SignatureVersion"),
}
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
LIST_INDEX = re.compile(r"[1-9][0-9]{0,4}")
# RunInstances has its own words for a type that is not there; user data are counted where they are decoded.
CHECKED_LATER = frozenset({"InstanceType"})


def check_request(shape: Any, given: Mapping[str, str]) -> None:
    """Raise EC2's refusal of the first parameter of `given` (by query name) that `shape`, the action's, does not take.

    Codes: UnknownParameter, MissingParameter, InvalidParameterValue (API reference, "Common client error codes").
    """
    for name, value in given.items():
        if name not in COMMON and not name.lower().startswith("x-amz-"):
            _check(shape, name.split("."), name, value)
    for member in shape.required_members if shape is not None else ():
        name = query_name(member, shape.members[member])
        if not any(each == name or each.startswith(f"{name}.") for each in given):
            raise refusal("MissingParameter", f"The request must contain the parameter {name}")


def query_name(member: str, shape: Any) -> str:
    """What a member of the model is called in a query: its queryName, else its locationName with a capital."""
    written = shape.serialization.get("queryName")
    if written:
        return str(written)
    name = str(shape.serialization.get("name", member))
    return name[0].upper() + name[1:]


def spoken_name(name: str) -> str:
    """A query parameter as EC2's messages write it: `maxResults` for MaxResults."""
    return name[0].lower() + name[1:]


def _check(shape: Any, rest: list[str], name: str, value: str) -> None:
    kind = None if shape is None else shape.type_name
    if kind == "structure" and rest:
        for member, inner in shape.members.items():
            if query_name(member, inner) == rest[0]:
                _check(inner, rest[1:], name, value)
                return
    elif kind == "list" and rest and LIST_INDEX.fullmatch(rest[0]):
        _check(shape.member, rest[1:], name, value)
        return
    elif kind == "list" and not rest and not value:
        return  # an empty list
    elif not rest and kind not in (None, "structure", "list"):
        _check_form(shape, name, value)
        return
    raise refusal("UnknownParameter", f"The parameter {rest[0] if rest else name} is not recognized")


def _check_form(shape: Any, name: str, value: str) -> None:
    wrong = f"Value ({value}) for parameter {spoken_name(name)} is invalid."
    kind = shape.type_name
    if kind in ("integer", "long") and not WHOLE_NUMBER.fullmatch(value):
        raise invalid_value(f"{wrong} Expecting an integer.")
    if kind == "boolean" and value.lower() not in ("true", "false"):
        raise invalid_value(f"{wrong} Expecting true or false.")
    if kind in ("float", "double") and not _is_number(value):
        raise invalid_value(f"{wrong} Expecting a number.")
    if kind == "blob" and not is_base64(value):
        raise invalid_value(f"{wrong} Invalid BASE64 encoding.")
    allowed = getattr(shape, "enum", None)
    if allowed and shape.name not in CHECKED_LATER and value not in allowed:
        raise invalid_value(f"{wrong} Expecting one of: {', '.join(allowed)}.")


def is_base64(text: str) -> bool:
    """Whether `text` is base64, in one line or many."""
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
