"""Deploying the project's Pulumi program on the lab: by the real `pulumi` where it is on PATH, else by its engine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from rich.markup import escape

from lab import judging
from lab.engine import deploy
from lab.engine.deploy import Deployment, DeploymentError
from lab.engine.events import Event, Step
from lab.engine.gate import Gate
from lab.engine.state import StateError
from lab.gate.choice import Policies
from lab.gate.pack import PackError
from lab.judging import PoliciesError
from lab.progress import Progress
from lab.protocol import urn
from lab.protocol.contract import StackConfig
from lab.provider import AwsProvider
from lab.provider.plugin import plugin_version, write_plugin
from lab.running import LabError, RunningLab
from lab.stack import real_cli, render
from lab.stack.project import ConfigError, Project, load_project
from lab.stack.real_cli import CliError, RealCli, Verb

DEFAULT_REGION = "us-east-1"


TITLES: dict[Verb, str] = {
    "preview": "Previewing update",
    "up": "Updating",
    "refresh": "Refreshing",
    "destroy": "Destroying",
}


class ChangesError(LabError):
    """There are changes where none were expected."""


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


def load(
    directory: Path, stack: str, overrides: Sequence[str] = (), in_force: Mapping[str, Any] = MappingProxyType({})
) -> StackSettings:
    """The configuration of `stack`, with `overrides` (KEY=VALUE) instead of its file's; LabError names every fault.

    Those `in_force`, by qualified key, stay where `overrides` do not name them.
    """
    if not (directory / f"Pulumi.{stack}.yaml").exists():
        known = sorted(file.name.split(".")[1] for file in directory.glob("Pulumi.*.yaml"))
        raise LabError(f"there is no Pulumi.{stack}.yaml; stacks here: {', '.join(known) or 'none'}")
    try:
        project = load_project(directory)
        changed = {**in_force, **project.overrides(overrides)}
        config = project.stack(stack, changed)
    except ConfigError as error:
        raise LabError(str(error)) from error
    region = config.values.get("aws:region", DEFAULT_REGION)
    return StackSettings(project=project, stack=config, region=region, overrides=changed)


def up(
    lab: RunningLab,
    settings: StackSettings,
    *,
    progress: Progress,
    expect_no_changes: bool = False,
    policies: Policies | None = None,
) -> dict[str, Any]:
    """Bring the stack to what its program wants, keep its outputs for later verbs, and answer them.

    With `policies` nothing is made where a preview violates a mandatory one (PoliciesError). Raises LabError where it
    could not (what succeeded is kept: the next `up` goes on from there), and ChangesError where something changed and
    `expect_no_changes` is set.
    """
    executable = real_cli.find()
    progress.line(f"deploying with {executable or 'the lab engine (no `pulumi` on PATH)'}")
    try:
        act(
            lab,
            settings,
            "up",
            say=lambda text: progress.line(escape(text)),
            expect_no_changes=expect_no_changes,
            policies=policies,
        )
    except ChangesError:
        lab.tell(outputs=outputs(lab, settings))
        raise
    lab.tell(outputs=outputs(lab, settings))
    return lab.outputs()


def act(
    lab: RunningLab,
    settings: StackSettings,
    verb: Verb,
    *,
    say: Callable[[str], None],
    expect_no_changes: bool = False,
    refresh: bool = False,
    policies: Policies | None = None,
) -> None:
    """Preview, bring up, refresh or destroy the stack, and `say` what happens as the Pulumi CLI does.

    `refresh` lets a preview compare with what there is instead of what was deployed; `policies` are for preview and up.
    Errors as with `up`.
    """
    executable = real_cli.find()
    if executable is not None:
        options = [("--expect-no-changes", expect_no_changes), ("--refresh", refresh)]
        chosen = tuple(option for option, wanted in options if wanted)
        judged = policies.options if policies is not None else ()
        cli = _cli(lab, settings, executable)
        try:
            if judged and verb == "up":  # run without its own preview, half of it may stand before it fails
                real_cli.run(cli, "preview", options=judged, base=os.environ, on_line=say)
            real_cli.run(cli, verb, options=(*chosen, *judged), base=os.environ, on_line=say)
        except CliError as error:
            raise _failed(verb, str(error), ChangesError if error.means_changes else LabError) from error
        return
    say(f"{TITLES[verb]} ({settings.stack.name}):")
    try:
        if policies is not None and (verb == "preview" or verb == "up"):

            def run(what: Literal["preview", "up"], tell: Callable[[str], None], gate: Gate) -> Deployment:
                return _with_engine(lab, settings, what, say=tell, refresh=refresh, gate=gate)

            done = judging.deployed(policies, settings.project, settings.stack, verb, run, say=say)
        else:
            done = _with_engine(lab, settings, verb, say=say, refresh=refresh)
    except (PoliciesError, PackError) as error:
        raise _failed(verb, str(error), PoliciesError if isinstance(error, PoliciesError) else LabError) from error
    except DeploymentError as error:
        say(render.report(error.deployment, dry_run=verb == "preview"))
        raise _failed(verb, str(error)) from error
    except StateError as error:
        raise _failed(verb, str(error)) from error
    say(render.report(done, dry_run=verb == "preview"))
    if expect_no_changes and done.changed:
        proposed = "would be made" if verb == "preview" else "were found" if verb == "refresh" else "were made"
        raise ChangesError(f"no changes were expected, but changes {proposed}")


def analyze(lab: RunningLab, settings: StackSettings, policies: Policies, *, say: Callable[[str], None]) -> None:
    """Hold what is deployed against policies. PoliciesError where it violates a mandatory one."""
    executable = real_cli.find()
    if executable is None:
        judging.analyze(policies, settings.project, settings.stack, lab.stack_state, say=say)
        return
    words = (str(executable), "policy", "analyze", *policies.options, "--stack", settings.stack.name)
    environment = real_cli.environment(_cli(lab, settings, executable), os.environ)
    done = subprocess.run(words, cwd=lab.project, env=environment, capture_output=True, text=True)
    say((done.stdout + done.stderr).rstrip())
    if done.returncode != 0:
        raise PoliciesError(f"`{' '.join(words)}` ended with exit code {done.returncode}")


def outputs(lab: RunningLab, settings: StackSettings, *, show_secrets: bool = True) -> dict[str, Any]:
    """The outputs of the deployed stack; secrets, if not shown, as [secret]. LabError where there is no state."""
    executable = real_cli.find()
    try:
        if executable is None:
            return deploy.outputs(lab.stack_state, show_secrets=show_secrets)
        return real_cli.stack_outputs(_cli(lab, settings, executable), base=os.environ, show_secrets=show_secrets)
    except (CliError, StateError) as error:
        raise LabError(str(error)) from error


def _with_engine(
    lab: RunningLab,
    settings: StackSettings,
    verb: Verb,
    *,
    say: Callable[[str], None],
    refresh: bool,
    gate: Gate | None = None,
) -> Deployment:
    dry_run = verb == "preview"

    def tell(event: Event) -> None:
        if isinstance(event, Step) and not event.error and (event.op == "same" or urn.is_default_provider(event.urn)):
            return
        say(render.line(event, dry_run=dry_run))

    provider = AwsProvider(endpoint_url=lab.endpoint, report=say)
    told = (settings.project, settings.stack, provider, lab.stack_state)
    match verb:
        case "refresh":
            return deploy.refresh(*told, on_event=tell)
        case "destroy":
            return deploy.destroy(*told, on_event=tell)
        case _:
            return deploy.deploy(*told, dry_run=dry_run, refresh=refresh, on_event=tell, gate=gate)


def _failed(verb: Verb, why: str, kind: type[LabError] = LabError) -> LabError:
    return kind(f"the stack is not up: {why}" if verb == "up" else f"{verb} failed: {why}")


def _cli(lab: RunningLab, settings: StackSettings, executable: Path) -> RealCli:
    home = lab.paths.home / "pulumi"
    return RealCli(
        executable=executable,
        project=lab.project,
        stack=settings.stack.name,
        home=home,
        plugin=write_plugin(home),
        plugin_version=plugin_version(),
        endpoint_url=lab.endpoint,
        overrides=settings.overrides,
    )
