"""Where stock moto 5.2.5 differs from EC2, a test a row; the modules beside this one go deeper into each.

Rows that are whole modules: states that take time (test_instance_states.py), instance metadata
(test_metadata_follows.py and ../metadata), IAM (../authorization).
"""

from __future__ import annotations

import ipaddress
import threading
from typing import Any

import pytest

from lab.cloud.corrections.images import LAB_IMAGE_ID
from tests.lab.cloud.conftest import World, interface_of, refused
from tests.lab.cloud.ec2.conftest import LabCloud

pytestmark = pytest.mark.cloud
VIRTUAL_IP = "10.0.0.100"


@pytest.fixture
def pair(world: World) -> tuple[str, str]:
    """The interfaces of two directors; the first has the virtual IP."""
    first, second = (interface_of(world.launch(address)) for address in ("10.0.0.36", "10.0.0.56"))
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=first, PrivateIpAddresses=[VIRTUAL_IP])
    return first, second


def allocate(world: World) -> str:
    return str(world.ec2.allocate_address(Domain="vpc")["AllocationId"])


def associate(world: World, allocation: str, interface: str, address: str = VIRTUAL_IP) -> str:
    answer = world.ec2.associate_address(
        AllocationId=allocation, NetworkInterfaceId=interface, PrivateIpAddress=address
    )
    return str(answer["AssociationId"])


def holder(world: World, allocation: str) -> Any:
    return world.ec2.describe_addresses(AllocationIds=[allocation])["Addresses"][0]


def move(world: World, interface: str, *, allowed: bool = True) -> None:
    world.ec2.assign_private_ip_addresses(
        NetworkInterfaceId=interface, PrivateIpAddresses=[VIRTUAL_IP], AllowReassignment=allowed
    )


def test_a_reassigned_address_moves_with_its_elastic_ip_and_only_if_that_is_allowed(
    world: World, pair: tuple[str, str]
) -> None:
    allocation = allocate(world)
    association = associate(world, allocation, pair[0])
    with refused("InvalidParameterValue", VIRTUAL_IP):
        move(world, pair[1], allowed=False)
    move(world, pair[1])
    assert (world.addresses(pair[0]), world.addresses(pair[1])) == (["10.0.0.36"], ["10.0.0.56", VIRTUAL_IP])
    found = holder(world, allocation)
    assert (found["NetworkInterfaceId"], found["AssociationId"]) == (pair[1], association)


@pytest.mark.parametrize("address", ["10.0.0.56", "10.0.1.5", "10.0.0.2", "10.0.0.255"])
def test_a_primary_an_outside_and_a_reserved_address_cannot_be_assigned(
    world: World, pair: tuple[str, str], address: str
) -> None:
    with refused("InvalidParameterValue", address):
        world.ec2.assign_private_ip_addresses(
            NetworkInterfaceId=pair[0], PrivateIpAddresses=[address], AllowReassignment=True
        )


def test_a_t3_micro_has_two_addresses_an_interface(world: World, pair: tuple[str, str]) -> None:
    with refused("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit."):
        world.ec2.assign_private_ip_addresses(
            NetworkInterfaceId=pair[1], PrivateIpAddresses=[f"10.0.0.{n}" for n in range(200, 224)]
        )


def test_associate_honours_the_private_address(world: World, pair: tuple[str, str]) -> None:
    allocation = allocate(world)
    associate(world, allocation, pair[0])
    found = holder(world, allocation)
    instance = world.interface(pair[0])["Attachment"]["InstanceId"]
    assert (found["PrivateIpAddress"], found["InstanceId"]) == (VIRTUAL_IP, instance)
    shown = world.interface(pair[0])["PrivateIpAddresses"]
    assert ["Association" in each for each in shown] == [False, True]


def test_associate_to_an_address_the_interface_has_not(world: World, pair: tuple[str, str]) -> None:
    with refused("InvalidParameterValue", f"{VIRTUAL_IP} is not mapped to the interface {pair[1]}"):
        associate(world, allocate(world), pair[1])


def test_the_same_association_again_keeps_its_id(world: World, pair: tuple[str, str]) -> None:
    allocation = allocate(world)
    assert associate(world, allocation, pair[0]) == associate(world, allocation, pair[0])


def test_an_association_elsewhere_takes_it_from_the_old_interface(world: World, pair: tuple[str, str]) -> None:
    allocation = allocate(world)
    associate(world, allocation, pair[0])
    associate(world, allocation, pair[1], "10.0.0.56")
    public = holder(world, allocation)["PublicIp"]
    assert public not in str(world.interface(pair[0]))
    assert public in str(world.interface(pair[1]))


def test_a_second_elastic_ip_unseats_the_first(world: World, pair: tuple[str, str]) -> None:
    first, second = allocate(world), allocate(world)
    associate(world, first, pair[0])
    associate(world, second, pair[0])
    assert "AssociationId" not in holder(world, first)


def test_unassign_disassociates_and_never_takes_the_primary(world: World, pair: tuple[str, str]) -> None:
    allocation = allocate(world)
    associate(world, allocation, pair[0])
    with refused("InvalidParameterValue", "primary"):
        world.ec2.unassign_private_ip_addresses(NetworkInterfaceId=pair[0], PrivateIpAddresses=["10.0.0.36"])
    world.ec2.unassign_private_ip_addresses(NetworkInterfaceId=pair[0], PrivateIpAddresses=[VIRTUAL_IP])
    assert "AssociationId" not in holder(world, allocation)


def test_release_while_associated(world: World, pair: tuple[str, str]) -> None:
    allocation = allocate(world)
    associate(world, allocation, pair[0])
    with refused("InvalidIPAddress.InUse"):
        world.ec2.release_address(AllocationId=allocation)


def test_terminate_frees_interface_addresses_and_association(world: World, pair: tuple[str, str]) -> None:
    allocation = allocate(world)
    associate(world, allocation, pair[0])
    owner = world.interface(pair[0])["Attachment"]["InstanceId"]
    world.end(owner)
    with refused("InvalidNetworkInterfaceID.NotFound", pair[0]):
        world.interface(pair[0])
    assert "AssociationId" not in holder(world, allocation)
    assert world.launch("10.0.0.36")["PrivateIpAddress"] == "10.0.0.36"


def test_the_virtual_ip_can_be_taken_once_its_owner_is_terminated(world: World, pair: tuple[str, str]) -> None:
    world.end(world.interface(pair[0])["Attachment"]["InstanceId"])
    move(world, pair[1], allowed=False)  # nobody has it
    assert world.addresses(pair[1]) == ["10.0.0.56", VIRTUAL_IP]


def test_reboot_of_the_stopped_and_start_of_the_terminated(world: World, director: Any) -> None:
    instance = director["InstanceId"]
    world.ec2.stop_instances(InstanceIds=[instance])
    world.wait_state(instance, "stopped")
    with refused("IncorrectInstanceState"):
        world.ec2.reboot_instances(InstanceIds=[instance])
    world.end(instance)
    with refused("IncorrectInstanceState"):
        world.ec2.start_instances(InstanceIds=[instance])


def test_what_is_in_use_stays(world: World, director: Any) -> None:
    with refused("DependencyViolation"):
        world.ec2.delete_security_group(GroupId=world.group)
    with refused("DependencyViolation"):
        world.ec2.delete_subnet(SubnetId=world.subnet)
    interface = interface_of(director)
    with refused("InvalidParameterValue", f"Network interface '{interface}' is currently in use."):
        world.ec2.delete_network_interface(NetworkInterfaceId=interface)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.0.0.36", "InvalidIPAddress.InUse"),
        ("10.0.9.9", "InvalidParameterValue"),
        ("10.0.0.1", "InvalidParameterValue"),
    ],
)
def test_launch_at_a_taken_an_outside_and_a_reserved_address(
    world: World, director: Any, address: str, code: str
) -> None:
    with refused(code, address):
        world.launch(address)


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "t3.enormous"}, "InvalidParameterValue"),
        ({"UserData": "x" * 17000}, "InvalidParameterValue"),
    ],
    ids=["image", "type", "user data"],
)
def test_launch_of_what_is_not_there_or_too_large(world: World, option: dict[str, Any], code: str) -> None:
    request = {"ImageId": LAB_IMAGE_ID, "InstanceType": "t3.micro", "SubnetId": world.subnet} | option
    with refused(code):
        world.ec2.run_instances(MinCount=1, MaxCount=1, **request)


def test_a_client_token_launches_once(world: World) -> None:
    request = {"ImageId": LAB_IMAGE_ID, "InstanceType": "t3.micro", "SubnetId": world.subnet, "ClientToken": "a"}
    first, again = (world.ec2.run_instances(MinCount=1, MaxCount=1, **request)["Instances"][0] for _ in range(2))
    assert first["InstanceId"] == again["InstanceId"]


def test_a_count_of_secondary_addresses_answers_with_the_addresses(world: World) -> None:
    interface = interface_of(world.launch("10.0.0.4", InstanceType="t3.medium"))
    answer = world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, SecondaryPrivateIpAddressCount=2)
    given = [each["PrivateIpAddress"] for each in answer["AssignedPrivateIpAddresses"]]
    assert world.addresses(interface) == ["10.0.0.4", *given]


def test_source_dest_check_is_the_interfaces_too(world: World, director: Any) -> None:
    world.ec2.modify_instance_attribute(InstanceId=director["InstanceId"], SourceDestCheck={"Value": False})
    assert world.interface(interface_of(director))["SourceDestCheck"] is False


def test_protocol_112_needs_no_ports_and_a_name_it_has_not(world: World) -> None:
    def allow(protocol: str) -> Any:
        permission = {"IpProtocol": protocol, "IpRanges": [{"CidrIp": "10.0.0.0/24"}]}
        return world.ec2.authorize_security_group_ingress(GroupId=world.group, IpPermissions=[permission])

    assert allow("112")["SecurityGroupRules"][0]["IpProtocol"] == "112"
    for unknown in ("vrrp", "999"):
        with refused("InvalidParameterValue", f"Invalid value '{unknown}' for IP protocol. Unknown protocol."):
            allow(unknown)


def test_interfaces_are_found_by_the_public_address_of_an_association(world: World, pair: tuple[str, str]) -> None:
    allocation = allocate(world)
    associate(world, allocation, pair[0])
    wanted = [{"Name": "association.public-ip", "Values": [holder(world, allocation)["PublicIp"]]}]
    found = world.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    assert [each["NetworkInterfaceId"] for each in found] == [pair[0]]


def test_elastic_ips_come_from_a_public_pool(world: World) -> None:
    public = ipaddress.ip_address(holder(world, allocate(world))["PublicIp"])
    assert public in ipaddress.ip_network("203.0.113.0/24")


def test_the_newest_image_is_a_public_parameter_and_others_can_be_put(lab_cloud: LabCloud) -> None:
    ssm = lab_cloud.client("ssm")
    name = "/aws/service/debian/release/13/latest/amd64"
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == LAB_IMAGE_ID
    ssm.put_parameter(Name="/lvs/image", Value=LAB_IMAGE_ID, Type="String")
    assert ssm.get_parameter(Name="/lvs/image")["Parameter"]["Value"] == LAB_IMAGE_ID
    with refused("AccessDeniedException"):
        ssm.put_parameter(Name=name, Value="ami-0", Type="String")


def test_metadata_is_each_instances_own(world: World, lab_cloud: LabCloud) -> None:
    for _ in range(2):
        instance = world.launch()["InstanceId"]
        assert lab_cloud.metadata(instance, "latest/meta-data/instance-id").body.decode() == instance
    assert lab_cloud.metadata("i-00000000000000000", "latest/meta-data/instance-id").status == 404


def test_automatic_addresses_never_hit_a_secondary_in_use(world: World, pair: tuple[str, str]) -> None:
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=pair[1], PrivateIpAddresses=["10.0.0.4"])
    assert world.launch()["PrivateIpAddress"] == "10.0.0.5"


def test_after_assign_alone_all_descriptions_and_their_filters_agree(world: World, pair: tuple[str, str]) -> None:
    allocation = allocate(world)
    association = associate(world, allocation, pair[0])
    move(world, pair[1])
    instance = world.interface(pair[1])["Attachment"]["InstanceId"]
    ec2 = world.ec2

    def wanted(name: str, value: str) -> list[dict[str, Any]]:
        return [{"Name": name, "Values": [value]}]

    for name, value in (("private-ip-address", VIRTUAL_IP), ("network-interface-id", pair[1])):
        assert ec2.describe_addresses(Filters=wanted(name, value))["Addresses"][0]["AssociationId"] == association
    for name, value in (("association.association-id", association), ("addresses.private-ip-address", VIRTUAL_IP)):
        shown = ec2.describe_network_interfaces(Filters=wanted(name, value))["NetworkInterfaces"]
        assert [each["NetworkInterfaceId"] for each in shown] == [pair[1]], name
    for name, value in (
        ("network-interface.addresses.private-ip-address", VIRTUAL_IP),
        ("network-interface.addresses.association.allocation-id", allocation),
    ):
        shown = ec2.describe_instances(Filters=wanted(name, value))["Reservations"]
        assert [each["Instances"][0]["InstanceId"] for each in shown] == [instance], name


def test_two_who_fight_for_an_address_never_have_it_both_or_none(
    world: World, pair: tuple[str, str], lab_cloud: LabCloud
) -> None:
    done = threading.Event()
    owners: list[int] = []
    moves: list[str] = []

    def fight(interface: str) -> None:
        ec2 = lab_cloud.client("ec2")
        while not done.is_set():
            ec2.assign_private_ip_addresses(
                NetworkInterfaceId=interface, PrivateIpAddresses=[VIRTUAL_IP], AllowReassignment=True
            )
            moves.append(interface)

    fighters = [threading.Thread(target=fight, args=(interface,)) for interface in pair]
    for each in fighters:
        each.start()
    try:
        for _ in range(30):
            shown = world.ec2.describe_network_interfaces()["NetworkInterfaces"]
            owners.append(sum(VIRTUAL_IP in str(each["PrivateIpAddresses"]) for each in shown))
    finally:
        done.set()
        for each in fighters:
            each.join(30)
    assert set(owners) == {1}
    assert set(moves) == set(pair)
