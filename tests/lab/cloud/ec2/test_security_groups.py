"""Security groups: protocols, rule ids, what is in use, and the order in which a network comes down."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.cloud.conftest import World, refused

pytestmark = pytest.mark.cloud


def allow(world: World, **permission: Any) -> list[Any]:
    permission = {"IpRanges": [{"CidrIp": "10.0.0.0/24"}]} | permission
    answer = world.ec2.authorize_security_group_ingress(GroupId=world.group, IpPermissions=[permission])
    return list(answer["SecurityGroupRules"])


@pytest.mark.parametrize(
    ("protocol", "shown"),
    [("112", "112"), ("50", "50"), ("6", "tcp"), ("UDP", "udp"), ("1", "icmp"), ("58", "icmpv6"), ("-1", "-1")],
)
def test_protocols(world: World, protocol: str, shown: str) -> None:
    ports = {"FromPort": 1, "ToPort": 2} if shown in ("tcp", "udp") else {}
    (rule,) = allow(world, IpProtocol=protocol, **ports)
    expected = (1, 2) if ports else (-1, -1)
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == (shown, *expected)
    (again,) = world.ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])[
        "SecurityGroupRules"
    ]
    assert (again["IpProtocol"], again["FromPort"], again["ToPort"]) == (shown, *expected)


def test_a_protocol_without_ports_ignores_a_range(world: World) -> None:
    (rule,) = allow(world, IpProtocol="112", FromPort=7, ToPort=9)
    assert (rule["FromPort"], rule["ToPort"]) == (-1, -1)


@pytest.mark.parametrize("protocol", ["vrrp", "256", "999", "-2", "all", "1.5"])
def test_unknown_protocols(world: World, protocol: str) -> None:
    with refused("InvalidParameterValue", protocol):
        allow(world, IpProtocol=protocol)


def test_tcp_needs_ports(world: World) -> None:
    with refused("InvalidParameterValue", "port"):
        allow(world, IpProtocol="tcp")


def test_every_rule_of_a_call_is_answered_and_can_be_revoked_by_its_id(world: World) -> None:
    permissions = [
        {"IpProtocol": "112", "UserIdGroupPairs": [{"GroupId": world.group}]},
        {"IpProtocol": "udp", "FromPort": 4789, "ToPort": 4789, "UserIdGroupPairs": [{"GroupId": world.group}]},
    ]
    made = world.ec2.authorize_security_group_ingress(GroupId=world.group, IpPermissions=permissions)
    rules = made["SecurityGroupRules"]
    assert [rule["IpProtocol"] for rule in rules] == ["112", "udp"]
    assert all(rule["ReferencedGroupInfo"]["GroupId"] == world.group for rule in rules)
    assert all(rule["IsEgress"] is False and rule["GroupId"] == world.group for rule in rules)
    world.ec2.revoke_security_group_ingress(GroupId=world.group, SecurityGroupRuleIds=[rules[0]["SecurityGroupRuleId"]])
    found = world.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [world.group]}])
    ids = {rule["SecurityGroupRuleId"] for rule in found["SecurityGroupRules"]}
    assert rules[1]["SecurityGroupRuleId"] in ids
    assert rules[0]["SecurityGroupRuleId"] not in ids


def test_egress_rules(world: World) -> None:
    (everything,) = [
        rule
        for rule in world.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [world.group]}])[
            "SecurityGroupRules"
        ]
        if rule["IsEgress"]
    ]
    assert (everything["IpProtocol"], everything["CidrIpv4"]) == ("-1", "0.0.0.0/0")
    world.ec2.revoke_security_group_egress(
        GroupId=world.group, SecurityGroupRuleIds=[everything["SecurityGroupRuleId"]]
    )
    made = world.ec2.authorize_security_group_egress(
        GroupId=world.group, IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    )["SecurityGroupRules"]
    assert [rule["IsEgress"] for rule in made] == [True]


def test_the_same_rule_twice(world: World) -> None:
    allow(world, IpProtocol="112")
    with refused("InvalidPermission.Duplicate"):
        allow(world, IpProtocol="112", FromPort=0, ToPort=0)


def test_a_rule_cannot_name_a_group_that_is_not_there(world: World) -> None:
    with refused("InvalidGroup.NotFound", "sg-00000000000000000"):
        allow(world, IpProtocol="112", IpRanges=[], UserIdGroupPairs=[{"GroupId": "sg-00000000000000000"}])


def test_a_group_in_use_stays(world: World) -> None:
    web = world.ec2.create_security_group(GroupName="web", Description="web", VpcId=world.vpc)["GroupId"]
    (rule,) = allow(world, IpProtocol="tcp", FromPort=0, ToPort=65535, IpRanges=[], UserIdGroupPairs=[{"GroupId": web}])
    with refused("DependencyViolation", web):
        world.ec2.delete_security_group(GroupId=web)
    world.ec2.revoke_security_group_ingress(GroupId=world.group, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    world.ec2.delete_security_group(GroupId=web)
    world.launch()
    with refused("DependencyViolation", world.group):
        world.ec2.delete_security_group(GroupId=world.group)


def test_a_network_comes_down_in_order_only(world: World) -> None:
    instance = world.launch()["InstanceId"]
    with refused("DependencyViolation", world.subnet):
        world.ec2.delete_subnet(SubnetId=world.subnet)
    world.ec2.terminate_instances(InstanceIds=[instance])
    with refused("DependencyViolation"):
        world.ec2.delete_route_table(RouteTableId=world.table)
    world.ec2.delete_subnet(SubnetId=world.subnet)
    world.ec2.delete_route_table(RouteTableId=world.table)
    with refused("DependencyViolation", world.vpc):
        world.ec2.delete_vpc(VpcId=world.vpc)
    with refused("DependencyViolation"):
        world.ec2.delete_internet_gateway(InternetGatewayId=world.gateway)
    world.ec2.detach_internet_gateway(InternetGatewayId=world.gateway, VpcId=world.vpc)
    world.ec2.delete_internet_gateway(InternetGatewayId=world.gateway)
    with refused("DependencyViolation", world.vpc):
        world.ec2.delete_vpc(VpcId=world.vpc)
    world.ec2.delete_security_group(GroupId=world.group)
    world.ec2.delete_vpc(VpcId=world.vpc)
    with refused("InvalidVpcID.NotFound"):
        world.ec2.describe_vpcs(VpcIds=[world.vpc])


def test_cidr_reservations(world: World) -> None:
    def reserve(cidr: str) -> Any:
        return world.ec2.create_subnet_cidr_reservation(SubnetId=world.subnet, Cidr=cidr, ReservationType="explicit")

    made = reserve("10.0.0.100/32")["SubnetCidrReservation"]
    assert (made["Cidr"], made["ReservationType"], made["SubnetId"]) == ("10.0.0.100/32", "explicit", world.subnet)
    for cidr in ("10.0.0.100/32", "10.0.1.0/28"):
        with refused("InvalidParameterValue", "Reservation CIDR"):
            reserve(cidr)
    listed = world.ec2.get_subnet_cidr_reservations(SubnetId=world.subnet)["SubnetIpv4CidrReservations"]
    assert [each["SubnetCidrReservationId"] for each in listed] == [made["SubnetCidrReservationId"]]
    world.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=made["SubnetCidrReservationId"])
    assert not world.ec2.get_subnet_cidr_reservations(SubnetId=world.subnet)["SubnetIpv4CidrReservations"]
    reserve("10.0.0.100/32")
