"""Subnets and what is kept free in them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.cloud.conftest import World, interface_of, refused

pytestmark = pytest.mark.cloud


def reserve(world: World, cidr: str, kind: str = "explicit") -> Any:
    answer = world.ec2.create_subnet_cidr_reservation(
        SubnetId=world.subnet, Cidr=cidr, ReservationType=kind, Description="virtual IP"
    )
    return answer["SubnetCidrReservation"]


@pytest.mark.parametrize("kind", ["explicit", "prefix"])
def test_automatic_addressing_keeps_out_of_a_reservation(world: World, kind: str) -> None:
    """Primaries, secondaries by number and new interfaces; whoever asks for an address of it by name may have it."""
    reservation = reserve(world, "10.0.0.4/30", kind)  # .4 to .7: the first that automatic addressing would give
    first = world.launch(InstanceType="t3.medium")
    assert first["PrivateIpAddress"] == "10.0.0.8"
    given = world.ec2.assign_private_ip_addresses(
        NetworkInterfaceId=interface_of(first), SecondaryPrivateIpAddressCount=1
    )
    assert given["AssignedPrivateIpAddresses"] == [{"PrivateIpAddress": "10.0.0.9"}]
    made = world.ec2.create_network_interface(SubnetId=world.subnet)["NetworkInterface"]
    assert made["PrivateIpAddress"] == "10.0.0.10"
    assert world.launch("10.0.0.5")["PrivateIpAddress"] == "10.0.0.5"
    world.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=reservation["SubnetCidrReservationId"])
    assert world.launch()["PrivateIpAddress"] == "10.0.0.4"


def test_a_reservation_is_described_as_it_was_made(world: World) -> None:
    made = reserve(world, "10.0.0.100/32")
    listed = world.ec2.get_subnet_cidr_reservations(SubnetId=world.subnet)["SubnetIpv4CidrReservations"]
    assert [(each["Cidr"], each["ReservationType"], each["Description"]) for each in listed] == [
        ("10.0.0.100/32", "explicit", "virtual IP")
    ]
    assert listed[0]["SubnetCidrReservationId"] == made["SubnetCidrReservationId"]


@pytest.mark.parametrize("cidr", ["10.0.0.100/32", "10.0.0.96/28", "10.0.1.0/28", "10.0.0.0/16", "nonsense"])
def test_reservations_that_cannot_be(world: World, cidr: str) -> None:
    reserve(world, "10.0.0.100/32")
    with refused("InvalidParameterValue"):
        reserve(world, cidr)
    with refused("InvalidParameterValue", "reservationType"):
        reserve(world, "10.0.0.64/28", "mine")


def test_blocks_that_cannot_be(world: World) -> None:
    ec2 = world.ec2
    for cidr, code in (
        ("10.0.0.128/25", "InvalidSubnet.Conflict"),
        ("10.1.0.0/24", "InvalidSubnet.Range"),
        ("nonsense", "InvalidParameterValue"),
    ):
        with refused(code):
            ec2.create_subnet(VpcId=world.vpc, CidrBlock=cidr)
    with refused("MissingParameter"):
        ec2.create_subnet(VpcId=world.vpc)
    with refused("InvalidVpc.Range"):
        ec2.create_vpc(CidrBlock="10.0.0.0/8")


def test_a_block_is_kept_in_its_canonical_form(world: World) -> None:
    assert world.ec2.create_vpc(CidrBlock="100.68.0.18/18")["Vpc"]["CidrBlock"] == "100.68.0.0/18"
    made = world.ec2.create_subnet(VpcId=world.vpc, CidrBlock="10.0.5.7/24")["Subnet"]
    assert made["CidrBlock"] == "10.0.5.0/24"


def test_how_many_addresses_are_left(world: World) -> None:
    def left() -> int:
        found = world.ec2.describe_subnets(SubnetIds=[world.subnet])["Subnets"][0]
        return int(found["AvailableIpAddressCount"])

    assert left() == 256 - 5
    interface = interface_of(world.launch())
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    assert left() == 256 - 7
