"""Tags: at creation, later, and gone with what they were on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.cloud.conftest import World, interface_of, refused

pytestmark = pytest.mark.cloud


def specification(kind: str, **tags: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}]


def tags_of(world: World, resource: str) -> dict[str, str]:
    found = world.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [resource]}])["Tags"]
    return {tag["Key"]: tag["Value"] for tag in found}


def test_a_launch_tags_instance_volume_and_interface(world: World) -> None:
    tags = [
        *specification("instance", Name="director"),
        *specification("volume", Name="disk"),
        *specification("network-interface", Name="card"),
    ]
    instance = world.launch(TagSpecifications=tags)
    volume = instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    named = {id_: tags_of(world, id_) for id_ in (instance["InstanceId"], volume, interface_of(instance))}
    assert [each["Name"] for each in named.values()] == ["director", "disk", "card"]
    assert world.interface(interface_of(instance))["TagSet"] == [{"Key": "Name", "Value": "card"}]


def test_tags_are_set_changed_and_taken_away(world: World, director: Any) -> None:
    ec2, instance = world.ec2, director["InstanceId"]
    ec2.create_tags(Resources=[instance, world.vpc], Tags=[{"Key": "Role", "Value": "director"}])
    ec2.create_tags(Resources=[instance], Tags=[{"Key": "Role", "Value": "web"}, {"Key": "Empty", "Value": ""}])
    assert tags_of(world, instance) == {"Role": "web", "Empty": ""}
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "Role", "Value": "director"}])  # has another value: stays
    assert tags_of(world, instance)["Role"] == "web"
    ec2.delete_tags(Resources=[instance], Tags=[{"Key": "Role"}])
    assert tags_of(world, instance) == {"Empty": ""}
    assert tags_of(world, world.vpc) == {"Role": "director"}


def test_tags_go_with_what_they_are_on(world: World) -> None:
    allocation = world.ec2.allocate_address(Domain="vpc", TagSpecifications=specification("elastic-ip", Name="a"))
    group = world.ec2.create_security_group(
        GroupName="g", Description="g", VpcId=world.vpc, TagSpecifications=specification("security-group", Name="b")
    )["GroupId"]
    assert len(world.ec2.describe_tags()["Tags"]) == 2
    world.ec2.release_address(AllocationId=allocation["AllocationId"])
    world.ec2.delete_security_group(GroupId=group)
    assert world.ec2.describe_tags()["Tags"] == []


def test_tags_that_cannot_be(world: World) -> None:
    def tag(**tags: str) -> None:
        world.ec2.create_tags(Resources=[world.vpc], Tags=[{"Key": key, "Value": tags[key]} for key in tags])

    for wrong in ({"aws:mine": "x"}, {"": "x"}, {"k" * 129: "x"}, {"k": "v" * 257}):
        with refused("InvalidParameterValue"):
            tag(**wrong)
    with refused("InvalidParameterValue", "'instance' is not a valid taggable resource type"):
        world.ec2.create_vpc(CidrBlock="10.9.0.0/16", TagSpecifications=specification("instance", Name="x"))
    with refused("InvalidParameterValue", "reserved for internal use"):
        world.ec2.allocate_address(TagSpecifications=specification("elastic-ip", **{"aws:x": "y"}))
    with refused("TagLimitExceeded"):
        tag(**{f"k{n}": "v" for n in range(51)})
    assert tags_of(world, world.vpc) == {}
