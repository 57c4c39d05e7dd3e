"""The project's own stack on the lab's API in process, under one change after the other."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from lab.engine.deploy import Deployment, DeploymentError, deploy, destroy, refresh
from lab.engine.events import Step
from lab.provider import AwsProvider
from lab.stack.project import StackConfig, load_project

PROJECT = Path(__file__).resolve().parents[3]
VERBS = {"create": "makes", "delete": "deletes", "replace": "replaces", "update": "changes"}
INSTANCE = "aws:ec2/instance:Instance"


class OwnStack:
    """Stack `local` with changed settings (texts KEY=VALUE); its state is a file in `directory`."""

    def __init__(self, directory: Path, provider: AwsProvider) -> None:
        self.project = load_project(PROJECT)
        self.provider = provider
        self.state = directory / "state.json"
        self.name = "local"

    def config(self, settings: Sequence[str] = ()) -> StackConfig:
        """The stack's configuration; under another name after `rename`."""
        config = self.project.stack("local", self.project.overrides(settings))
        return dataclasses.replace(config, name=self.name)

    def up(self, *settings: str) -> Deployment:
        return deploy(self.project, self.config(settings), self.provider, self.state)

    def preview(self, *settings: str, refreshed: bool = False) -> Deployment:
        return deploy(self.project, self.config(settings), self.provider, self.state, dry_run=True, refresh=refreshed)

    def refresh(self) -> Deployment:
        return refresh(self.project, self.config(), self.provider, self.state)

    def destroy(self) -> Deployment:
        return destroy(self.project, self.config(), self.provider, self.state)

    def refusal(self, *settings: str) -> str:
        """Why a preview with these settings is refused; an AssertionError if it is not."""
        try:
            done = self.preview(*settings)
        except DeploymentError as error:
            return str(error)
        raise AssertionError(f"not refused: {done.summary}")

    def rename(self, name: str) -> None:
        """`pulumi stack rename`: the same resources under another stack's name."""
        text = self.state.read_text()
        was = f"{self.project.name}-{self.name}"
        text = text.replace(f"urn:pulumi:{self.name}::", f"urn:pulumi:{name}::")
        text = text.replace(f"pulumi:pulumi:Stack::{was}", f"pulumi:pulumi:Stack::{self.project.name}-{name}")
        json.loads(text)
        self.state.write_text(text)
        self.name = name


def short_type(step: Step) -> str:
    """The last word of a step's resource type, such as Instance."""
    return step.urn.split("::")[2].rpartition("$")[2].rpartition(":")[2]


def told(deployment: Deployment) -> str:
    """What an update does, in the words of docs/changes.md: machines by name, AWS's other resources by number.

    What belongs to one machine (a director's association and rights) goes with its name and is not told apart.
    """
    machines: dict[str, set[str]] = {}
    others: Counter[tuple[str, str]] = Counter()
    for step in deployment.steps:
        kind, name = short_type(step), step.urn.rpartition("::")[2]
        if step.op in VERBS and step.urn.split("::")[2].rpartition("$")[2].startswith("aws:"):
            if kind == "Instance":
                restarts = step.op == "update" and "instanceType" in step.keys
                machines.setdefault("restarts" if restarts else VERBS[step.op], set()).add(name)
            elif not re.fullmatch(r"director-\d+", name):
                others[VERBS[step.op], kind] += 1
    parts = [f"{verb} {', '.join(sorted(names))}" for verb, names in sorted(machines.items())]
    parts += [f"{verb} {number} {kind}" for (verb, kind), number in sorted(others.items())]
    return "; ".join(parts) or "nothing"
