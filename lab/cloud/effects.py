"""What a call to the API means for a machine: recorded by the corrections, carried out by the power switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One thing a machine has to do."""

    kind: Literal["launch", "start", "stop", "reboot", "terminate"]
    instance_id: str
