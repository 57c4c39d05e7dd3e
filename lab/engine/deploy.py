"""Deploying and destroying a stack: the engine's two verbs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from lab.engine import program as programs
from lab.engine import state as states
from lab.engine.contract import Properties, Provider
from lab.engine.deployer import Deployer, Step
from lab.engine.events import Diagnostic, OnEvent
from lab.engine.interrupt import deferred_interrupt
from lab.engine.monitor import Engine, Monitor
from lab.engine.project import Project, StackConfig
from lab.engine.state import State
from lab.engine.wire import contains_secret, plain_properties


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
        """Whether any resource was (in a preview: would be) touched."""
        return any(step.op not in ("same", "read") for step in self.steps)


class DeploymentError(Exception):
    """The run did not succeed; what had succeeded is kept in the state and told in `deployment`."""

    def __init__(self, message: str, deployment: Deployment) -> None:
        super().__init__(message)
        self.deployment = deployment


def deploy(
    project: Project,
    stack: StackConfig,
    provider: Provider,
    state_path: Path,
    *,
    dry_run: bool = False,
    on_event: OnEvent = lambda _: None,
) -> Deployment:
    """Run the program and bring the stack to what it wants; with `dry_run` only say what that would do.

    Raises DeploymentError for a failed program or step, StateError for a state that is locked or broken, and
    KeyboardInterrupt after what was running at an interrupt has finished and been saved.
    """
    if dry_run:
        state = states.load(state_path, writable=False)
        return _deploy(project, stack, provider, state, dry_run=True, on_event=on_event)
    with states.locked(state_path):
        state = states.load(state_path, writable=True)
        return _deploy(project, stack, provider, state, dry_run=False, on_event=on_event)


def destroy(
    project: Project,
    stack: StackConfig,
    provider: Provider,
    state_path: Path,
    *,
    on_event: OnEvent = lambda _: None,
) -> Deployment:
    """Delete everything of the stack, dependents first, without running the program; errors as with `deploy`."""
    with states.locked(state_path):
        state = states.load(state_path, writable=True)
        deployer = _deployer(project, stack, provider, state, dry_run=False, on_event=on_event)
        _delete_rest(deployer)
        return _result(deployer, {})


def outputs(state_path: Path) -> Properties:
    """The outputs of the last successful deployment in plain, empty where there is none."""
    rows = states.load(state_path, writable=False).rows
    return next((plain_properties(row.outputs) for row in rows if row.type == "pulumi:pulumi:Stack"), {})


def _deploy(
    project: Project, stack: StackConfig, provider: Provider, state: State, *, dry_run: bool, on_event: OnEvent
) -> Deployment:
    deployer = _deployer(project, stack, provider, state, dry_run=dry_run, on_event=on_event)
    monitor = Monitor(deployer)
    program = programs.Program(
        directory=project.directory,
        main=project.main,
        project=project.name,
        stack=stack.name,
        config=dict(stack.values),
        secret_keys=stack.secret_keys,
    )
    try:
        programs.run(program, monitor=monitor, engine=Engine(deployer), dry_run=dry_run, stop=deployer.stop)
    except (Exception, SystemExit) as error:
        if not deployer.failures:
            message = programs.explain(error, project.directory)
            deployer.log(Diagnostic(severity="error", message=message))
            deployer.failures.append(message)
        raise _failed(deployer) from error
    _delete_rest(deployer)
    stack_row = state.live(monitor.stack_urn)
    if stack_row is not None:
        state.put(replace(stack_row, outputs=monitor.stack_outputs))
    return _result(deployer, monitor.stack_outputs)


def _deployer(
    project: Project, stack: StackConfig, provider: Provider, state: State, *, dry_run: bool, on_event: OnEvent
) -> Deployer:
    return Deployer(
        project=project.name,
        stack=stack.name,
        config=stack.values,
        provider=provider,
        state=state,
        dry_run=dry_run,
        on_event=on_event,
    )


def _delete_rest(deployer: Deployer) -> None:
    with deferred_interrupt(deployer.stop):
        deployer.delete_rest()
    if deployer.failures:
        raise _failed(deployer)


def _failed(deployer: Deployer) -> DeploymentError:
    return DeploymentError("\n".join(deployer.failures), _result(deployer, {}))


def _result(deployer: Deployer, outputs: Properties) -> Deployment:
    return Deployment(
        outputs=plain_properties(outputs),
        secret_outputs=frozenset(key for key, value in outputs.items() if contains_secret(value)),
        steps=tuple(deployer.steps),
        summary=deployer.changes,
    )
