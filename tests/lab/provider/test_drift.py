"""What happens behind the program's back: every change of what it declares is seen and put right, nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from lab.protocol.contract import Properties, Resource
from lab.provider.aws import TYPES
from tests.lab.provider.conftest import Aws
from tests.lab.provider.everything import IMAGE, POLICY, TRUST

pytestmark = pytest.mark.cloud
INSTANCE = "aws:ec2/instance:Instance"
EIP = "aws:ec2/eip:Eip"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
EGRESS = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
BOUNDARY = "arn:aws:iam::aws:policy/PowerUserAccess"
OTHER_POLICY = POLICY.replace("ec2:*", "iam:*")


class Hand:
    """Somebody with a console: one method a change, named by what it changes."""

    def __init__(self, ec2: Any, iam: Any, world: Mapping[str, Resource]) -> None:
        self.ec2, self.iam, self.world = ec2, iam, world

    def id(self, token: str) -> str:
        return self.world[token].id

    def instance(self, **attribute: Any) -> Any:
        return self.ec2.modify_instance_attribute(InstanceId=self.id(INSTANCE), **attribute)

    def stopped(self, **attribute: Any) -> None:
        self.ec2.stop_instances(InstanceIds=[self.id(INSTANCE)])
        self.ec2.get_waiter("instance_stopped").wait(
            InstanceIds=[self.id(INSTANCE)], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
        )
        self.instance(**attribute)
        self.ec2.start_instances(InstanceIds=[self.id(INSTANCE)])

    def rule(self, token: str, **changed: Any) -> None:
        rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "0.0.0.0/0", "Description": "d"}
        self.ec2.modify_security_group_rules(
            GroupId=self.id("aws:ec2/securityGroup:SecurityGroup"),
            SecurityGroupRules=[{"SecurityGroupRuleId": self.id(token), "SecurityGroupRule": {**rule, **changed}}],
        )

    def disk(self, **changed: Any) -> None:
        volume = self.world[INSTANCE].outputs["rootBlockDevice"]["volumeId"]
        self.ec2.modify_volume(VolumeId=volume, **changed)

    def another_vpc(self) -> str:
        return str(self.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"])

    def interface(self) -> str:
        return str(self.world[INSTANCE].outputs["primaryNetworkInterfaceId"])


Change = Callable[[Hand], object]


def changes(token: str) -> Iterator[tuple[str, Properties, Change]]:
    """A type's updatable properties: each with what the program declares of it and how it is changed by hand."""
    name = token.rpartition(":")[2]
    match name:
        case "Vpc":
            yield (
                "enableDnsHostnames",
                {"enableDnsHostnames": True},
                lambda hand: hand.ec2.modify_vpc_attribute(VpcId=hand.id(token), EnableDnsHostnames={"Value": False}),
            )
            # Host names need DNS support, so without it both are gone.
            yield (
                "enableDnsSupport",
                {"enableDnsHostnames": False},
                lambda hand: hand.ec2.modify_vpc_attribute(VpcId=hand.id(token), EnableDnsSupport={"Value": False}),
            )
        case "Subnet":
            yield (
                "mapPublicIpOnLaunch",
                {},
                lambda hand: hand.ec2.modify_subnet_attribute(
                    SubnetId=hand.id(token), MapPublicIpOnLaunch={"Value": True}
                ),
            )
        case "InternetGateway":
            yield (
                "vpcId",
                {},
                lambda hand: hand.ec2.detach_internet_gateway(
                    InternetGatewayId=hand.id(token), VpcId=hand.id("aws:ec2/vpc:Vpc")
                ),
            )
        case "Route":
            yield (
                "gatewayId",
                {},
                lambda hand: hand.ec2.replace_route(
                    RouteTableId=hand.id("aws:ec2/routeTable:RouteTable"),
                    DestinationCidrBlock="0.0.0.0/0",
                    NetworkInterfaceId=hand.interface(),
                ),
            )
        case "SecurityGroupIngressRule":
            yield "cidrIpv4", {}, lambda hand: hand.rule(token, CidrIpv4="10.0.0.0/8")
            yield "fromPort", {}, lambda hand: hand.rule(token, FromPort=79)
            yield "toPort", {}, lambda hand: hand.rule(token, ToPort=81)
            yield "ipProtocol", {}, lambda hand: hand.rule(token, IpProtocol="udp")
            yield "description", {}, lambda hand: hand.rule(token, Description="by hand")
        case "Role":
            trust = TRUST.replace("ec2.", "ssm.")
            yield (
                "assumeRolePolicy",
                {},
                lambda hand: hand.iam.update_assume_role_policy(RoleName=hand.id(token), PolicyDocument=trust),
            )
            yield (
                "description",
                {"description": "ours"},
                lambda hand: hand.iam.update_role(
                    RoleName=hand.id(token), Description="by hand", MaxSessionDuration=3600
                ),
            )
            yield (
                "maxSessionDuration",
                {"description": "ours"},
                lambda hand: hand.iam.update_role(RoleName=hand.id(token), Description="ours", MaxSessionDuration=7200),
            )
            yield (
                "permissionsBoundary",
                {"permissionsBoundary": BOUNDARY},
                lambda hand: hand.iam.delete_role_permissions_boundary(RoleName=hand.id(token)),
            )
        case "RolePolicy":
            yield (
                "policy",
                {},
                lambda hand: hand.iam.put_role_policy(
                    RoleName=hand.id("aws:iam/role:Role"),
                    PolicyName=hand.id(token).partition(":")[2],
                    PolicyDocument=OTHER_POLICY,
                ),
            )
        case "InstanceProfile":
            yield (
                "role",
                {},
                lambda hand: hand.iam.remove_role_from_instance_profile(
                    InstanceProfileName=hand.id(token), RoleName=hand.id("aws:iam/role:Role")
                ),
            )
        case "Eip":
            declared = {"instance": INSTANCE}
            yield (
                "instance",
                declared,
                lambda hand: hand.ec2.disassociate_address(
                    AssociationId=hand.ec2.describe_addresses(AllocationIds=[hand.id(token)])["Addresses"][0][
                        "AssociationId"
                    ]
                ),
            )
        case "Instance":
            yield from instance_changes()


def instance_changes() -> Iterator[tuple[str, Properties, Change]]:
    yield "sourceDestCheck", {}, lambda hand: hand.instance(SourceDestCheck={"Value": True})
    yield (
        "vpcSecurityGroupIds",
        {},
        lambda hand: hand.instance(
            Groups=[
                hand.ec2.create_security_group(GroupName="other", Description="d", VpcId=hand.id("aws:ec2/vpc:Vpc"))[
                    "GroupId"
                ]
            ]
        ),
    )
    yield "instanceType", {}, lambda hand: hand.stopped(InstanceType={"Value": "t3.small"})
    yield "userData", {}, lambda hand: hand.stopped(UserData={"Value": b"#!/bin/sh\n"})
    yield (
        "disableApiTermination",
        {"disableApiTermination": False},
        lambda hand: hand.instance(DisableApiTermination={"Value": True}),
    )
    yield (
        "instanceInitiatedShutdownBehavior",
        {"instanceInitiatedShutdownBehavior": "stop"},
        lambda hand: hand.instance(InstanceInitiatedShutdownBehavior={"Value": "terminate"}),
    )
    yield (
        "metadataOptions",
        {},
        lambda hand: hand.ec2.modify_instance_metadata_options(InstanceId=hand.id(INSTANCE), HttpTokens="optional"),
    )
    yield "rootBlockDevice", {"rootBlockDevice": {"volumeSize": 8}}, lambda hand: hand.disk(Size=9)
    yield "rootBlockDevice", {"rootBlockDevice": {"volumeType": "gp3"}}, lambda hand: hand.disk(VolumeType="gp2")
    yield (
        "rootBlockDevice",
        {},
        lambda hand: hand.instance(
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"DeleteOnTermination": False}}]
        ),
    )
    yield (
        "secondaryPrivateIps",
        {"secondaryPrivateIps": ["10.0.0.40"]},
        lambda hand: hand.ec2.unassign_private_ip_addresses(
            NetworkInterfaceId=hand.interface(), PrivateIpAddresses=["10.0.0.40"]
        ),
    )
    yield (
        "iamInstanceProfile",
        {},
        lambda hand: hand.ec2.disassociate_iam_instance_profile(
            AssociationId=hand.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"][0][
                "AssociationId"
            ]
        ),
    )


CASES = [(token, property_, declared, change) for token in TYPES for property_, declared, change in changes(token)]


def test_every_updatable_property_is_among_the_cases() -> None:
    for token, kind in TYPES.items():
        seen = {property_ for each, property_, *_ in CASES if each == token}
        # Not AWS's but the provider's own, or the association's, which has tests of its own below.
        own = {"forceDestroy", "userDataReplaceOnChange", "revokeRulesOnDelete", "routes", "routeTableId"}
        elsewhere = {"volumeTags", "networkInterface", "associateWithPrivateIp", "natGatewayId", "networkInterfaceId"}
        rest = {"cidrIpv6", "prefixListId", "referencedSecurityGroupId", "instanceTenancy"}
        if token != EGRESS:
            assert kind.updates - seen <= own | elsewhere | rest, token


def wanted_of(resource: Resource, declared: Properties, world: Mapping[str, Resource]) -> Properties:
    more = {key: world[value].id if value in world else value for key, value in declared.items() if type(value) is str}
    whole = {key: value for key, value in declared.items() if type(value) is not str}
    inputs = {**resource.inputs, **whole, **more}
    if "rootBlockDevice" in declared:
        inputs["rootBlockDevice"] = {**resource.inputs["rootBlockDevice"], **declared["rootBlockDevice"]}
    return inputs


@pytest.mark.parametrize(
    ("token", "property_", "declared", "change"), CASES, ids=[f"{c[0].rpartition(':')[2]}-{c[1]}" for c in CASES]
)
def test_a_change_by_hand_is_seen_and_put_right(
    world: dict[str, Resource],
    aws: Aws,
    client: Callable[[str], Any],
    token: str,
    property_: str,
    declared: Properties,
    change: Change,
) -> None:
    if token in (EIP, "aws:ec2/internetGateway:InternetGateway"):  # a mapped address holds both
        aws.drop(world["aws:ec2/eipAssociation:EipAssociation"])
    wanted = wanted_of(world[token], declared, world)
    _, forced, deployed = aws.change(world[token], **wanted)
    assert forced == ()
    world[token] = deployed
    change(Hand(client("ec2"), client("iam"), world))
    found = aws.configured.read(deployed)
    assert found is not None and found.inputs[property_] != deployed.inputs[property_]
    assert aws.configured.diff(found, deployed.inputs).changed == (property_,)
    assert aws.configured.diff(found, deployed.inputs).replace == ()
    _, _, again = aws.change(found, **wanted)
    seen = aws.configured.read(again)
    assert seen is not None and seen.inputs == deployed.inputs
    assert aws.configured.diff(seen, deployed.inputs).changed == ()


GONE: dict[str, Change] = {
    "aws:ec2/routeTableAssociation:RouteTableAssociation": lambda hand: hand.ec2.disassociate_route_table(
        AssociationId=hand.id("aws:ec2/routeTableAssociation:RouteTableAssociation")
    ),
    "aws:ec2/route:Route": lambda hand: hand.ec2.delete_route(
        RouteTableId=hand.id("aws:ec2/routeTable:RouteTable"), DestinationCidrBlock="0.0.0.0/0"
    ),
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation": lambda hand: hand.ec2.delete_subnet_cidr_reservation(
        SubnetCidrReservationId=hand.id("aws:ec2/subnetCidrReservation:SubnetCidrReservation")
    ),
    RULE: lambda hand: hand.ec2.revoke_security_group_ingress(
        GroupId=hand.id("aws:ec2/securityGroup:SecurityGroup"), SecurityGroupRuleIds=[hand.id(RULE)]
    ),
    EGRESS: lambda hand: hand.ec2.revoke_security_group_egress(
        GroupId=hand.id("aws:ec2/securityGroup:SecurityGroup"), SecurityGroupRuleIds=[hand.id(EGRESS)]
    ),
    "aws:ec2/eipAssociation:EipAssociation": lambda hand: hand.ec2.disassociate_address(
        AssociationId=hand.id("aws:ec2/eipAssociation:EipAssociation")
    ),
    EIP: lambda hand: hand.ec2.release_address(AllocationId=hand.id(EIP)),
    INSTANCE: lambda hand: hand.ec2.terminate_instances(InstanceIds=[hand.id(INSTANCE)]),
    "aws:iam/instanceProfile:InstanceProfile": lambda hand: (
        hand.iam.remove_role_from_instance_profile(
            InstanceProfileName=hand.id("aws:iam/instanceProfile:InstanceProfile"),
            RoleName=hand.id("aws:iam/role:Role"),
        ),
        hand.iam.delete_instance_profile(InstanceProfileName=hand.id("aws:iam/instanceProfile:InstanceProfile")),
    ),
    "aws:iam/rolePolicy:RolePolicy": lambda hand: hand.iam.delete_role_policy(
        RoleName=hand.id("aws:iam/role:Role"), PolicyName=hand.id("aws:iam/rolePolicy:RolePolicy").partition(":")[2]
    ),
    "aws:iam/role:Role": lambda hand: hand.iam.delete_role(RoleName=hand.id("aws:iam/role:Role")),
    "aws:ec2/securityGroup:SecurityGroup": lambda hand: hand.ec2.delete_security_group(
        GroupId=hand.id("aws:ec2/securityGroup:SecurityGroup")
    ),
    "aws:ec2/routeTable:RouteTable": lambda hand: hand.ec2.delete_route_table(
        RouteTableId=hand.id("aws:ec2/routeTable:RouteTable")
    ),
    "aws:ec2/subnet:Subnet": lambda hand: hand.ec2.delete_subnet(SubnetId=hand.id("aws:ec2/subnet:Subnet")),
    "aws:ec2/internetGateway:InternetGateway": lambda hand: (
        hand.ec2.detach_internet_gateway(
            InternetGatewayId=hand.id("aws:ec2/internetGateway:InternetGateway"), VpcId=hand.id("aws:ec2/vpc:Vpc")
        ),
        hand.ec2.delete_internet_gateway(InternetGatewayId=hand.id("aws:ec2/internetGateway:InternetGateway")),
    ),
    "aws:ec2/vpc:Vpc": lambda hand: hand.ec2.delete_vpc(VpcId=hand.id("aws:ec2/vpc:Vpc")),
}


def test_what_has_vanished_reads_as_none(world: dict[str, Resource], aws: Aws, client: Callable[[str], Any]) -> None:
    assert GONE.keys() == TYPES.keys()
    hand = Hand(client("ec2"), client("iam"), world)
    for token, vanish in GONE.items():
        assert aws.configured.read(world[token]) is not None, token
        vanish(hand)
        if token == INSTANCE:
            hand.ec2.get_waiter("instance_terminated").wait(
                InstanceIds=[hand.id(INSTANCE)], WaiterConfig={"Delay": 1, "MaxAttempts": 30}
            )
        assert aws.configured.read(world[token]) is None, token
        aws.drop(world[token])  # and its deletion is content


def test_a_failover_is_no_drift(world: dict[str, Resource], aws: Aws, ec2: Any) -> None:
    """The virtual IP and the service's Elastic IP move to a director and away: nothing declared has changed."""
    subnet = world["aws:ec2/subnet:Subnet"]
    machine = {"ami": IMAGE, "instanceType": "t3.micro", "subnetId": subnet.id}
    other = aws.make(INSTANCE, "other", **machine, privateIp="10.0.0.56", sourceDestCheck=False)
    service = aws.make(EIP, "service", domain="vpc")
    own = aws.make(EIP, "own", domain="vpc")
    association = aws.make(
        "aws:ec2/eipAssociation:EipAssociation",
        "own",
        allocationId=own.id,
        networkInterfaceId=other.outputs["primaryNetworkInterfaceId"],
        privateIpAddress="10.0.0.56",
    )
    everything = [*world.values(), other, service, own, association]
    seen: list[Any] = []
    for director in (world[INSTANCE], other, world[INSTANCE]):
        interface = director.outputs["primaryNetworkInterfaceId"]
        ec2.assign_private_ip_addresses(
            NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"], AllowReassignment=True
        )
        ec2.associate_address(AllocationId=service.id, NetworkInterfaceId=interface, PrivateIpAddress="10.0.0.100")
        for resource in everything:
            found = aws.configured.read(resource)
            assert found is not None and found.inputs == resource.inputs, resource
            assert aws.configured.diff(found, resource.inputs).changed == (), resource
            # Neither without a refresh: what the state remembers is no wish.
            assert aws.configured.diff(resource, resource.inputs).changed == (), resource
        address, machine_now = aws.configured.read(service), aws.configured.read(director)
        assert address is not None and address.outputs["networkInterface"] == interface
        assert machine_now is not None and machine_now.outputs["secondaryPrivateIps"] == ["10.0.0.100"]
        seen.append(address.outputs["instance"])
    assert seen == [world[INSTANCE].id, other.id, world[INSTANCE].id]


def test_a_declared_holder_would_be_drift_after_a_failover(world: dict[str, Resource], aws: Aws, ec2: Any) -> None:
    """The trap the program keeps out of: with a holder declared, the next `up` takes the address back."""
    aws.drop(world["aws:ec2/eipAssociation:EipAssociation"])
    subnet = world["aws:ec2/subnet:Subnet"]
    other = aws.make(INSTANCE, "other", ami=IMAGE, instanceType="t3.micro", subnetId=subnet.id)
    held = aws.make(EIP, "held", domain="vpc", instance=world[INSTANCE].id)
    ec2.associate_address(AllocationId=held.id, InstanceId=other.id)
    found = aws.configured.read(held)
    assert found is not None and aws.configured.diff(found, held.inputs).changed == ("instance",)
    aws.change(found, **held.inputs)
    assert ec2.describe_addresses(AllocationIds=[held.id])["Addresses"][0]["InstanceId"] == world[INSTANCE].id


def test_an_association_whose_table_changed_keeps_its_id(
    world: dict[str, Resource], aws: Aws, client: Callable[[str], Any]
) -> None:
    """ReplaceRouteTableAssociation gives a new id: the old one in the state still finds it."""
    token, table = "aws:ec2/routeTableAssociation:RouteTableAssociation", "aws:ec2/routeTable:RouteTable"
    other = aws.make(table, "other", vpcId=world["aws:ec2/vpc:Vpc"].id)
    changed, forced, new = aws.change(world[token], **{**world[token].inputs, "routeTableId": other.id})
    assert (changed, forced) == (("routeTableId",), ())
    found = aws.configured.read(new)
    assert found is not None and found.outputs["routeTableId"] == other.id
    assert aws.configured.diff(found, new.inputs).changed == ()
    aws.drop(new)
    assert aws.configured.read(new) is None


def test_tags_of_a_whole_volume(world: dict[str, Resource], aws: Aws, ec2: Any) -> None:
    inputs = {**world[INSTANCE].inputs, "volumeTags": {"Disk": "1"}}
    changed, _, tagged = aws.change(world[INSTANCE], **inputs)
    assert changed == ("volumeTags",) and tagged.outputs["volumeTags"] == {"Disk": "1"}
    volume = tagged.outputs["rootBlockDevice"]["volumeId"]
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "Disk", "Value": "2"}])
    found = aws.configured.read(tagged)
    assert found is not None and aws.configured.diff(found, inputs).changed == ("volumeTags",)
    aws.change(found, **inputs)
    tags = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"Disk": "1"}


def test_an_inline_route_taken_away_by_hand(world: dict[str, Resource], aws: Aws, ec2: Any) -> None:
    route = {"cidrBlock": "192.0.2.0/24", "gatewayId": world["aws:ec2/internetGateway:InternetGateway"].id}
    table = aws.make("aws:ec2/routeTable:RouteTable", "inline", vpcId=world["aws:ec2/vpc:Vpc"].id, routes=[route])
    ec2.delete_route(RouteTableId=table.id, DestinationCidrBlock="192.0.2.0/24")
    found = aws.configured.read(table)
    assert found is not None and aws.configured.diff(found, table.inputs).changed == ("routes",)
    _, _, again = aws.change(found, **table.inputs)
    assert [item["cidrBlock"] for item in again.outputs["routes"]] == ["192.0.2.0/24"]
