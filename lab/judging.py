"""Holding a deployment against policies: which runs of the engine ask the pack, and what a violation ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from lab.engine import state
from lab.engine.deploy import Deployment
from lab.engine.gate import Gate
from lab.engine.state import StateError
from lab.gate.choice import Policies
from lab.gate.pack import Pack, PackError
from lab.gate.policy_gate import PolicyGate
from lab.gate.report import report
from lab.protocol.contract import RefusedError, StackConfig
from lab.running import LabError
from lab.stack.project import Project

Say = Callable[[str], None]
Run = Callable[[Literal["preview", "up"], Say, Gate], Deployment]
"""Runs the engine: what to do, where to say it, whom to ask."""


class PoliciesError(LabError):
    """Mandatory policies are violated."""


def deployed(
    policies: Policies, project: Project, stack: StackConfig, verb: Literal["preview", "up"], run: Run, *, say: Say
) -> Deployment:
    """Preview or bring up by `run`, held against `policies`.

    An `up` previews first, unseen, and makes nothing where that violates a mandatory policy; then each resource must
    pass once more with what has become known. Raises PoliciesError, PackError, and what `run` raises.
    """
    with policies.running(project.name, stack, dry_run=verb == "preview") as pack:
        gate = PolicyGate(pack, enforcing=False)
        done = run("preview", say if verb == "preview" else _silent, gate)
        if verb == "preview" or gate.violated:
            _tell(pack, gate, say)
        _refuse(gate, "" if verb == "preview" else "; nothing was made")
        if verb == "preview":
            return done
        gate = PolicyGate(pack, enforcing=True)
        try:
            return run("up", say, gate)
        finally:
            _tell(pack, gate, say)


def analyze(policies: Policies, project: Project, stack: StackConfig, state_path: Path, *, say: Say) -> None:
    """Hold what is deployed against `policies`, as `pulumi policy analyze` does: in the state nothing is unknown.

    Raises PoliciesError where it violates a mandatory one, LabError where it cannot be held against them.
    """
    try:
        rows = [row for row in state.load(state_path, writable=False).rows if not row.delete]
        if not rows:
            raise LabError("nothing is deployed; bring it up with: lab up")
        with policies.running(project.name, stack, dry_run=False) as pack:
            gate = PolicyGate(pack, enforcing=False)
            gate.state(rows)
            _tell(pack, gate, say)
    except (PackError, RefusedError, StateError) as error:
        raise LabError(str(error)) from error
    _refuse(gate)


def _tell(pack: Pack, gate: PolicyGate, say: Say) -> None:
    say(report(pack, gate.diagnostics, gate.not_applicable))


def _refuse(gate: PolicyGate, consequence: str = "") -> None:
    if gate.violated:
        count = "1 mandatory violation" if gate.violated == 1 else f"{gate.violated} mandatory violations"
        raise PoliciesError(f"{count} of policies{consequence}")


def _silent(_: str) -> None:
    return None
