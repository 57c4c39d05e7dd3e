"""This program's own life as one scenario, carried out by the lab's engine and by a `pulumi`, and compared."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from lab import deployment
from lab.cloud.local import local_cloud
from lab.engine.deploy import Deployment, DeploymentError, deploy, destroy, outputs, refresh
from lab.engine.events import Step
from lab.engine.row import Row
from lab.engine.state import load
from lab.provider import AwsProvider
from lab.provider.plugin import plugin_version, write_plugin
from lab.stack import real_cli
from lab.stack.real_cli import CHANGES_EXIT_CODE, CliError, RealCli, Verb
from tests.lab.engine.comparing import compare_steps

PROJECT = Path(__file__).resolve().parents[3]
STACK = "local"


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command with the settings in force. `before` changes the cloud by hand, given its endpoint."""

    name: str
    verb: Verb
    settings: tuple[str, ...]
    expect_no_changes: bool = False
    before: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a command did: exit code, steps as "OP URN" (announced, ended, failed), and the stack's outputs then."""

    exit_code: int
    steps: tuple[str, ...]
    done: tuple[str, ...]
    failed: tuple[str, ...]
    outputs: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ours:
    """The same of the lab's engine. `pairs` are URNs of which one needs the other."""

    exit_code: int
    steps: list[Step]
    pairs: set[tuple[str, str]]
    outputs: dict[str, Any]


def tag_the_vpc(endpoint: str) -> None:
    """A change that nobody told Pulumi of."""
    ec2 = boto3.client(
        "ec2", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="lab", aws_secret_access_key="lab"
    )
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "tag:Project", "Values": ["lvs-aws"]}])["Vpcs"]
    ec2.create_tags(Resources=[vpc["VpcId"]], Tags=[{"Key": "By", "Value": "hand"}])


# With preemption a director's priority is in no other director's configuration: one alone is replaced.
FIRST = ("vrrp={preempt: true}",)
TAGGED = (*FIRST, "tags={team: web}")
LOWERED = (
    *TAGGED,
    "directors=[{address: 10.0.0.36, priority: 254}, {address: 10.0.0.56, priority: 100}]",
    "rollout=[director-2]",
)
SCENARIO = (
    Command(name="first up", verb="up", settings=FIRST),
    Command(name="second up is empty", verb="up", settings=FIRST, expect_no_changes=True),
    Command(name="preview of changes that were not expected", verb="preview", settings=TAGGED, expect_no_changes=True),
    Command(name="an update", verb="up", settings=TAGGED),
    Command(name="a director is replaced", verb="up", settings=LOWERED),
    Command(name="refresh after a change by hand", verb="refresh", settings=LOWERED, before=tag_the_vpc),
    Command(name="up puts it right", verb="up", settings=LOWERED),
    Command(name="destroy", verb="destroy", settings=LOWERED),
)


def by_the_engine(directory: Path, scenario: Sequence[Command] = SCENARIO) -> list[Ours]:
    """Carry the scenario out in process, on a cloud of its own."""
    state = directory / "state.json"
    found = []
    with local_cloud() as cloud:
        for command in scenario:
            command.before(cloud.endpoint)
            before = load(state, writable=False).rows
            code, done = _one(command, AwsProvider(endpoint_url=cloud.endpoint), state)
            rows = [*before, *load(state, writable=False).rows]
            found.append(Ours(exit_code=code, steps=list(done.steps), pairs=_pairs(rows), outputs=outputs(state)))
    return found


def by_the_cli(executable: Path, directory: Path, scenario: Sequence[Command] = SCENARIO) -> list[Outcome]:
    """Carry the scenario out with a `pulumi`, on a cloud of its own; LabError where a setting is wrong."""
    home = directory / "pulumi"
    found = []
    with local_cloud() as cloud:
        for command in scenario:
            command.before(cloud.endpoint)
            cli = RealCli(
                executable=executable,
                project=PROJECT,
                stack=STACK,
                home=home,
                plugin=write_plugin(home),
                plugin_version=plugin_version(),
                endpoint_url=cloud.endpoint,
                overrides=deployment.load(PROJECT, STACK, command.settings).overrides,
            )
            lines: list[str] = []
            options = ("--json", *(("--expect-no-changes",) if command.expect_no_changes else ()))
            code = 0
            try:
                real_cli.run(cli, command.verb, options=options, base=os.environ, on_line=lines.append)
            except CliError as error:
                code = error.exit_code
            announced, done, failed = told(lines)
            shown = real_cli.stack_outputs(cli, base=os.environ)
            found.append(Outcome(exit_code=code, steps=announced, done=done, failed=failed, outputs=shown))
    return found


def told(lines: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Steps announced, ended and failed of what `--json` printed: events line by line, or a preview's one document.

    Names are those of sdk/go/common/apitype/events.go (pulumi/pulumi). AssertionError where there are neither.
    """
    found: dict[str, list[str]] = {"resourcePreEvent": [], "resOutputsEvent": [], "resOpFailedEvent": []}
    events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
    for event in events:
        for kind in found.keys() & event.keys():
            step = event[kind]["metadata"]
            found[kind].append(f"{step['op']} {step['urn']}")
    if not events:
        text = "\n".join(lines)
        assert "{" in text, f"the CLI told nothing as JSON:\n{text}"
        document, _ = json.JSONDecoder().raw_decode(text[text.index("{\n") :])
        found["resourcePreEvent"] = [f"{step['op']} {step['urn']}" for step in document["steps"]]
    announced, done, failed = (
        tuple(found[kind]) for kind in ("resourcePreEvent", "resOutputsEvent", "resOpFailedEvent")
    )
    return announced, done, failed


def compare(real: Outcome, ours: Ours, command: Command) -> None:
    """AssertionError for a different exit code, multiset of steps, order of what depends, or output."""
    assert ours.exit_code == real.exit_code, command.name
    wanted = {"cmd": command.verb, "steps": list(real.steps), "done": list(real.done), "failed": list(real.failed)}
    compare_steps(wanted, ours.steps, ours.pairs, command.name)
    assert without_chance(ours.outputs) == without_chance(real.outputs), command.name


def without_chance(found: dict[str, Any]) -> Any:
    """Outputs with ids by their kind, and public addresses as such: both are new with every run."""
    text = re.sub(r"\b(?!ami-)([a-z]+)-[0-9a-f]{17}\b", r"\1-ID", json.dumps(found))
    return json.loads(re.sub(r"\b(?!10\.0\.)\d+\.\d+\.\d+\.\d+\b", "PUBLIC", text))


def _one(command: Command, provider: AwsProvider, state: Path) -> tuple[int, Deployment]:
    settings = deployment.load(PROJECT, STACK, command.settings)
    about = (settings.project, settings.stack, provider, state)
    try:
        match command.verb:
            case "refresh":
                done = refresh(*about)
            case "destroy":
                done = destroy(*about)
            case _:
                done = deploy(*about, dry_run=command.verb == "preview")
    except DeploymentError as error:
        return 1, error.deployment
    return CHANGES_EXIT_CODE if command.expect_no_changes and done.changed else 0, done


def _pairs(rows: Sequence[Row]) -> set[tuple[str, str]]:
    return {(row.urn, needed) for row in rows for needed in row.dependencies}
