"""Deploying the project's Pulumi program on the lab: by the real `pulumi` where it is on PATH, else by its engine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.engine import real_cli
from lab.engine.deploy import DeploymentError, deploy
from lab.engine.events import Diagnostic, Event, StepFailed, StepFinished
from lab.engine.project import ConfigError, Project, StackConfig, load_project
from lab.engine.real_cli import CliError, RealCli
from lab.engine.render import line, summary
from lab.engine.state import StateError
from lab.progress import Progress
from lab.provider import AwsProvider
from lab.provider.plugin import plugin_version, write_plugin
from lab.running import LabError, RunningLab

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class StackSettings:
    """What is deployed: the project, one stack's configuration with the `overrides` in it, and its region."""

    project: Project
    stack: StackConfig
    region: str
    overrides: Mapping[str, Any]

    @property
    def image_id(self) -> str | None:
        """The machine image the stack asks for by id; None where it looks one up by name."""
        return self.stack.values.get(f"{self.project.name}:imageId") or None


def load(directory: Path, stack: str, overrides: Sequence[str] = ()) -> StackSettings:
    """The configuration of `stack`, with `overrides` (KEY=VALUE) instead of its file's; LabError names every fault."""
    if not (directory / f"Pulumi.{stack}.yaml").exists():
        known = sorted(file.name.split(".")[1] for file in directory.glob("Pulumi.*.yaml"))
        raise LabError(f"there is no Pulumi.{stack}.yaml; stacks here: {', '.join(known) or 'none'}")
    try:
        project = load_project(directory)
        changed = project.overrides(overrides)
        config = project.stack(stack, changed)
    except ConfigError as error:
        raise LabError(str(error)) from error
    region = config.values.get("aws:region", DEFAULT_REGION)
    return StackSettings(project=project, stack=config, region=region, overrides=changed)


def up(lab: RunningLab, settings: StackSettings, *, progress: Progress) -> dict[str, Any]:
    """Bring the stack to what its program wants and give its outputs. LabError where it could not.

    What succeeded is kept: the next `up` goes on from there.
    """
    executable = real_cli.find()
    if executable is None:
        return _up_with_engine(lab, settings, progress=progress)
    progress.line(f"deploying with {executable}")
    return _up_with_cli(lab, settings, executable, progress=progress)


def _up_with_engine(lab: RunningLab, settings: StackSettings, *, progress: Progress) -> dict[str, Any]:
    def tell(event: Event) -> None:
        if isinstance(event, Diagnostic | StepFailed) or (isinstance(event, StepFinished) and event.op != "same"):
            progress.line(line(event))

    progress.line("deploying with the lab's engine (no `pulumi` on PATH)")
    provider = AwsProvider(endpoint_url=lab.endpoint, report=progress.line)
    try:
        done = deploy(settings.project, settings.stack, provider, lab.stack_state, on_event=tell)
    except (DeploymentError, StateError) as error:
        raise LabError(f"the stack is not up: {error}") from error
    unchanged = "" if done.changed else "nothing to change, "
    progress.line(f"stack {settings.stack.name}: {unchanged}{summary(done.summary)}")
    return done.outputs


def _up_with_cli(lab: RunningLab, settings: StackSettings, executable: Path, *, progress: Progress) -> dict[str, Any]:
    home = lab.paths.home / "pulumi"
    cli = RealCli(
        executable=executable,
        project=lab.project,
        stack=settings.stack.name,
        home=home,
        plugin=write_plugin(home),
        plugin_version=plugin_version(),
        endpoint_url=lab.endpoint,
        overrides=settings.overrides,
    )
    try:
        real_cli.run(cli, "up", base=os.environ, on_line=progress.line)
        return real_cli.stack_outputs(cli, base=os.environ)
    except CliError as error:
        raise LabError(f"the stack is not up: {error}") from error
