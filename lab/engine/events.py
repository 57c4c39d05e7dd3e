"""What a deployment tells while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Op = Literal[
    "create",
    "same",
    "update",
    "replace",
    "create-replacement",
    "delete-replaced",
    "delete",
    "read",
    "discard",
]
Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True, kw_only=True)
class StepStarted:
    """A step begins. `keys` are the inputs that make it an update or a replacement."""

    op: Op
    urn: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepFinished:
    """A step is done and saved; it took `seconds`."""

    op: Op
    urn: str
    seconds: float
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepFailed:
    """A step did not succeed."""

    op: Op
    urn: str
    seconds: float
    message: str


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """A line of pulumi.log, or of the engine itself. `urn` is empty where it is about no resource."""

    severity: Severity
    message: str
    urn: str = ""


Event = StepStarted | StepFinished | StepFailed | Diagnostic
OnEvent = Callable[[Event], None]
