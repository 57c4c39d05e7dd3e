"""Interfaces beside the first: made, attached, detached, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from lab.cloud.corrections.images import LAB_IMAGE_ID
from tests.lab.cloud.conftest import World, interface_of, refused

pytestmark = pytest.mark.cloud


@pytest.fixture
def spare(world: World) -> str:
    """An interface at 10.0.0.200, of no instance."""
    made = world.ec2.create_network_interface(
        SubnetId=world.subnet, PrivateIpAddress="10.0.0.200", Groups=[world.group], Description="spare"
    )
    return str(made["NetworkInterface"]["NetworkInterfaceId"])


def attach(world: World, interface: str, instance: Any, index: int = 1) -> str:
    answer = world.ec2.attach_network_interface(
        NetworkInterfaceId=interface, InstanceId=instance["InstanceId"], DeviceIndex=index
    )
    return str(answer["AttachmentId"])


def test_a_second_interface_comes_and_goes_with_its_addresses(world: World, director: Any, spare: str) -> None:
    allocation = world.ec2.allocate_address(Domain="vpc")["AllocationId"]
    association = world.ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=spare)["AssociationId"]
    attachment = attach(world, spare, director)
    shown = world.interface(spare)
    assert shown["Status"] == "in-use"
    assert (shown["Attachment"]["DeviceIndex"], shown["Attachment"]["DeleteOnTermination"]) == (1, False)
    assert len(world.instance(director["InstanceId"])["NetworkInterfaces"]) == 2
    found = world.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
    assert (found["InstanceId"], found["AssociationId"]) == (director["InstanceId"], association)
    world.ec2.detach_network_interface(AttachmentId=attachment)
    assert world.interface(spare)["Status"] == "available"
    found = world.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]
    assert "InstanceId" not in found
    assert found["AssociationId"] == association
    assert len(world.instance(director["InstanceId"])["NetworkInterfaces"]) == 1
    with refused("InvalidAttachmentID.NotFound", attachment):
        world.ec2.detach_network_interface(AttachmentId=attachment)
    world.ec2.delete_network_interface(NetworkInterfaceId=spare)
    assert "AssociationId" not in world.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]


def test_the_first_interface_stays(world: World, director: Any) -> None:
    attachment = world.interface(interface_of(director))["Attachment"]["AttachmentId"]
    with refused("OperationNotPermitted", "device index 0", "cannot be detached."):
        world.ec2.detach_network_interface(AttachmentId=attachment)


def test_an_attached_interface_is_neither_deleted_nor_attached_again(world: World, director: Any, spare: str) -> None:
    attach(world, spare, director)
    with refused("InvalidParameterValue", f"Network interface '{spare}' is currently in use."):
        world.ec2.delete_network_interface(NetworkInterfaceId=spare)
    with refused("InvalidNetworkInterface.InUse", spare):
        attach(world, spare, world.launch())


def test_an_index_is_taken_once_and_a_type_has_so_many(world: World, director: Any, spare: str) -> None:
    with refused("InvalidParameterValue", "already has an interface attached at device index '0'"):
        attach(world, spare, director, 0)
    attach(world, spare, director)
    third = world.ec2.create_network_interface(SubnetId=world.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    with refused("AttachmentLimitExceeded", "Interface count 3 exceeds the limit for t3.micro"):
        attach(world, third, director, 2)


def test_an_interface_with_more_addresses_than_the_type_has(world: World, director: Any) -> None:
    made = world.ec2.create_network_interface(SubnetId=world.subnet, SecondaryPrivateIpAddressCount=3)
    interface = made["NetworkInterface"]
    assert len(interface["PrivateIpAddresses"]) == 4
    with refused("PrivateIpAddressLimitExceeded"):
        attach(world, interface["NetworkInterfaceId"], director)


def test_another_zone(world: World, director: Any) -> None:
    far = world.ec2.create_subnet(VpcId=world.vpc, CidrBlock="10.0.7.0/24", AvailabilityZone="us-east-1b")
    made = world.ec2.create_network_interface(SubnetId=far["Subnet"]["SubnetId"])["NetworkInterface"]
    with refused("InvalidParameterCombination", "availability zone"):
        attach(world, made["NetworkInterfaceId"], director)


def test_it_can_be_attached_to_a_stopped_instance(world: World, director: Any, spare: str) -> None:
    world.ec2.stop_instances(InstanceIds=[director["InstanceId"]])
    world.wait_state(director["InstanceId"], "stopped")
    attach(world, spare, director)


def test_an_instance_with_two_interfaces_is_not_enough_of_a_name(world: World, director: Any, spare: str) -> None:
    attach(world, spare, director)
    allocation = world.ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2, instance = world.ec2, director["InstanceId"]
    for call, options in (
        (ec2.associate_address, {"AllocationId": allocation}),
        (ec2.modify_instance_attribute, {"SourceDestCheck": {"Value": False}}),
        (ec2.modify_instance_attribute, {"Groups": [world.group]}),
    ):
        with refused("InvalidInstanceID", f"There are multiple interfaces attached to instance '{instance}'"):
            call(InstanceId=instance, **options)


@pytest.mark.parametrize("goes", [True, False])
def test_whether_an_interface_goes_with_its_instance_can_be_set(
    world: World, director: Any, spare: str, goes: bool
) -> None:
    attachment = attach(world, spare, director)
    world.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=spare, Attachment={"AttachmentId": attachment, "DeleteOnTermination": goes}
    )
    world.end(director["InstanceId"])
    if goes:
        with refused("InvalidNetworkInterfaceID.NotFound"):
            world.interface(spare)
    else:
        assert world.interface(spare)["Status"] == "available"


def test_an_attached_interface_outlives_its_instance_unless_said_otherwise(world: World, director: Any) -> None:
    """Also one that was made at a launch and would have gone with that instance."""
    cards = [{"DeviceIndex": index, "SubnetId": world.subnet} for index in range(2)]
    launched = world.ec2.run_instances(
        ImageId=LAB_IMAGE_ID, InstanceType="t3.micro", MinCount=1, MaxCount=1, NetworkInterfaces=cards
    )["Instances"][0]
    second = next(each for each in launched["NetworkInterfaces"] if each["Attachment"]["DeviceIndex"] == 1)
    assert second["Attachment"]["DeleteOnTermination"] is True
    world.ec2.detach_network_interface(AttachmentId=second["Attachment"]["AttachmentId"])
    attach(world, second["NetworkInterfaceId"], director)
    assert world.interface(second["NetworkInterfaceId"])["Attachment"]["DeleteOnTermination"] is False


def test_a_new_interface_takes_only_what_is_free(world: World, spare: str) -> None:
    for address, code in (
        ("10.0.0.200", "InvalidIPAddress.InUse"),
        ("10.0.0.3", "InvalidParameterValue"),
        ("10.1.0.9", "InvalidParameterValue"),
        ("nonsense", "InvalidParameterValue"),
    ):
        with refused(code, address):
            world.ec2.create_network_interface(SubnetId=world.subnet, PrivateIpAddress=address)
    assert len(world.ec2.describe_network_interfaces()["NetworkInterfaces"]) == 1


def test_groups_description_and_check_can_be_changed(world: World, spare: str) -> None:
    other = world.ec2.create_security_group(GroupName="other", Description="other", VpcId=world.vpc)["GroupId"]
    change = world.ec2.modify_network_interface_attribute
    change(NetworkInterfaceId=spare, Groups=[other])
    change(NetworkInterfaceId=spare, SourceDestCheck={"Value": False})
    change(NetworkInterfaceId=spare, Description={"Value": "another"})
    shown = world.interface(spare)
    assert [group["GroupId"] for group in shown["Groups"]] == [other]
    assert (shown["SourceDestCheck"], shown["Description"]) == (False, "another")
