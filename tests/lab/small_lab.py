"""A lab whose account is in this process, with a small project of one's own: for tests of verbs, without machines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from lab import cli, stack_verbs
from lab.cloud.local import local_cloud
from lab.paths import LabPaths
from lab.running import RunningLab

Verb = Callable[..., Result]


@contextmanager
def small_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, first_label: str) -> Iterator[RunningLab]:
    """The lab, which the stack's verbs take for the running one; the project's config has a `label`."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    project = tmp_path / "project"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
    (project / "__main__.py").write_text(program)
    label(project, first_label)
    paths = LabPaths(home=tmp_path / "home", run=tmp_path / "run", cache=tmp_path / "cache")
    paths.home.mkdir()
    made = RunningLab(project=project, paths=paths)
    monkeypatch.setattr(stack_verbs, "running_lab", lambda: made)
    with local_cloud() as cloud:
        (paths.home / "cloud.json").write_text(json.dumps({"pid": 0, "port": int(cloud.endpoint.rpartition(":")[2])}))
        made.tell(stack="dev", port=0, region="us-east-1")
        yield made


def label(project: Path, text: str) -> None:
    """Change the label in the project's config."""
    (project / "Pulumi.dev.yaml").write_text(f"config:\n  aws:region: us-east-1\n  small:label: {text}\n")


def run_verb(*words: str) -> Result:
    """The command `lab` with these words, in process."""
    return CliRunner().invoke(cli.app, list(words))
