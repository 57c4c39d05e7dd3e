"""Which way the program is deployed: by the `pulumi` on PATH, else by the lab's engine; faults are one clear error."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from lab import deployment
from lab.cloud.catalogue import CATALOGUE, STOCK_IMAGE_ID
from lab.cloud.local import local_cloud
from lab.paths import LabPaths
from lab.progress import Progress
from lab.running import LabError, RunningLab

PROJECT = Path(__file__).resolve().parents[2]
PULUMI = """#!/bin/sh
echo "$@" >>"$(dirname "$0")/calls"
env | grep -E '^(PULUMI|AWS)_' >"$(dirname "$0")/environment"
case "$*" in
*"stack output"*) echo '{"url": "http://203.0.113.9/"}' ;;
*up*) [ ! -e "$(dirname "$0")/broken" ] || { echo "error: no such resource"; exit 255; } ;;
esac
"""


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(said: io.StringIO) -> Progress:
    return Progress(console=Console(file=said, width=200))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RunningLab]:
    """A lab whose account is in this process; no machine boots."""
    paths = LabPaths(home=tmp_path / "home", run=tmp_path / "run", cache=tmp_path / "cache")
    paths.home.mkdir()
    made = RunningLab(project=PROJECT, paths=paths)
    with local_cloud() as cloud:
        port = int(cloud.endpoint.rpartition(":")[2])
        (paths.home / "cloud.json").write_text(json.dumps({"pid": 0, "port": port}))
        yield made


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on PATH with something called `pulumi` that keeps what it was asked."""
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "pulumi").write_text(PULUMI)
    (directory / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:/usr/bin:/bin")
    monkeypatch.setenv("AWS_PROFILE", "production")
    return directory


def test_the_pulumi_on_path_deploys_with_the_plugin_in_a_home_of_its_own(
    lab: RunningLab, pulumi: Path, progress: Progress, said: io.StringIO
) -> None:
    before = (PROJECT / "Pulumi.local.yaml").read_bytes()
    outputs = deployment.up(lab, deployment.load(PROJECT, "local"), progress=progress)
    assert outputs == {"url": "http://203.0.113.9/"}
    assert f"deploying with {pulumi / 'pulumi'}" in said.getvalue()
    calls = (pulumi / "calls").read_text().splitlines()
    assert [call.split()[0] for call in calls] == ["plugin", "stack", "up", "stack"]
    environment = dict(line.split("=", 1) for line in (pulumi / "environment").read_text().splitlines())
    assert environment["PULUMI_HOME"].startswith(str(lab.paths.home))
    assert environment["AWS_ENDPOINT_URL"] == lab.endpoint
    assert "AWS_PROFILE" not in environment  # the lab's stack never meets the user's account
    assert (PROJECT / "Pulumi.local.yaml").read_bytes() == before


def test_a_failure_of_the_real_cli_is_told_with_its_own_words(
    lab: RunningLab, pulumi: Path, progress: Progress, said: io.StringIO
) -> None:
    (pulumi / "broken").touch()
    with pytest.raises(LabError, match="the stack is not up"):
        deployment.up(lab, deployment.load(PROJECT, "local"), progress=progress)
    assert "error: no such resource" in said.getvalue()


@pytest.mark.cloud
def test_without_pulumi_the_engine_deploys_and_a_second_time_changes_nothing(
    lab: RunningLab, monkeypatch: pytest.MonkeyPatch, progress: Progress, said: io.StringIO
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    settings = deployment.load(PROJECT, "local")
    first = deployment.up(lab, settings, progress=progress)
    assert first["virtualIp"] == "10.0.0.100"
    assert "created" in said.getvalue()
    said.seek(0)
    said.truncate()
    assert deployment.up(lab, settings, progress=progress) == first
    assert "unchanged" in said.getvalue() and "created" not in said.getvalue()
    assert lab.outputs() == first


def test_overrides_reach_the_real_cli(lab: RunningLab, pulumi: Path, progress: Progress) -> None:
    settings = deployment.load(PROJECT, "local", ["imageId=ami-1", "webServers=[{address: 10.0.0.80}]"])
    assert settings.image_id == "ami-1"
    deployment.up(lab, settings, progress=progress)
    call = next(line for line in (pulumi / "calls").read_text().splitlines() if line.startswith("up"))
    words = call.split()
    config = yaml.safe_load(Path(words[words.index("--config-file") + 1]).read_text())["config"]
    assert config["lvs-aws:imageId"] == "ami-1"
    assert config["lvs-aws:webServers"] == [{"address": "10.0.0.80"}]
    assert config["aws:region"] == "us-east-1"


@pytest.mark.cloud
def test_user_data_is_the_same_whatever_image_boots(
    lab: RunningLab, monkeypatch: pytest.MonkeyPatch, progress: Progress
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def deployed(*overrides: str) -> dict[str, tuple[str, bytes]]:
        """By machine's name: its image, and its user data."""
        deployment.up(lab, deployment.load(PROJECT, "local", overrides), progress=progress)
        lab.tell(stack="local", port=0, region="us-east-1")
        ec2 = lab.ec2()
        found = {}
        for machine in lab.machines():
            told = ec2.describe_instances(InstanceIds=[machine.instance_id])["Reservations"][0]["Instances"][0]
            asked = ec2.describe_instance_attribute(InstanceId=machine.instance_id, Attribute="userData")
            found[machine.name] = told["ImageId"], base64.b64decode(asked["UserData"]["Value"])
        return found

    one_web_server = "webServers=[{address: 10.0.0.80}]"
    other_image = f"imageId={STOCK_IMAGE_ID}"
    baked = deployed(one_web_server)
    deployed(one_web_server, other_image, "rollout=[director-1, web-1]")
    stock = deployed(one_web_server, other_image, "rollout=[director-2]")
    assert baked.keys() == stock.keys() == {"director-1", "director-2", "web-1"}
    assert {image for image, _ in baked.values()} == {CATALOGUE[0].id}
    assert {image for image, _ in stock.values()} == {STOCK_IMAGE_ID}
    assert {name: data for name, (_, data) in baked.items()} == {name: data for name, (_, data) in stock.items()}


def test_wrong_overrides_are_told_before_anything_is_made() -> None:
    with pytest.raises(LabError, match="write KEY=VALUE"):
        deployment.load(PROJECT, "local", ["imageId"])
    with pytest.raises(LabError, match="'webServers' must be of type"):
        deployment.load(PROJECT, "local", ["webServers=10.0.0.80"])


@pytest.mark.cloud
def test_a_wrong_setting_is_one_error_and_nothing_is_made(
    lab: RunningLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, progress: Progress
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    project = tmp_path / "project"
    project.mkdir()
    for name in ("Pulumi.yaml", "__main__.py"):
        (project / name).write_bytes((PROJECT / name).read_bytes())
    text = (PROJECT / "Pulumi.local.yaml").read_text()
    (project / "Pulumi.bad.yaml").write_text(text + "  lvs-aws:virtualIp: 10.9.0.1\n  lvs-aws:virtuallIp: 10.0.0.1\n")
    with pytest.raises(LabError) as refused:
        deployment.up(lab, deployment.load(project, "bad"), progress=progress)
    assert "10.9.0.1" in str(refused.value)
    assert "virtuallIp" in str(refused.value)
    lab.tell(stack="bad", port=0, region="us-east-1")
    assert lab.ec2().describe_vpcs(Filters=[{"Name": "tag:Project", "Values": ["lvs-aws"]}])["Vpcs"] == []


def test_settings_in_force_stay_where_others_are_given() -> None:
    first = deployment.load(PROJECT, "local", ["protect=true", "rollout=[web-1]"])
    then = deployment.load(PROJECT, "local", ["rollout=[director-1]"], first.overrides)
    assert dict(then.overrides) == {"lvs-aws:protect": True, "lvs-aws:rollout": ["director-1"]}
    assert then.stack.values["lvs-aws:protect"] == "true"
