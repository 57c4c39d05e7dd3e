"""Steps of the lab's engine against those of the real one, as they were recorded or as they come from the CLI."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lab.engine.events import Step

PREFIX = "urn:pulumi:dev::gold::"


def compare_steps(golden: dict[str, Any], steps: list[Step], pairs: set[tuple[str, str]], where: str) -> None:
    """Multiset, failures, each resource's own steps in order, and those of two of which one needs the other."""
    refresh = golden["cmd"] == "refresh"
    wanted = golden.get("done" if refresh else "steps", [])
    # A refresh before another command is no step of ours.
    wanted = [step for step in wanted if not step.startswith("refresh ")]
    failed = Counter(f"{step.op} {step.urn.removeprefix(PREFIX)}" for step in steps if step.error)
    if not golden["cmd"].startswith("preview"):  # of a preview the real engine records no failed steps
        assert failed == Counter(golden.get("failed", [])), where
    found = [f"{step.op} {step.urn.removeprefix(PREFIX)}" for step in steps]
    assert Counter(found) == Counter(wanted), where
    for pair in set() if refresh else pairs | {(urn, urn) for urn in (step.split(" ", 1)[1] for step in wanted)}:
        of_both = [[step for step in order if step.split(" ", 1)[1] in pair] for order in (found, wanted)]
        assert of_both[0] == of_both[1], (where, pair)
