"""One owner for each address: assign, unassign, and the Elastic IP that follows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.cloud.conftest import World, interface_of, refused

pytestmark = pytest.mark.cloud
VIRTUAL_IP = "10.0.0.100"


@pytest.fixture
def directors(world: World) -> tuple[str, str]:
    """The interfaces of two directors."""
    return interface_of(world.launch("10.0.0.36")), interface_of(world.launch("10.0.0.56"))


@pytest.fixture
def elastic_ip(world: World) -> Any:
    return world.ec2.allocate_address(Domain="vpc")


def take(world: World, interface: str, *, move: bool | None = None) -> Any:
    options = {} if move is None else {"AllowReassignment": move}
    return world.ec2.assign_private_ip_addresses(
        NetworkInterfaceId=interface, PrivateIpAddresses=[VIRTUAL_IP], **options
    )


def test_the_answer_names_what_was_given(world: World, directors: tuple[str, str]) -> None:
    answer = take(world, directors[0])
    assert answer["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": VIRTUAL_IP}]
    assert world.addresses(directors[0]) == ["10.0.0.36", VIRTUAL_IP]


def test_a_move_takes_address_and_elastic_ip_along_and_all_descriptions_agree(
    world: World, directors: tuple[str, str], elastic_ip: Any
) -> None:
    old, new = directors
    take(world, old)
    association = world.ec2.associate_address(
        AllocationId=elastic_ip["AllocationId"], NetworkInterfaceId=old, PrivateIpAddress=VIRTUAL_IP
    )["AssociationId"]
    take(world, new, move=True)

    assert world.addresses(old) == ["10.0.0.36"]
    assert world.addresses(new) == ["10.0.0.56", VIRTUAL_IP]
    described = world.ec2.describe_addresses(AllocationIds=[elastic_ip["AllocationId"]])["Addresses"][0]
    attachment = world.interface(new)["Attachment"]
    assert described["NetworkInterfaceId"] == new
    assert described["PrivateIpAddress"] == VIRTUAL_IP
    assert described["AssociationId"] == association
    assert described["InstanceId"] == attachment["InstanceId"]
    for shown in (world.interface(new), world.instance(attachment["InstanceId"])["NetworkInterfaces"][0]):
        entry = next(each for each in shown["PrivateIpAddresses"] if each["PrivateIpAddress"] == VIRTUAL_IP)
        assert entry["Primary"] is False
        assert entry["Association"]["PublicIp"] == elastic_ip["PublicIp"]
    for shown in (world.interface(old), world.instance(world.interface(old)["Attachment"]["InstanceId"])):
        assert elastic_ip["PublicIp"] not in str(shown)
    for name, value in (("association.public-ip", elastic_ip["PublicIp"]), ("private-ip-address", VIRTUAL_IP)):
        found = world.ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])["NetworkInterfaces"]
        assert [each["NetworkInterfaceId"] for each in found] == [new], name
    found = world.ec2.describe_addresses(Filters=[{"Name": "private-ip-address", "Values": [VIRTUAL_IP]}])["Addresses"]
    assert [each["AssociationId"] for each in found] == [association]
    by_address = [{"Name": "network-interface.addresses.private-ip-address", "Values": [VIRTUAL_IP]}]
    reservations = world.ec2.describe_instances(Filters=by_address)["Reservations"]
    assert [each["Instances"][0]["InstanceId"] for each in reservations] == [attachment["InstanceId"]]


@pytest.mark.parametrize("move", [None, False])
def test_a_taken_address_stays_without_the_word(world: World, directors: tuple[str, str], move: bool | None) -> None:
    take(world, directors[0])
    with refused("InvalidParameterValue", VIRTUAL_IP):
        take(world, directors[1], move=move)
    assert world.addresses(directors[0]) == ["10.0.0.36", VIRTUAL_IP]
    assert world.addresses(directors[1]) == ["10.0.0.56"]


def test_taking_what_one_has_changes_nothing(world: World, directors: tuple[str, str]) -> None:
    take(world, directors[0])
    take(world, directors[0], move=True)
    assert world.addresses(directors[0]) == ["10.0.0.36", VIRTUAL_IP]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("10.0.0.56", "primary"),
        ("10.0.1.5", "does not fall within"),
        ("10.0.0.3", "reserved"),
        ("10.0.0.255", "reserved"),
        ("10.0.0.300", "invalid"),
    ],
)
def test_what_nobody_may_take(world: World, directors: tuple[str, str], address: str, why: str) -> None:
    with refused("InvalidParameterValue", address, why):
        world.ec2.assign_private_ip_addresses(
            NetworkInterfaceId=directors[0], PrivateIpAddresses=[address], AllowReassignment=True
        )
    assert world.addresses(directors[1]) == ["10.0.0.56"]


def test_an_instance_type_has_a_limit_and_a_refused_call_changes_nothing(
    world: World, directors: tuple[str, str]
) -> None:
    with refused("PrivateIpAddressLimitExceeded"):  # a t3.micro has two addresses an interface
        world.ec2.assign_private_ip_addresses(
            NetworkInterfaceId=directors[0], PrivateIpAddresses=[VIRTUAL_IP, "10.0.0.101"]
        )
    with refused("PrivateIpAddressLimitExceeded"):
        world.ec2.assign_private_ip_addresses(NetworkInterfaceId=directors[0], SecondaryPrivateIpAddressCount=2)
    assert world.addresses(directors[0]) == ["10.0.0.36"]


def test_a_count_gives_free_addresses_and_says_which(world: World) -> None:
    interface = interface_of(world.launch("10.0.0.4", InstanceType="t3.medium"))
    answer = world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=2)
    given = [each["PrivateIpAddress"] for each in answer["AssignedPrivateIpAddresses"]]
    assert given == ["10.0.0.5", "10.0.0.6"]
    assert world.addresses(interface) == ["10.0.0.4", *given]


def test_addresses_or_a_count(world: World, directors: tuple[str, str]) -> None:
    with refused("InvalidParameterCombination"):
        world.ec2.assign_private_ip_addresses(
            NetworkInterfaceId=directors[0], PrivateIpAddresses=[VIRTUAL_IP], SecondaryPrivateIpAddressCount=1
        )
    with refused("MissingParameter"):
        world.ec2.assign_private_ip_addresses(NetworkInterfaceId=directors[0])
    with refused("InvalidNetworkInterfaceID.NotFound"):
        take(world, "eni-00000000000000000")


def test_unassign_drops_the_association(world: World, directors: tuple[str, str], elastic_ip: Any) -> None:
    take(world, directors[0])
    world.ec2.associate_address(
        AllocationId=elastic_ip["AllocationId"], NetworkInterfaceId=directors[0], PrivateIpAddress=VIRTUAL_IP
    )
    world.ec2.unassign_private_ip_addresses(NetworkInterfaceId=directors[0], PrivateIpAddresses=[VIRTUAL_IP])
    assert world.addresses(directors[0]) == ["10.0.0.36"]
    described = world.ec2.describe_addresses(AllocationIds=[elastic_ip["AllocationId"]])["Addresses"][0]
    assert "AssociationId" not in described
    assert "NetworkInterfaceId" not in described


@pytest.mark.parametrize("address", ["10.0.0.36", "10.0.0.101"])
def test_unassign_refuses_the_primary_and_what_is_not_there(
    world: World, directors: tuple[str, str], address: str
) -> None:
    with refused("InvalidParameterValue", address):
        world.ec2.unassign_private_ip_addresses(NetworkInterfaceId=directors[0], PrivateIpAddresses=[address])
    assert world.addresses(directors[0]) == ["10.0.0.36"]


@pytest.mark.parametrize("count", [0, -1])
def test_a_count_of_nothing(world: World, directors: tuple[str, str], count: int) -> None:
    with refused("InvalidParameterValue", str(count)):
        world.ec2.assign_private_ip_addresses(NetworkInterfaceId=directors[0], SecondaryPrivateIpAddressCount=count)


def test_one_refused_address_keeps_all_where_they_are(world: World, directors: tuple[str, str]) -> None:
    take(world, directors[0])
    with refused("InvalidParameterValue", "10.0.1.5"):
        world.ec2.assign_private_ip_addresses(
            NetworkInterfaceId=directors[1], PrivateIpAddresses=[VIRTUAL_IP, "10.0.1.5"], AllowReassignment=True
        )
    assert world.addresses(directors[0]) == ["10.0.0.36", VIRTUAL_IP]


def test_unassign_needs_an_address(world: World, directors: tuple[str, str]) -> None:
    with refused("MissingParameter"):
        world.ec2.unassign_private_ip_addresses(NetworkInterfaceId=directors[0], PrivateIpAddresses=[])


def test_an_address_moves_to_an_interface_of_a_stopped_instance_and_to_one_of_none(
    world: World, directors: tuple[str, str]
) -> None:
    take(world, directors[0])
    instance = world.interface(directors[1])["Attachment"]["InstanceId"]
    world.ec2.stop_instances(InstanceIds=[instance])
    world.wait_state(instance, "stopped")
    take(world, directors[1], move=True)
    spare = world.ec2.create_network_interface(SubnetId=world.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    take(world, spare, move=True)
    assert [VIRTUAL_IP in world.addresses(each) for each in (*directors, spare)] == [False, False, True]


def test_the_same_address_in_another_subnet_is_another(world: World, directors: tuple[str, str]) -> None:
    vpc = world.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = world.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    twin = world.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    take(world, directors[0])
    take(world, twin)
    assert VIRTUAL_IP in world.addresses(directors[0]) and VIRTUAL_IP in world.addresses(twin)
