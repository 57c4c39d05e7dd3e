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
    world.end(instance)
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


def ids_of(world: World, *, egress: bool = False) -> list[str]:
    found = world.ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [world.group]}])
    return [each["SecurityGroupRuleId"] for each in found["SecurityGroupRules"] if each["IsEgress"] is egress]


def test_a_refused_call_makes_no_rule(world: World) -> None:
    before = ids_of(world)
    good = {"IpProtocol": "112", "IpRanges": [{"CidrIp": "10.0.0.0/24"}]}
    with refused("InvalidParameterValue", "vrrp"):
        world.ec2.authorize_security_group_ingress(
            GroupId=world.group, IpPermissions=[good, {**good, "IpProtocol": "vrrp"}]
        )
    with refused("InvalidParameterValue", "The same permission must not appear multiple times"):
        world.ec2.authorize_security_group_ingress(GroupId=world.group, IpPermissions=[good, good])
    assert ids_of(world) == before
    assert world.ec2.describe_tags()["Tags"] == []


@pytest.mark.parametrize(
    "permission",
    [
        {"IpProtocol": "tcp", "FromPort": 81, "ToPort": 80},
        {"IpProtocol": "udp", "FromPort": 0, "ToPort": 65536},
        {"IpProtocol": "112", "IpRanges": [{"CidrIp": "10.0.0.0/33"}]},
        {"IpProtocol": "112", "IpRanges": [{"CidrIp": "10.0.0.1"}]},
        {"IpProtocol": None},
    ],
    ids=str,
)
def test_rules_that_cannot_be(world: World, permission: Any) -> None:
    with refused("InvalidParameterValue"):
        allow(world, **{name: value for name, value in permission.items() if value is not None})


def test_a_rule_needs_a_source(world: World) -> None:
    with refused("MissingParameter"):
        allow(world, IpProtocol="112", IpRanges=[])


def test_a_cidr_is_kept_in_its_canonical_form(world: World) -> None:
    (rule,) = allow(world, IpProtocol="112", IpRanges=[{"CidrIp": "100.68.0.18/18"}])
    assert rule["CidrIpv4"] == "100.68.0.0/18"
    with refused("InvalidPermission.Duplicate", "100.68.0.0/18"):
        allow(world, IpProtocol="112", IpRanges=[{"CidrIp": "100.68.0.99/18", "Description": "the same traffic"}])


def test_a_rule_that_is_not_there(world: World) -> None:
    before = ids_of(world)
    known = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    with refused("InvalidPermission.NotFound"):
        world.ec2.revoke_security_group_ingress(
            GroupId=world.group, IpPermissions=[known, {**known, "FromPort": 81, "ToPort": 81}]
        )
    with refused("InvalidSecurityGroupRuleId.NotFound", "sgr-00000000"):
        world.ec2.revoke_security_group_ingress(GroupId=world.group, SecurityGroupRuleIds=["sgr-00000000"])
    assert ids_of(world) == before
    answer = world.ec2.revoke_security_group_ingress(GroupId=world.group, IpPermissions=[known])
    assert [each["SecurityGroupRuleId"] for each in answer["RevokedSecurityGroupRules"]] == before
    assert ids_of(world) == []


def test_in_the_default_vpc_revoking_nothing_is_no_error(world: World) -> None:
    group = world.ec2.create_security_group(GroupName="mine", Description="mine")["GroupId"]
    rule = {"IpProtocol": "112", "IpRanges": [{"CidrIp": "10.0.0.0/24"}]}
    answer = world.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
    assert [each["IpProtocol"] for each in answer["UnknownIpPermissions"]] == ["112"]


def test_a_description_does_not_matter_and_can_be_changed(world: World) -> None:
    group = {"GroupId": world.group, "Description": "the peer"}
    (rule,) = allow(world, IpProtocol="112", IpRanges=[], UserIdGroupPairs=[group])
    assert rule["Description"] == "the peer"
    identity = rule["SecurityGroupRuleId"]

    def described() -> Any:
        found = world.ec2.describe_security_group_rules(SecurityGroupRuleIds=[identity])["SecurityGroupRules"]
        return found[0].get("Description")

    update = world.ec2.update_security_group_rule_descriptions_ingress
    update(
        GroupId=world.group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": identity, "Description": "VRRP"}]
    )
    assert described() == "VRRP"
    pair = {"GroupId": world.group, "Description": "by what it says"}
    update(GroupId=world.group, IpPermissions=[{"IpProtocol": "112", "UserIdGroupPairs": [pair]}])
    assert described() == "by what it says"
    update(GroupId=world.group, SecurityGroupRuleDescriptions=[{"SecurityGroupRuleId": identity}])
    assert described() is None
    world.ec2.revoke_security_group_ingress(
        GroupId=world.group, IpPermissions=[{"IpProtocol": "112", "UserIdGroupPairs": [{"GroupId": world.group}]}]
    )


def test_a_rule_is_modified_and_keeps_its_id(world: World) -> None:
    (identity,) = ids_of(world)

    def modify(**rule: Any) -> None:
        changed = {"SecurityGroupRuleId": identity, "SecurityGroupRule": rule}
        world.ec2.modify_security_group_rules(GroupId=world.group, SecurityGroupRules=[changed])

    modify(IpProtocol="6", FromPort=443, ToPort=443, CidrIpv4="10.0.0.7/24", Description="TLS")
    (shown,) = world.ec2.describe_security_group_rules(SecurityGroupRuleIds=[identity])["SecurityGroupRules"]
    assert (shown["IpProtocol"], shown["FromPort"], shown["CidrIpv4"]) == ("tcp", 443, "10.0.0.0/24")
    modify(IpProtocol="112", CidrIpv4="10.0.0.0/24")
    allow(world, IpProtocol="udp", FromPort=4789, ToPort=4789)
    for wrong, code in (
        (
            {"IpProtocol": "udp", "FromPort": 4789, "ToPort": 4789, "CidrIpv4": "10.0.0.0/24"},
            "InvalidPermission.Duplicate",
        ),
        ({"IpProtocol": "112", "ReferencedGroupId": world.group}, "InvalidParameterValue"),
        ({"IpProtocol": "vrrp", "CidrIpv4": "10.0.0.0/24"}, "InvalidParameterValue"),
        ({"IpProtocol": "112"}, "MissingParameter"),
    ):
        with refused(code):
            modify(**wrong)
    (shown,) = world.ec2.describe_security_group_rules(SecurityGroupRuleIds=[identity])["SecurityGroupRules"]
    assert (shown["IpProtocol"], shown["CidrIpv4"]) == ("112", "10.0.0.0/24")


def test_one_rule_in_the_old_way_to_write_it(world: World) -> None:
    made = world.ec2.authorize_security_group_ingress(
        GroupId=world.group, IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="10.0.0.0/24"
    )
    assert made["SecurityGroupRules"][0]["CidrIpv4"] == "10.0.0.0/24"


def test_groups_by_name_are_the_default_vpcs(world: World) -> None:
    with refused("InvalidGroup.NotFound", "directors", "default VPC"):
        world.ec2.delete_security_group(GroupName="directors")
    made = world.ec2.create_security_group(GroupName="directors", Description="another of that name")["GroupId"]
    assert world.ec2.delete_security_group(GroupName="directors")["GroupId"] == made
    found = world.ec2.describe_security_groups(GroupIds=[world.group])["SecurityGroups"]
    assert [group["GroupName"] for group in found] == ["directors"]


def test_names_that_are_taken_or_reserved(world: World) -> None:
    def make(name: str, vpc: str = world.vpc) -> Any:
        return world.ec2.create_security_group(GroupName=name, Description="x", VpcId=vpc)

    with refused("InvalidGroup.Duplicate", "directors"):
        make("directors")
    with refused("InvalidGroup.Reserved", "default"):
        make("default")
    with refused("InvalidVpcID.NotFound"):
        make("web", "vpc-00000000")
    own = world.ec2.describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [world.vpc]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"][0]["GroupId"]
    with refused("CannotDelete", own):
        world.ec2.delete_security_group(GroupId=own)


def test_a_group_of_another_network(world: World) -> None:
    vpc = world.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    foreign = world.ec2.create_security_group(GroupName="foreign", Description="f", VpcId=vpc)["GroupId"]
    with refused("InvalidGroup.NotFound", "different networks"):
        allow(world, IpProtocol="112", IpRanges=[], UserIdGroupPairs=[{"GroupId": foreign}])


def test_a_group_has_sixty_rules(world: World) -> None:
    many = [{"IpProtocol": str(n), "IpRanges": [{"CidrIp": "10.0.0.0/24"}]} for n in range(100, 159)]
    world.ec2.authorize_security_group_ingress(GroupId=world.group, IpPermissions=many)
    with refused("RulesPerSecurityGroupLimitExceeded"):
        allow(world, IpProtocol="99")
