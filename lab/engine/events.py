"""What a deployment tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from lab.protocol.contract import Properties

Replacing = Literal["replace", "create-replacement", "delete-replaced"]
Op = Replacing | Literal["create", "same", "update", "delete", "read", "discard", "refresh"]
Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step that has ended, after `seconds`; where it failed, `error` says why.

    `keys` are the inputs that make it an update or a replacement; `old` and `new` are the inputs as on the wire.
    """

    op: Op
    urn: str
    keys: tuple[str, ...] = ()
    old: Properties = field(default_factory=dict)
    new: Properties = field(default_factory=dict)
    seconds: float = 0.0
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """A line of pulumi.log, or of the engine itself. `urn` is empty where it is about no resource."""

    severity: Severity
    message: str
    urn: str = ""


Event = Step | Diagnostic
OnEvent = Callable[[Event], None]
