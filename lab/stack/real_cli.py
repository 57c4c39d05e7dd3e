"""Deploying with the real `pulumi`, where it is on PATH: which commands in which environment, and running them.

The plugin is installed from a file into a home of its own, so that neither Pulumi.yaml nor the user's home is touched.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

Verb = Literal["preview", "up", "refresh", "destroy"]
CHANGES_EXIT_CODE = 7  # of --expect-no-changes, where there are some
# Secrets of the lab's stack are worth nothing; the passphrase only keeps the CLI from asking.
PASSPHRASE = "lab"  # noqa: S105


class CliError(Exception):
    """A command of the real CLI failed; its own output has said why (or that there were changes)."""

    def __init__(self, words: tuple[str, ...], exit_code: int, output: str = "") -> None:
        super().__init__(f"`{' '.join(words)}` ended with exit code {exit_code}{output and ': '}{output}")
        self.exit_code = exit_code
        self.means_changes = exit_code == CHANGES_EXIT_CODE and "--expect-no-changes" in words


@dataclass(frozen=True, kw_only=True)
class RealCli:
    """The CLI (`executable`) on one stack of the project in `project`; `home` holds its plugins, state and config.

    `plugin` is the provider's executable and `plugin_version` what the SDK asks for; `endpoint_url` is the lab's API.
    `overrides` are settings by qualified key in the place of those of the stack's file.
    """

    executable: Path
    project: Path
    stack: str
    home: Path
    plugin: Path
    plugin_version: str
    endpoint_url: str
    overrides: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stack_file(self) -> Path:
        """The project's configuration of the stack."""
        return self.project / f"Pulumi.{self.stack}.yaml"

    @property
    def stack_copy(self) -> Path:
        """The copy the CLI works with: it has the overrides, and the CLI writes its encryption salt into it."""
        return self.home / self.stack_file.name


def find() -> Path | None:
    """The real CLI on PATH, or None."""
    found = shutil.which("pulumi")
    return Path(found) if found else None


def environment(cli: RealCli, base: Mapping[str, str]) -> dict[str, str]:
    """The environment of every command: a private home and backend, no downloads, the lab's API as AWS."""
    foreign = ("PULUMI_", "AWS_")
    kept = {key: value for key, value in base.items() if not key.startswith(foreign)}
    return {
        **kept,
        "PULUMI_HOME": str(cli.home / "home"),
        "PULUMI_BACKEND_URL": (cli.home / "state").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "1",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "AWS_ENDPOINT_URL": cli.endpoint_url,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
    }


def preparation(cli: RealCli) -> tuple[tuple[str, ...], ...]:
    """The commands before any verb: install the plugin, make or select the stack."""
    pulumi = str(cli.executable)
    install = ("plugin", "install", "resource", "aws", cli.plugin_version, "-f", str(cli.plugin), "--reinstall")
    select = ("stack", "select", cli.stack, "--create", "--non-interactive")
    return (pulumi, *install), (pulumi, *select)


def command(cli: RealCli, verb: Verb, chosen: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The command of a verb with the options chosen, which asks nothing."""
    agreed = () if verb == "preview" else ("--yes", "--skip-preview")
    options = ("--stack", cli.stack, "--config-file", str(cli.stack_copy), "--non-interactive")
    return (str(cli.executable), verb, *agreed, *options, *chosen)


def stack_text(stack_file: str, copy: str, overrides: Mapping[str, Any]) -> str:
    """The stack's file with `overrides`, and the encryption salt that the CLI wrote into the copy of an earlier run."""
    document, salt = yaml.safe_load(stack_file) or {}, (yaml.safe_load(copy) or {}).get("encryptionsalt")
    if overrides:
        document = {**document, "config": {**(document.get("config") or {}), **overrides}}
    return yaml.safe_dump({**document, **({"encryptionsalt": salt} if salt else {})}, sort_keys=False)


def run(
    cli: RealCli, verb: Verb, *, options: tuple[str, ...] = (), base: Mapping[str, str], on_line: Callable[[str], None]
) -> None:
    """Prepare and run a verb, handing on every line of output. Raises CliError for a command that fails."""
    (cli.home / "state").mkdir(parents=True, exist_ok=True)
    variables = environment(cli, base)
    original = cli.stack_file.read_bytes()
    kept = cli.stack_copy.read_text() if cli.stack_copy.exists() else ""
    cli.stack_copy.write_text(stack_text(original.decode(), kept, cli.overrides))
    try:
        for words in preparation(cli):
            _run(words, cli.project, variables, on_line)
    finally:
        cli.stack_file.write_bytes(original)  # making the stack writes its salt here
    _run(command(cli, verb, options), cli.project, variables, on_line)


def stack_outputs(cli: RealCli, *, base: Mapping[str, str], show_secrets: bool = True) -> dict[str, Any]:
    """The deployed stack's outputs. Raises CliError with the CLI's own words."""
    secrets = ("--show-secrets",) if show_secrets else ()
    words = (str(cli.executable), "stack", "output", "--json", "--stack", cli.stack, *secrets)
    shown = subprocess.run(words, cwd=cli.project, env=environment(cli, base), capture_output=True, text=True)
    if shown.returncode != 0:
        raise CliError(words, shown.returncode, shown.stderr.strip())
    return dict(json.loads(shown.stdout))


def _run(words: tuple[str, ...], directory: Path, variables: dict[str, str], on_line: Callable[[str], None]) -> None:
    with subprocess.Popen(
        words, cwd=directory, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for text in process.stdout:
            on_line(text.rstrip())
    if process.returncode != 0:
        raise CliError(words, process.returncode)
