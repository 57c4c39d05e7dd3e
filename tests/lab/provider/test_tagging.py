"""Default tags, a resource's own, and tags that are somebody else's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.protocol.contract import UNKNOWN, Properties, Resource
from lab.provider import AwsProvider
from lab.provider.tagging import Tagging
from tests.lab.provider.conftest import REGION, Aws

VPC = "aws:ec2/vpc:Vpc"
ROLE = "aws:iam/role:Role"
TRUST = '{"Version": "2012-10-17", "Statement": []}'
WANTED: Properties = {"cidrBlock": "10.0.0.0/16", "tags": {"Name": "v"}}
TAGGING = Tagging(
    defaults={"Project": "p", "Team": "t"}, ignored_keys=frozenset({"Audit"}), ignored_prefixes=("kubernetes.io/",)
)


def test_own_tags_win_over_default_tags() -> None:
    assert TAGGING.all({"Team": "mine", "Name": "n"}) == {"Name": "n", "Project": "p", "Team": "mine"}
    assert TAGGING.all(None) == {"Project": "p", "Team": "t"}
    assert TAGGING.all(UNKNOWN) == UNKNOWN
    assert TAGGING.all({"Name": UNKNOWN})["Name"] == UNKNOWN


def test_tags_are_without_the_defaults_but_for_those_the_program_repeats() -> None:
    found = {"Name": "n", "Project": "p", "Team": "t"}
    assert TAGGING.own(found, {"Name": "n", "Team": "t"}) == {"Name": "n", "Team": "t"}
    assert TAGGING.own({"Project": "p", "Team": "mine"}, {}) == {"Team": "mine"}
    assert TAGGING.own({"Project": "p"}, None) is None


def test_ignored_tags_are_sent_with_a_new_resource_and_then_not_seen() -> None:
    assert TAGGING.given({"Audit": "1"})["Audit"] == "1"
    assert TAGGING.all({"Audit": "1", "kubernetes.io/x": "1", "kubernetes": "k"}) == {
        "Project": "p",
        "Team": "t",
        "kubernetes": "k",
    }
    assert TAGGING.own({"Audit": "1", "kubernetes.io/cluster": "c"}, {}) is None


def configured(provider: AwsProvider, **more: Any) -> Aws:
    texts = {key: json.dumps(value) for key, value in more.items()}
    return Aws(configured=provider.configure({"region": REGION, **texts}))


def tags_of(ec2: Any, id_: str) -> dict[str, str]:
    found = ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [id_]}])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


@pytest.mark.cloud
def test_an_ignored_tag_is_no_drift_and_survives_an_update(provider: AwsProvider, ec2: Any) -> None:
    aws = configured(provider, ignoreTags={"keys": ["Audit"], "keyPrefixes": ["kubernetes.io/"]})
    made = aws.make(VPC, "v", **WANTED)
    foreign = {"Audit": "yes", "kubernetes.io/cluster": "c"}
    ec2.create_tags(Resources=[made.id], Tags=[{"Key": key, "Value": value} for key, value in foreign.items()])
    found = aws.configured.read(made)
    assert found is not None and found.outputs["tagsAll"] == {"Name": "v"} == found.outputs["tags"]
    assert aws.configured.diff(found, made.inputs).changed == ()
    changed, _, new = aws.change(found, **{**WANTED, "tags": {"Name": "w"}})
    assert changed == ("tags",) and new.outputs["tagsAll"] == {"Name": "w"}
    assert tags_of(ec2, made.id) == {"Name": "w", **foreign}


@pytest.mark.cloud
def test_a_foreign_tag_is_drift_and_goes_with_the_next_update(aws: Aws, ec2: Any) -> None:
    made = aws.make(VPC, "v", **WANTED)
    ec2.create_tags(Resources=[made.id], Tags=[{"Key": "By", "Value": "hand"}])
    found = aws.configured.read(made)
    assert found is not None and found.inputs["tags"] == {"By": "hand", "Name": "v"}
    assert aws.configured.diff(found, made.inputs).changed == ("tags",)
    aws.change(found, **WANTED)
    assert tags_of(ec2, made.id) == {"Name": "v", "Project": "test"}


@pytest.mark.cloud
def test_changed_default_tags_are_an_update_of_everything_that_takes_tags(
    aws: Aws, provider: AwsProvider, ec2: Any
) -> None:
    other = configured(provider, defaultTags={"tags": {"Owner": "o"}})
    vpc = aws.make(VPC, "v", **WANTED)
    role = aws.make(ROLE, "r", assumeRolePolicy=TRUST)
    subnet = aws.make("aws:ec2/subnet:Subnet", "s", vpcId=vpc.id, cidrBlock="10.0.0.0/24")
    disk = {"encrypted": True, "tags": {"Disk": "root"}}
    instance = aws.make(
        *("aws:ec2/instance:Instance", "i"),
        ami="ami-0deb1a13000000001",
        instanceType="t3.micro",
        subnetId=subnet.id,
        rootBlockDevice=disk,
    )
    assert tags_of(ec2, instance.outputs["rootBlockDevice"]["volumeId"]) == {"Disk": "root", "Project": "test"}
    for made in (vpc, role, subnet, instance):
        changed, forced, new = other.change(made, **made.inputs)
        assert (changed, forced) == (("tagsAll",), ()), made.type
        assert new.outputs["tagsAll"] == {**(made.inputs.get("tags") or {}), "Owner": "o"}
        again = other.configured.read(new)
        assert again is not None and other.configured.diff(again, new.inputs).changed == ()
    assert tags_of(ec2, vpc.id) == {"Name": "v", "Owner": "o"}
    assert tags_of(ec2, instance.outputs["rootBlockDevice"]["volumeId"]) == {"Disk": "root", "Owner": "o"}
    reservation = "aws:ec2/subnetCidrReservation:SubnetCidrReservation"
    untagged = aws.make(reservation, "c", cidrBlock="10.0.0.99/32", subnetId=subnet.id, reservationType="explicit")
    assert other.configured.diff(untagged, untagged.inputs).changed == ()


@pytest.mark.cloud
def test_a_plan_shows_all_tags(aws: Aws) -> None:
    planned = aws.configured.create(
        Resource(type=VPC, name="v", inputs={**WANTED, "tags": {"Name": UNKNOWN}}), preview=True, timeout_seconds=None
    )
    assert planned.outputs["tagsAll"] == {"Name": UNKNOWN, "Project": "test"} and planned.id == ""
