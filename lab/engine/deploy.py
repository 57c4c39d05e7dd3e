"""What the engine does to a stack: deploy, refresh and destroy it, and tell its outputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lab.engine import program
from lab.engine import state as states
from lab.engine.deployer import Deployer
from lab.engine.events import Diagnostic, OnEvent, Step
from lab.engine.gate import Gate
from lab.engine.interrupt import run_interruptibly
from lab.engine.monitor import Monitor
from lab.protocol import urn as urns
from lab.protocol.contract import Program, Properties, Provider, StackConfig
from lab.protocol.wire import contains, is_secret, plain_properties


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What a run did.

    `outputs` are the stack's in plain, with contract.UNKNOWN for what a preview cannot know; `secret_outputs` names
    those not to show. `summary` counts resources by operation as the CLI does.
    """

    outputs: Properties
    secret_outputs: frozenset[str]
    steps: tuple[Step, ...]
    summary: dict[str, int]

    @property
    def changed(self) -> bool:
        """Whether the CLI calls it a change: any resource was (in a preview: would be) touched."""
        return bool(self.summary.keys() - {"same"})


class DeploymentError(Exception):
    """The run did not succeed; what had succeeded is kept in the state and told in `deployment`."""

    def __init__(self, message: str, deployment: Deployment) -> None:
        super().__init__(message)
        self.deployment = deployment


def deploy(
    project: Program,
    stack: StackConfig,
    provider: Provider,
    state_path: Path,
    *,
    dry_run: bool = False,
    refresh: bool = False,
    on_event: OnEvent = lambda _: None,
    gate: Gate | None = None,
) -> Deployment:
    """Run the program and bring the stack to what it wants; with `dry_run` only say what that would do.

    With `refresh` the state is first brought to what there is. The `gate` is asked about every resource and may refuse
    it. Raises DeploymentError for a failed program or step, StateError for a state that is locked or broken, and
    KeyboardInterrupt after what was running at an interrupt has finished and been saved.
    """
    with nullcontext() if dry_run else states.locked(state_path):
        state = states.load(state_path, writable=not dry_run)
        new_run = partial(Deployer, project.name, stack, provider, state, dry_run=dry_run)
        if refresh:
            reading = new_run(lambda _: None)
            _in_threads(reading, reading.refresh)
        deployer = new_run(on_event, gate=gate)
        monitor = Monitor(deployer)
        try:
            program.run(project, stack, monitor=monitor, dry_run=dry_run, stop=deployer.stop)
            deployer.judge_stack()
        except (Exception, SystemExit) as error:
            if not deployer.failures:
                message = program.explain(error, project.directory)
                deployer.log(Diagnostic(severity="error", message=message))
                deployer.failures.append(message)
            raise _failed(deployer) from error
        _in_threads(deployer, deployer.delete_rest)
        if (row := state.live(monitor.stack_urn)) is not None:
            state.put(replace(row, outputs=monitor.stack_outputs))
        return _result(deployer, monitor.stack_outputs)


def refresh(
    project: Program, stack: StackConfig, provider: Provider, state_path: Path, *, on_event: OnEvent = lambda _: None
) -> Deployment:
    """Bring the state to what there is, without running the program; errors as with `deploy`."""
    return _without_program(Deployer.refresh, project, stack, provider, state_path, on_event)


def destroy(
    project: Program, stack: StackConfig, provider: Provider, state_path: Path, *, on_event: OnEvent = lambda _: None
) -> Deployment:
    """Delete everything of the stack, dependents first, without running the program; errors as with `deploy`."""
    return _without_program(Deployer.delete_rest, project, stack, provider, state_path, on_event)


def outputs(state_path: Path, *, show_secrets: bool = True) -> Properties:
    """The outputs of the last successful deployment, empty where there is none; secrets in plain or as [secret]."""
    rows = states.load(state_path, writable=False).rows
    known = next((row.outputs for row in rows if row.type == urns.STACK_TYPE), {})
    hidden = set() if show_secrets else {key for key, value in known.items() if contains(value, is_secret)}
    return {**plain_properties(known), **dict.fromkeys(hidden, "[secret]")}


def _without_program(
    work: Callable[[Deployer], None],
    project: Program,
    stack: StackConfig,
    provider: Provider,
    state_path: Path,
    on_event: OnEvent,
) -> Deployment:
    with states.locked(state_path):
        state = states.load(state_path, writable=True)
        deployer = Deployer(project.name, stack, provider, state, on_event, dry_run=False)
        _in_threads(deployer, partial(work, deployer))
        return _result(deployer, {})


def _in_threads(deployer: Deployer, work: Callable[[], None]) -> None:
    run_interruptibly(partial(asyncio.to_thread, work), deployer.stop)
    if deployer.failures:
        raise _failed(deployer)


def _failed(deployer: Deployer) -> DeploymentError:
    return DeploymentError("\n".join(deployer.failures), _result(deployer, {}))


def _result(deployer: Deployer, outputs: Properties) -> Deployment:
    return Deployment(
        outputs=plain_properties(outputs),
        secret_outputs=frozenset(key for key, value in outputs.items() if contains(value, is_secret)),
        steps=tuple(deployer.steps),
        summary=deployer.changes,
    )
