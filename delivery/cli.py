"""What is run of the Pulumi CLI: each command as words, and running one with its output shown and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

DRIFT_EXIT_CODE = 7
"""What `--expect-no-changes` ends with where there are changes (seen with CLI 3.260.0)."""

POLICY_PACK = "policy"


class DeliveryError(Exception):
    """Something that a person has to put right first; its text is the whole message."""


def preview(stack: str) -> tuple[str, ...]:
    """Say what an update would do, and hold it against the policy pack."""
    return ("pulumi", "preview", "--diff", *_options(stack), *_policies(stack))


def plan(stack: str, file: Path) -> tuple[str, ...]:
    """The same, and write the plan of it to `file`."""
    return (*preview(stack), "--save-plan", str(file))


def deploy(stack: str, file: Path) -> tuple[str, ...]:
    """Do what the plan in `file` says, and nothing that exceeds it."""
    return ("pulumi", "up", "--yes", "--skip-preview", "--plan", str(file), *_options(stack), *_policies(stack))


def drift(stack: str) -> tuple[str, ...]:
    """Compare the account with the program; `--refresh` reads, a preview writes no state.

    Stays empty after a failover. The virtual IP is not declared as anybody's address, and the Elastic IP is declared
    without a holder: who owns them is the directors' business, and a refresh takes the new owner without a difference.
    """
    return ("pulumi", "preview", "--diff", "--refresh", "--expect-no-changes", *_options(stack))


def history(stack: str) -> tuple[str, ...]:
    """The stack's last updates as JSON."""
    return ("pulumi", "stack", "history", "--stack", stack, "--json", "--page-size", "50", "--non-interactive")


def run(command: tuple[str, ...], *, project: Path, output: Path) -> int:
    """Run a command in `project`, showing what it says and keeping it in the file `output`; its exit code.

    Raises DeliveryError where there is no such program.
    """
    words = (find(command[0]), *command[1:])
    with output.open("w") as kept:
        process = subprocess.Popen(
            words, cwd=project, env=environment(os.environ), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            kept.write(line)
        return process.wait()


def answer(command: tuple[str, ...], *, project: Path, given: str | None = None) -> str:
    """What a command prints when given the text `given`. Raises DeliveryError where it fails or is not there."""
    words = (find(command[0]), *command[1:])
    done = subprocess.run(
        words, cwd=project, env=environment(os.environ), text=True, capture_output=True, input=given, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise DeliveryError(f"`{' '.join(command)}` ended with exit code {done.returncode}: {said}")
    return done.stdout


WHERE_FROM = {
    "pulumi": "install the Pulumi CLI, https://www.pulumi.com/docs/install/ (the lab needs none: `lab preview`)",
    "gh": "install the GitHub CLI, https://cli.github.com/ (only reports to GitHub need it)",
    "git": "install git",
}


def find(program: str) -> str:
    """The path of a program. Raises DeliveryError, saying what to do, where it is not on PATH."""
    found = shutil.which(program)
    if found is None:
        raise DeliveryError(f"`{program}` is not on PATH, so nothing was run: {WHERE_FROM[program]}")
    return found


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment of every command: the project's `uv` for the CLI's toolchain, and no text of an unready value."""
    return {
        **base,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), base.get("PATH", "")]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_ERROR_OUTPUT_STRING": "true",  # f"{output}" in user data fails, instead of deploying a warning
    }


def _options(stack: str) -> tuple[str, ...]:
    return ("--stack", stack, "--non-interactive", "--color", "never")


def _policies(stack: str) -> tuple[str, ...]:
    return ("--policy-pack", POLICY_PACK, "--policy-pack-config", f"{POLICY_PACK}/config/{stack}.json")
