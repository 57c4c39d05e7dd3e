"""Deploying the project's Pulumi program on the lab: with the real `pulumi` where it is on PATH, else the lab's engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.engine.deploy import Deployment, DeploymentError, deploy
from lab.engine.events import Diagnostic, Event, StepFailed, StepFinished
from lab.engine.project import ConfigError, Project, StackConfig, load_project
from lab.engine.render import line, summary
from lab.engine.state import StateError
from lab.progress import Progress
from lab.provider import AwsProvider
from lab.running import LabError, RunningLab

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What is deployed: the project, one stack's configuration, and its region."""

    project: Project
    stack: StackConfig
    region: str


def load(directory: Path, stack: str) -> StackSettings:
    """The configuration of `stack`; LabError names every fault of it."""
    if not (directory / f"Pulumi.{stack}.yaml").exists():
        known = sorted(file.name.split(".")[1] for file in directory.glob("Pulumi.*.yaml"))
        raise LabError(f"there is no Pulumi.{stack}.yaml; stacks here: {', '.join(known) or 'none'}")
    try:
        project = load_project(directory)
        config = project.stack(stack)
    except ConfigError as error:
        raise LabError(str(error)) from error
    return StackSettings(project=project, stack=config, region=config.values.get("aws:region", DEFAULT_REGION))


def up(lab: RunningLab, settings: StackSettings, *, progress: Progress) -> Deployment:
    """Bring the stack to what its program wants. LabError where it could not; what succeeded is kept."""

    def tell(event: Event) -> None:
        if isinstance(event, Diagnostic | StepFailed) or (isinstance(event, StepFinished) and event.op != "same"):
            progress.line(line(event))

    try:
        done = deploy(settings.project, settings.stack, _provider(lab), lab.stack_state, on_event=tell)
    except (DeploymentError, StateError) as error:
        raise LabError(f"the stack is not up: {error}") from error
    progress.line(
        f"stack {settings.stack.name}: {'nothing to change, ' if not done.changed else ''}{summary(done.summary)}"
    )
    return done


def _provider(lab: RunningLab) -> AwsProvider:
    return AwsProvider(endpoint_url=lab.endpoint)
