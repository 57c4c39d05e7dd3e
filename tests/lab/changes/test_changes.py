"""The program under change: what each update does is what docs/changes.md says, and both directors never go at once.

Whoever makes the changes has the rights of docs/iam-deployer.json: they suffice for every row.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.cloud.local import LocalCloud
from lab.engine.deploy import Deployment
from tests.lab.changes.cases import CHANGES, Change
from tests.lab.changes.stack import INSTANCE, PROJECT, OwnStack, told
from tests.lab.cloud.authorization.conftest import Callers
from tests.lab.cloud.authorization.deployer import STATEMENTS, recording_provider

pytestmark = pytest.mark.cloud
PAGE = PROJECT / "docs/changes.md"


def directors_touched(deployment: Deployment) -> set[str]:
    """The directors that an update replaces, deletes or restarts."""
    names = set()
    for step in deployment.steps:
        stops = step.op in ("replace", "delete") or (step.op == "update" and "instanceType" in step.keys)
        name = step.urn.rpartition("::")[2]
        if stops and INSTANCE in step.urn and name.startswith("director-"):
            names.add(name)
    return names


def row(change: Change, updates: list[str]) -> str:
    """The change's row in docs/changes.md."""
    numbered = updates if len(updates) == 1 else [f"{number}. {text}" for number, text in enumerate(updates, 1)]
    at_once = "refused" if change.refused else "done"
    return f"| {change.title} | {at_once} | {'<br>'.join(numbered)} | {change.clients} |"


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.title)
def test_a_change_does_what_the_page_says(change: Change, own: OwnStack) -> None:
    own.up(*change.before)
    seen = []
    for number, settings in enumerate(change.updates):
        unnamed = tuple(text for text in settings if not text.startswith("rollout="))
        if number == 0 and change.refused:
            assert "rollout" in own.refusal(*unnamed)
            assert own.preview(*change.before).summary.keys() == {"same"}  # a refusal and a preview change nothing
        previewed = told(own.preview(*settings))
        done = own.up(*settings)
        assert told(done) == previewed
        assert len(directors_touched(done)) <= 1
        seen.append(told(done))
        assert not own.up(*settings).changed
    assert row(change, seen) in PAGE.read_text().splitlines(), row(change, seen)


def test_the_page_has_no_row_that_was_not_seen() -> None:
    rows = [line.split("|")[1].strip() for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    known = [change.title for change in CHANGES]
    assert [one for one in rows if one in known] == known
    assert len([line for line in PAGE.read_text().splitlines() if line.count("|") == 5]) == len(CHANGES) + 2


@pytest.mark.parametrize(
    "settings",
    [
        ("imageId=ami-0deb1a13000000002",),
        ("directorInstanceType=t3.small",),
        ("webServers=[{address: 10.0.0.80}]",),
        ("services=[{port: 81}]",),
        ("directors=[{address: 10.0.0.37, priority: 254}, {address: 10.0.0.57, priority: 253}]",),
    ],
    ids=lambda settings: settings[0],
)
def test_a_refused_update_touches_no_director_even_without_a_preview(
    settings: tuple[str, ...], own: OwnStack, ec2: Any
) -> None:
    """`pulumi up --skip-preview`: the refusal comes while the update runs, and no director is part of it."""
    before = own.up()
    with pytest.raises(Exception, match="rollout"):
        own.up(*settings)
    for director in before.outputs["directors"]:
        found = ec2.describe_instances(InstanceIds=[director["instanceId"]])["Reservations"][0]["Instances"][0]
        assert found["State"]["Name"] == "running" and found["PrivateIpAddress"] == director["privateIp"]
    # Back to the old settings: what the refused update had begun goes, and no director is touched then either.
    assert not directors_touched(own.up())


def test_both_directors_cannot_even_be_named() -> None:
    """The settings refuse it (bad_configs.py has the row): here is the sentence an operator reads."""
    from components.settings import SettingsError, settings_from

    with pytest.raises(SettingsError, match="one director at most, not director-1, director-2"):
        settings_from({"aws:region": "us-east-1", "imageId": "ami-0deb1a13000000001", "rollout": ["director-*"]})


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("virtualIp=10.0.0.101", "virtualIp is 10.0.0.100 and cannot become 10.0.0.101"),
        ("vpcCidr=10.0.0.0/20", "vpcCidr is 10.0.0.0/16 and cannot become 10.0.0.0/20"),
        ("subnetCidr=10.0.0.0/23", "subnetCidr is 10.0.0.0/24 and cannot become 10.0.0.0/23"),
        ("availabilityZone=us-east-1f", "cannot become us-east-1f"),
    ],
)
def test_what_a_stack_keeps_for_life_is_refused(setting: str, words: str, own: OwnStack) -> None:
    own.up()
    assert words in own.refusal(setting, "rollout=[director-1, web-1]")


def test_a_stack_under_another_name_keeps_every_resource(own: OwnStack) -> None:
    first = own.up()
    own.rename("live")
    done = own.up()
    # Tags say the new name; nothing else changes, and nobody is replaced.
    assert done.summary.keys() <= {"same", "update"} and not directors_touched(done)
    stays = ("elasticIp", "vpcId", "directors", "webServers")
    assert {key: done.outputs[key] for key in stays} == {key: first.outputs[key] for key in stays}
    assert not own.up().changed


def moved(own: OwnStack, ec2: Any, outputs: dict[str, Any], index: int) -> None:
    """What a director's agent does to take over."""
    interface, address = outputs["directors"][index]["interfaceId"], outputs["virtualIp"]
    ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=[address], AllowReassignment=True)
    ec2.associate_address(
        AllocationId=outputs["elasticIpAllocationId"],
        NetworkInterfaceId=interface,
        PrivateIpAddress=address,
        AllowReassociation=True,
    )


@pytest.mark.parametrize("owner", [0, 1])
def test_after_a_failover_preview_refresh_up_and_destroy_behave_as_if_nothing_had_happened(
    owner: int, own: OwnStack, ec2: Any
) -> None:
    outputs = own.up().outputs
    for index in (1 - owner, owner):
        moved(own, ec2, outputs, index)
    assert not own.preview().changed
    assert not own.preview(refreshed=True).changed
    assert not own.up().changed
    # Outputs of the state may follow what there is; an operation it is not.
    assert not own.refresh().changed
    assert not own.up().changed
    held = ec2.describe_addresses(AllocationIds=[outputs["elasticIpAllocationId"]])["Addresses"][0]
    assert held["NetworkInterfaceId"] == outputs["directors"][owner]["interfaceId"]
    assert held["PrivateIpAddress"] == outputs["virtualIp"]
    own.destroy()
    assert ec2.describe_addresses()["Addresses"] == []


def test_the_owner_is_replaced_without_its_address(own: OwnStack, ec2: Any) -> None:
    """The virtual IP goes with a replaced owner's interface: the other one claims it, and no later update moves it."""
    outputs = own.up().outputs
    moved(own, ec2, outputs, 0)
    image = "imageId=ami-0deb1a13000000002"
    own.up(image, "rollout=[director-1]")
    moved(own, ec2, outputs, 1)
    assert not own.preview(image, "rollout=[director-1]", refreshed=True).changed
    own.up(image, "rollout=[director-1, web-*]")
    held = ec2.describe_addresses(AllocationIds=[outputs["elasticIpAllocationId"]])["Addresses"][0]
    assert held["NetworkInterfaceId"] == outputs["directors"][1]["interfaceId"]


@pytest.fixture
def own(tmp_path: Path, cloud: LocalCloud, client: Callable[[str], Any]) -> OwnStack:
    """The stack in the hands of somebody with the rights of docs/iam-deployer.json and no others."""
    callers = Callers(cloud=cloud, iam=client("iam"), sts=None)
    return OwnStack(tmp_path, recording_provider(callers.user(*STATEMENTS), set()))
