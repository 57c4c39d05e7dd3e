"""Who is asked before a deployment has a resource: in the lab, a policy pack (lab/gate)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lab.engine.goal import Goal
from lab.engine.row import Row


class Gate(Protocol):
    """Asked by one deployment. RefusedError keeps what is asked about from happening; a preview is not to be ended."""

    def resource(self, goal: Goal, provider: Row | None) -> None:
        """About a resource before it is made, changed or kept, with its checked inputs; one at a time."""

    def stack(self, rows: Sequence[Row]) -> None:
        """About all resources of the program, after the last and before what it no longer has is deleted."""
