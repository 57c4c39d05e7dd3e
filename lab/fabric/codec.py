"""`VpcState` as JSON: field names as in lab/fabric/model.py, tuples as arrays, nothing renamed."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from lab.fabric.model import VpcState

T = TypeVar("T")


class DocumentError(ValueError):
    """A document that is not a `VpcState`; the text names every fault and where it stands."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("not a VpcState: " + "; ".join(faults))
        self.faults = faults


def to_json(state: VpcState) -> dict[str, Any]:
    """The document of a state, ready for `json.dumps`."""
    return asdict(state)


def from_json(document: object) -> VpcState:
    """The state of a document; a field with a default may be absent. Raises DocumentError with every fault."""
    faults: list[str] = []
    state = _dataclass(VpcState, document, "state", faults)
    if faults or state is None:
        raise DocumentError(faults)
    return state


def _dataclass(kind: type[T], document: object, where: str, faults: list[str]) -> T | None:
    if not isinstance(document, Mapping):
        faults.append(f"{where} is {document!r}, not an object")
        return None
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    faults.extend(f"{where}.{name} is not a field of {kind.__name__}" for name in document.keys() - known.keys())
    values: dict[str, Any] = {}
    before = len(faults)
    for name, field in known.items():
        if name in document:
            values[name] = _value(hints[name], document[name], f"{where}.{name}", faults)
        elif field.default is MISSING:
            faults.append(f"{where}.{name} is missing")
    return kind(**values) if len(faults) == before else None


def _value(hint: Any, value: object, where: str, faults: list[str]) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(hint, value, where, faults)
    if get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            faults.append(f"{where} is {value!r}, not an array")
            return ()
        inner = get_args(hint)[0]
        return tuple(_value(inner, item, f"{where}[{index}]", faults) for index, item in enumerate(value))
    allowed = get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if type(value) not in allowed:
        names = " or ".join("null" if kind is types.NoneType else kind.__name__ for kind in allowed)
        faults.append(f"{where} is {value!r}, not {names}")
    return value
