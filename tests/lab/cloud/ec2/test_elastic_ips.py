"""Elastic IPs: which private address they are mapped to."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from lab.cloud.corrections.images import LAB_IMAGE_ID
from tests.lab.cloud.conftest import World, interface_of, refused

pytestmark = pytest.mark.cloud
VIRTUAL_IP = "10.0.0.100"


@pytest.fixture
def interface(world: World) -> str:
    interface = interface_of(world.launch("10.0.0.36"))
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=[VIRTUAL_IP])
    return interface


def allocate(world: World) -> Any:
    return world.ec2.allocate_address(Domain="vpc")


def associate(world: World, elastic_ip: Any, interface: str, **options: Any) -> str:
    answer = world.ec2.associate_address(
        AllocationId=elastic_ip["AllocationId"], NetworkInterfaceId=interface, **options
    )
    return str(answer["AssociationId"])


def mapped(world: World, elastic_ip: Any) -> Any:
    return world.ec2.describe_addresses(AllocationIds=[elastic_ip["AllocationId"]])["Addresses"][0]


def test_they_come_from_the_labs_pool(world: World) -> None:
    given = [allocate(world)["PublicIp"] for _ in range(3)]
    assert len(set(given)) == 3
    assert all(ipaddress.ip_address(each) in ipaddress.ip_network("203.0.113.0/24") for each in given)


def test_tags_at_allocation(world: World) -> None:
    made = world.ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": [{"Key": "Name", "Value": "service"}]}]
    )
    assert mapped(world, made)["Tags"] == [{"Key": "Name", "Value": "service"}]


def test_the_private_address_is_honoured(world: World, interface: str) -> None:
    elastic_ip = allocate(world)
    associate(world, elastic_ip, interface, PrivateIpAddress=VIRTUAL_IP)
    assert mapped(world, elastic_ip)["PrivateIpAddress"] == VIRTUAL_IP
    assert "Association" not in world.interface(interface)  # that is the primary's


def test_without_one_it_is_the_primary(world: World, interface: str) -> None:
    elastic_ip = allocate(world)
    instance = world.interface(interface)["Attachment"]["InstanceId"]
    world.ec2.associate_address(AllocationId=elastic_ip["AllocationId"], InstanceId=instance)
    assert mapped(world, elastic_ip)["PrivateIpAddress"] == "10.0.0.36"
    assert world.instance(instance)["PublicIpAddress"] == elastic_ip["PublicIp"]
    assert world.interface(interface)["Association"]["AllocationId"] == elastic_ip["AllocationId"]


def test_an_address_the_interface_has_not(world: World, interface: str) -> None:
    with refused("InvalidParameterValue", f"10.0.0.101 is not mapped to the interface {interface}"):
        associate(world, allocate(world), interface, PrivateIpAddress="10.0.0.101")


def test_the_same_again_keeps_the_association(world: World, interface: str) -> None:
    elastic_ip = allocate(world)
    first = associate(world, elastic_ip, interface, PrivateIpAddress=VIRTUAL_IP)
    assert associate(world, elastic_ip, interface, PrivateIpAddress=VIRTUAL_IP) == first
    assert associate(world, elastic_ip, interface, PrivateIpAddress=VIRTUAL_IP, AllowReassociation=False) == first
    assert associate(world, elastic_ip, interface) != first  # to the primary is another mapping


def test_it_moves_unless_that_is_refused(world: World, interface: str) -> None:
    elastic_ip, other = allocate(world), interface_of(world.launch("10.0.0.56"))
    first = associate(world, elastic_ip, interface)
    with refused("Resource.AlreadyAssociated", first):
        associate(world, elastic_ip, other, AllowReassociation=False)
    second = associate(world, elastic_ip, other)
    assert second != first
    assert mapped(world, elastic_ip)["NetworkInterfaceId"] == other
    assert "Association" not in world.interface(interface)
    assert "PublicIpAddress" not in world.instance(world.interface(interface)["Attachment"]["InstanceId"])


def test_a_private_address_has_one_elastic_ip(world: World, interface: str) -> None:
    old, new = allocate(world), allocate(world)
    associate(world, old, interface)
    with refused("Resource.AlreadyAssociated", old["AllocationId"]):
        associate(world, new, interface, AllowReassociation=False)
    associate(world, new, interface)
    assert "AssociationId" not in mapped(world, old)
    assert world.interface(interface)["Association"]["PublicIp"] == new["PublicIp"]


def test_two_addresses_two_elastic_ips(world: World, interface: str) -> None:
    own, service = allocate(world), allocate(world)
    associate(world, own, interface)
    associate(world, service, interface, PrivateIpAddress=VIRTUAL_IP)
    shown = {
        each["PrivateIpAddress"]: each["Association"]["PublicIp"]
        for each in world.interface(interface)["PrivateIpAddresses"]
    }
    assert shown == {"10.0.0.36": own["PublicIp"], VIRTUAL_IP: service["PublicIp"]}


def test_release_only_when_free(world: World, interface: str) -> None:
    elastic_ip = allocate(world)
    association = associate(world, elastic_ip, interface)
    with refused("InvalidIPAddress.InUse", elastic_ip["PublicIp"]):
        world.ec2.release_address(AllocationId=elastic_ip["AllocationId"])
    world.ec2.disassociate_address(AssociationId=association)
    with refused("InvalidAssociationID.NotFound"):
        world.ec2.disassociate_address(AssociationId=association)
    world.ec2.release_address(AllocationId=elastic_ip["AllocationId"])
    with refused("InvalidAllocationID.NotFound"):
        mapped(world, elastic_ip)


def test_dry_run_changes_nothing(world: World, interface: str) -> None:
    elastic_ip = allocate(world)
    with refused("DryRunOperation"):
        associate(world, elastic_ip, interface, DryRun=True)
    assert "AssociationId" not in mapped(world, elastic_ip)


def test_it_needs_an_internet_gateway(world: World, interface: str) -> None:
    world.ec2.detach_internet_gateway(InternetGatewayId=world.gateway, VpcId=world.vpc)
    with refused("Gateway.NotAttached", world.vpc):
        associate(world, allocate(world), interface)


def test_the_gateway_stays_while_addresses_are_mapped(world: World, interface: str) -> None:
    associate(world, allocate(world), interface)
    with refused("DependencyViolation", "mapped public address"):
        world.ec2.detach_internet_gateway(InternetGatewayId=world.gateway, VpcId=world.vpc)


def test_instance_or_interface(world: World, interface: str) -> None:
    elastic_ip = allocate(world)
    instance = world.interface(interface)["Attachment"]["InstanceId"]
    with refused("InvalidParameterCombination"):
        associate(world, elastic_ip, interface, InstanceId=instance)
    with refused("MissingParameter"):
        world.ec2.associate_address(AllocationId=elastic_ip["AllocationId"])


def test_an_automatic_public_address_gives_way_and_does_not_return_beside_the_service(world: World) -> None:
    world.ec2.modify_subnet_attribute(SubnetId=world.subnet, MapPublicIpOnLaunch={"Value": True})
    instance = world.launch("10.0.0.36")
    automatic = instance["PublicIpAddress"]
    assert ipaddress.ip_address(automatic) in ipaddress.ip_network("203.0.113.0/24")
    interface, elastic_ip = interface_of(instance), allocate(world)
    assert elastic_ip["PublicIp"] != automatic
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=[VIRTUAL_IP])
    associate(world, elastic_ip, interface, PrivateIpAddress=VIRTUAL_IP)
    assert world.instance(instance["InstanceId"])["PublicIpAddress"] == automatic
    world.ec2.stop_instances(InstanceIds=[instance["InstanceId"]])
    world.wait_state(instance["InstanceId"], "stopped")
    world.ec2.start_instances(InstanceIds=[instance["InstanceId"]])
    world.wait_state(instance["InstanceId"], "running")
    assert "PublicIpAddress" not in world.instance(instance["InstanceId"])


def test_it_goes_by_its_ids(world: World, interface: str) -> None:
    elastic_ip = allocate(world)
    with refused("InvalidParameterCombination", "allocation id"):
        world.ec2.associate_address(PublicIp=elastic_ip["PublicIp"], NetworkInterfaceId=interface)
    associate(world, elastic_ip, interface)
    with refused("InvalidParameterValue", "association id"):
        world.ec2.disassociate_address(PublicIp=elastic_ip["PublicIp"])
    with refused("InvalidParameterValue", "allocation id"):
        world.ec2.release_address(PublicIp=elastic_ip["PublicIp"])


def test_in_the_default_vpc_release_disassociates(world: World) -> None:
    """ "[Default VPC] Releasing an Elastic IP address automatically disassociates it" (API reference)."""
    default = world.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    gateway = world.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    world.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=default)
    launched = world.ec2.run_instances(ImageId=LAB_IMAGE_ID, InstanceType="t3.micro", MinCount=1, MaxCount=1)
    instance = launched["Instances"][0]
    world.wait_state(instance["InstanceId"], "running")
    elastic_ip = allocate(world)
    associate(world, elastic_ip, interface_of(instance))
    world.ec2.release_address(AllocationId=elastic_ip["AllocationId"])
    assert elastic_ip["PublicIp"] not in str(world.interface(interface_of(instance)))


def test_an_address_of_the_pool_can_be_asked_for(world: World) -> None:
    assert world.ec2.allocate_address(Domain="vpc", Address="203.0.113.77")["PublicIp"] == "203.0.113.77"
    for address, code in (
        ("203.0.113.77", "InvalidAddress.NotFound"),
        ("8.8.8.8", "InvalidAddress.NotFound"),
        ("nonsense", "InvalidAddress.Malformed"),
    ):
        with refused(code, address):
            world.ec2.allocate_address(Domain="vpc", Address=address)


def test_a_stopped_instance_keeps_and_takes_an_elastic_ip(world: World, interface: str) -> None:
    instance = world.interface(interface)["Attachment"]["InstanceId"]
    kept, taken = allocate(world), allocate(world)
    associate(world, kept, interface)
    world.ec2.stop_instances(InstanceIds=[instance])
    world.wait_state(instance, "stopped")
    world.ec2.associate_address(
        AllocationId=taken["AllocationId"], NetworkInterfaceId=interface, PrivateIpAddress=VIRTUAL_IP
    )
    assert world.instance(instance)["PublicIpAddress"] == kept["PublicIp"]
    assert mapped(world, taken)["PrivateIpAddress"] == VIRTUAL_IP
