"""Attributes of instances: protection, what changes only while stopped, what is of the one interface."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.lab.cloud.conftest import World, refused

pytestmark = pytest.mark.cloud


def stop(world: World, instance: str) -> None:
    world.ec2.stop_instances(InstanceIds=[instance])
    world.wait_state(instance, "stopped")


@pytest.mark.parametrize("at_launch", [True, False])
def test_a_protected_instance_and_those_named_with_it_are_not_terminated(world: World, at_launch: bool) -> None:
    options: Any = {"DisableApiTermination": True} if at_launch else {}
    protected, other = world.launch(**options)["InstanceId"], world.launch()["InstanceId"]
    if not at_launch:
        world.ec2.modify_instance_attribute(InstanceId=protected, DisableApiTermination={"Value": True})
    with refused("OperationNotPermitted", protected, "'disableApiTermination'"):
        world.ec2.terminate_instances(InstanceIds=[other, protected])
    assert {world.instance(each)["State"]["Name"] for each in (protected, other)} == {"running"}
    world.ec2.modify_instance_attribute(InstanceId=protected, DisableApiTermination={"Value": False})
    world.ec2.terminate_instances(InstanceIds=[other, protected])


def test_a_protected_instance_and_those_named_with_it_are_not_stopped(world: World) -> None:
    protected, other = world.launch(DisableApiStop=True)["InstanceId"], world.launch()["InstanceId"]
    with refused("OperationNotPermitted", protected, "'disableApiStop'"):
        world.ec2.stop_instances(InstanceIds=[other, protected])
    assert {world.instance(each)["State"]["Name"] for each in (protected, other)} == {"running"}


@pytest.mark.parametrize(
    "change", [{"InstanceType": {"Value": "t3.small"}}, {"UserData": {"Value": b"#!/bin/sh\n"}}], ids=["type", "data"]
)
def test_type_and_user_data_change_only_while_stopped(world: World, director: Any, change: Any) -> None:
    instance = director["InstanceId"]
    with refused("IncorrectInstanceState", f"The instance '{instance}' is not in the 'stopped' state."):
        world.ec2.modify_instance_attribute(InstanceId=instance, **change)
    stop(world, instance)
    world.ec2.modify_instance_attribute(InstanceId=instance, **change)
    shown = world.ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
    if "UserData" in change:
        assert base64.b64decode(shown["UserData"]["Value"]) == b"#!/bin/sh\n"
    else:
        assert world.instance(instance)["InstanceType"] == "t3.small"


def test_wrong_values(world: World, director: Any) -> None:
    instance = director["InstanceId"]
    with refused("InvalidParameterValue", "HttpPutResponseHopLimit"):
        world.ec2.modify_instance_metadata_options(InstanceId=instance, HttpPutResponseHopLimit=65)
    with refused("InvalidParameterValue", "httpTokens"):
        world.ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="maybe")
    stop(world, instance)
    with refused("InvalidInstanceAttributeValue", "t3.enormous"):
        world.ec2.modify_instance_attribute(InstanceId=instance, InstanceType={"Value": "t3.enormous"})
    with refused("InvalidParameterValue", "16384"):
        world.ec2.modify_instance_attribute(InstanceId=instance, UserData={"Value": b"x" * 16385})


def test_one_attribute_a_call(world: World, director: Any) -> None:
    instance = director["InstanceId"]
    with refused("InvalidParameterCombination", "No attributes specified."):
        world.ec2.modify_instance_attribute(InstanceId=instance)
    with refused("InvalidParameterCombination", "DisableApiStop", "SourceDestCheck"):
        world.ec2.modify_instance_attribute(
            InstanceId=instance, SourceDestCheck={"Value": False}, DisableApiStop={"Value": True}
        )
    assert world.instance(instance)["SourceDestCheck"] is True


def test_nothing_changes_the_terminated(world: World, director: Any) -> None:
    instance = director["InstanceId"]
    world.end(instance)
    with refused("IncorrectInstanceState", instance):
        world.ec2.modify_instance_attribute(InstanceId=instance, SourceDestCheck={"Value": False})
    with refused("IncorrectInstanceState", instance):
        world.ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="required")
