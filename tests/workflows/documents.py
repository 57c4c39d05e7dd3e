"""The workflows as documents, and the rules they keep: each rule says what is wrong with a document, a line a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

PROJECT = Path(__file__).resolve().parents[2]
GITHUB = PROJECT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTIONS = sorted((GITHUB / "actions").glob("*/action.yml"))

PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
PINNED_IMAGE = re.compile(r"image: [\w./-]+:[\w.-]+@sha256:[0-9a-f]{64} # \S+")
MAKE = re.compile(r'make(?P<targets>( [a-z][a-z-]*)+)(?P<variables>( [A-Z]+="\$[A-Z]+")*)')
OWN_BRANCHES_ONLY = "github.event.pull_request.head.repo.full_name == github.repository"

# A bare Debian has neither git nor make; git owns up to a checkout that belongs to another user only when told.
BARE_DEBIAN = """\
apt-get -qq update
apt-get -qq -y install --no-install-recommends ca-certificates git make python3
git config --global --add safe.directory "$GITHUB_WORKSPACE"
"""

WRITES = {
    "preview.yml": {"preview": {"id-token", "pull-requests"}},
    "deploy.yml": {"plan": {"id-token"}, "apply": {"id-token"}},
    "up.yml": {"dev": {"id-token"}, "prod": {"id-token"}},
    "drift.yml": {"drift": {"id-token", "issues"}},
}
"""All that a job may write, by workflow and job; reading the repository's contents is what all may."""


def parsed(text: str) -> dict[str, Any]:
    """A document; its key `on` is no boolean, as YAML 1.1 would have it."""
    document: dict[str, Any] = yaml.load(text, Loader=yaml.BaseLoader)
    return document


def jobs(text: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = parsed(text)["jobs"]
    return found


def steps(text: str) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every step with its job and the job's name."""
    for name, job in jobs(text).items():
        for step in job.get("steps", []):
            yield name, job, step


def unpinned(text: str) -> list[str]:
    """Lines that run code of others that could change under its name."""
    lines = [line.strip().removeprefix("- ") for line in text.splitlines()]
    used = [line for line in lines if line.startswith("uses:") and not line.startswith("uses: ./")]
    images = [line for line in lines if line.startswith("image:")]
    return [line for line in used if not PINNED.fullmatch(line)] + [
        line for line in images if not PINNED_IMAGE.fullmatch(line)
    ]


def excess_permissions(name: str, text: str) -> list[str]:
    """Permissions that are implied, or more than WRITES allows."""
    faults = [] if parsed(text).get("permissions") == {} else ["the workflow's own permissions are not {}"]
    for job_name, job in jobs(text).items():
        given = job.get("permissions")
        if not isinstance(given, dict):
            faults.append(f"{job_name}: does not list its permissions")
            continue
        writes = {key for key, level in given.items() if level != "read"}
        faults += [f"{job_name}: may write {key}" for key in sorted(writes - WRITES.get(name, {}).get(job_name, set()))]
        faults += [f"{job_name}: may read {key}" for key in sorted(set(given) - writes - {"contents"})]
    return faults


def exposed_credentials(text: str) -> list[str]:
    """Ways from foreign code to credentials."""
    faults = [f"runs on {event}" for event in ("pull_request_target", "workflow_run") if event in text]
    if re.search(r"\bsecrets\b", text.replace("no secrets", "")):
        faults.append("names secrets, and the project has none")
    if "pull_request" in parsed(text)["on"]:
        for name, job in jobs(text).items():
            writes = any(level == "write" for level in job["permissions"].values())
            if (writes or "environment" in job) and OWN_BRANCHES_ONLY not in job.get("if", ""):
                faults.append(f"{name}: has credentials and runs for forks")
    for name, _, step in steps(text):
        if step.get("uses", "").startswith("actions/checkout@") and step["with"].get("persist-credentials") != "false":
            faults.append(f"{name}: the checkout keeps its token")
    return faults


def unguarded(text: str) -> list[str]:
    """Jobs that two runs may do at once, or that act on a stack under a group that does not name it."""
    if set(parsed(text)["on"]) == {"workflow_call"}:
        return []  # its callers are
    faults = []
    for name, job in jobs(text).items():
        concurrency = job.get("concurrency", {})
        group, cancels = concurrency.get("group", ""), concurrency.get("cancel-in-progress")
        if not group or cancels not in ("true", "false"):
            faults.append(f"{name}: no concurrency group, or it leaves open whether to cancel")
        stack = job.get("with", {}).get("stack") or ("${{ matrix.stack }}" if "strategy" in job else "")
        if stack not in group:
            faults.append(f"{name}: its group does not name the stack")
        if "uses" in job and (group != f"deploy-{stack}" or cancels != "false"):
            faults.append(f"{name}: a deployment could be cancelled, or run beside another")
    return faults


def not_make(text: str, targets: set[str]) -> list[str]:
    """Commands that a person could not run as well: no make target, or one that there is not."""
    faults = []
    for name, job, step in steps(text):
        run = step.get("run")
        if run is None or (run == BARE_DEBIAN and "container" in job):
            continue
        command = MAKE.fullmatch(run)
        if command is None:
            faults.append(f"{name}: `{run}` is no make target")
            continue
        known = {**parsed(text).get("env", {}), **job.get("env", {}), **step.get("env", {})}
        faults += [f"{name}: no target {each}" for each in command["targets"].split() if each not in targets]
        faults += [f"{name}: ${each} is not set" for each in re.findall(r'"\$([A-Z]+)"', run) if each not in known]
    return faults


def made(text: str) -> set[str]:
    """The make targets that a workflow runs."""
    commands = [MAKE.fullmatch(step.get("run", "")) for _, _, step in steps(text)]
    return {target for command in commands if command for target in command["targets"].split()}
