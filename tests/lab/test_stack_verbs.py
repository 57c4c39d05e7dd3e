"""The stack's verbs on the lab's cloud, without machines: what they print, what they change, how they exit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from lab import deployment
from lab.progress import Progress
from lab.running import RunningLab
from tests.lab.small_lab import Verb, label, run_verb, small_lab

PROGRAM = """
import pulumi
from pulumi_aws import ec2
brief = pulumi.ResourceOptions(custom_timeouts=pulumi.CustomTimeouts(delete="2s"))
vpc = ec2.Vpc("net", cidr_block="10.9.0.0/16", tags={"Name": pulumi.Config().require("label")}, opts=brief)
pulumi.export("vpcId", vpc.id)
pulumi.export("password", pulumi.Output.secret("s3cret"))
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningLab]:
    """A lab whose account is in this process, with a small project; no machine boots."""
    with small_lab(tmp_path, monkeypatch, PROGRAM, "one") as made:
        yield made


@pytest.fixture
def verb(lab: RunningLab) -> Verb:
    return run_verb


def up(lab: RunningLab, *, expect_no_changes: bool = False) -> None:
    progress = Progress(console=Console(quiet=True))
    deployment.up(lab, deployment.load(lab.project, "dev"), progress=progress, expect_no_changes=expect_no_changes)


def vpcs(lab: RunningLab) -> list[str]:
    found = lab.ec2().describe_vpcs(Filters=[{"Name": "cidr", "Values": ["10.9.0.0/16"]}])["Vpcs"]
    return [vpc["VpcId"] for vpc in found]


@pytest.mark.cloud
def test_a_preview_says_what_would_be_made_and_makes_nothing(lab: RunningLab, verb: Verb) -> None:
    done = verb("preview")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "Previewing update (dev):",
        " +  pulumi:pulumi:Stack small-dev create",
        " +  aws:ec2/vpc:Vpc net create",
        "Outputs:",
        "    password: [secret]",
        "    vpcId: [unknown]",
        "Resources:",
        "    + 2 to create",
    ]
    assert vpcs(lab) == []
    assert not lab.stack_state.exists()
    assert verb("preview", "--expect-no-changes").exit_code == 7


@pytest.mark.cloud
def test_changed_properties_are_shown_and_changes_against_expectation_exit_with_7(lab: RunningLab, verb: Verb) -> None:
    up(lab)
    assert verb("preview", "--expect-no-changes").exit_code == 0
    label(lab.project, "two")
    done = verb("preview", "--expect-no-changes")
    assert done.exit_code == 7
    assert done.stderr == "lab: no changes were expected, but changes would be made\n"
    assert done.stdout.splitlines()[1:] == [
        " ~  aws:ec2/vpc:Vpc net update [diff: ~tags]",
        '      ~ tags: {"Name": "one"} => {"Name": "two"}',
        "Outputs:",
        "    password: [secret]",
        f'    vpcId: "{vpcs(lab)[0]}"',
        "Resources:",
        "    ~ 1 to update",
        "    1 unchanged",
    ]


@pytest.mark.cloud
def test_a_refresh_finds_what_was_done_by_hand(lab: RunningLab, verb: Verb) -> None:
    up(lab)
    assert verb("refresh", "--expect-no-changes").exit_code == 0
    lab.ec2().create_tags(Resources=vpcs(lab), Tags=[{"Key": "Name", "Value": "by hand"}])
    assert verb("preview", "--expect-no-changes").exit_code == 0  # without --refresh nobody looks
    compared = verb("preview", "--refresh", "--expect-no-changes")
    assert compared.exit_code == 7
    assert '~ tags: {"Name": "by hand"} => {"Name": "one"}' in compared.stdout
    assert "by hand" not in lab.stack_state.read_text()
    done = verb("refresh", "--expect-no-changes")
    assert done.exit_code == 7
    assert "Refreshing (dev):" in done.stdout
    assert '~ tags: {"Name": "one"} => {"Name": "by hand"}' in done.stdout
    assert verb("refresh", "--expect-no-changes").exit_code == 0
    lab.ec2().delete_vpc(VpcId=vpcs(lab)[0])
    gone = verb("refresh")
    assert " -  aws:ec2/vpc:Vpc net deleted" in gone.stdout
    assert "    + 1 to create" in verb("preview").stdout


@pytest.mark.cloud
def test_destroy_takes_the_resources_and_the_outputs(lab: RunningLab, verb: Verb) -> None:
    up(lab)
    assert len(vpcs(lab)) == 1 and lab.outputs()["vpcId"] == vpcs(lab)[0]
    done = verb("destroy")
    assert done.exit_code == 0
    assert "    - 2 deleted" in done.stdout
    assert vpcs(lab) == [] and lab.outputs() == {}
    assert verb("destroy").exit_code == 0
    assert verb("stack", "output").stdout == ""


@pytest.mark.cloud
def test_outputs_hide_secrets_unless_asked(lab: RunningLab, verb: Verb) -> None:
    up(lab)
    vpc = vpcs(lab)[0]
    assert verb("stack", "output").stdout.splitlines() == ["password: [secret]", f"vpcId: {vpc}"]
    assert json.loads(verb("stack", "output", "--json").stdout) == {"password": "[secret]", "vpcId": vpc}
    assert verb("stack", "output", "vpcId").stdout == f"{vpc}\n"
    assert json.loads(verb("stack", "output", "password", "--json", "--show-secrets").stdout) == "s3cret"
    assert "s3cret" not in lab.stack_state.read_text()
    unknown = verb("stack", "output", "vpc")
    assert unknown.exit_code == 1 and "it has: password, vpcId" in unknown.stderr


@pytest.mark.cloud
def test_an_up_against_expectation_still_keeps_its_outputs(lab: RunningLab) -> None:
    with pytest.raises(deployment.ChangesError, match="changes were made"):
        up(lab, expect_no_changes=True)
    assert lab.outputs()["vpcId"] == vpcs(lab)[0]
    up(lab, expect_no_changes=True)


@pytest.mark.cloud
def test_a_failed_step_is_one_error_and_exit_1(lab: RunningLab, verb: Verb) -> None:
    up(lab)
    lab.ec2().create_subnet(VpcId=vpcs(lab)[0], CidrBlock="10.9.1.0/24")
    done = verb("destroy")  # waits as long as its time-out says for what holds the VPC
    assert done.exit_code == 1
    assert " -  aws:ec2/vpc:Vpc net **delete failed** error:" in done.stdout and "1 errored" in done.stdout
    assert "lab: destroy failed: aws:ec2/vpc:Vpc net: delete failed" in done.stderr


def test_the_verbs_go_through_a_pulumi_on_path(
    lab: RunningLab, verb: Verb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "pulumi").write_text(
        '#!/bin/sh\necho "$@" >>"$(dirname "$0")/calls"\n'
        'case "$*" in *output*) echo \'{"a": 1}\' ;; *--expect-no-changes*) exit 7 ;; esac\n'
    )
    (directory / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    assert verb("preview", "--expect-no-changes", "--refresh").exit_code == 7
    assert verb("refresh").exit_code == 0
    assert verb("destroy").exit_code == 0
    assert verb("stack", "output").stdout == "a: 1\n"
    calls = (directory / "calls").read_text().splitlines()
    called = [call for call in calls if call.split()[0] in ("preview", "refresh", "destroy")]
    assert [call.split()[0] for call in called] == ["preview", "refresh", "destroy"]
    assert called[0].endswith("--expect-no-changes --refresh")
    assert "--yes" in called[1] and "--yes" in called[2]
    assert "--show-secrets" not in calls[-1]
