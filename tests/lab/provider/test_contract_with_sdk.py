"""The types as the installed pulumi_aws knows them: every output a program can read, no input it cannot send."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pulumi_aws
import pytest
from pulumi_aws import ec2, iam, vpc

from lab.engine.contract import Properties, Resource
from lab.provider.aws import FUNCTIONS, TYPES
from tests.lab.provider.conftest import Aws

CLASSES: tuple[Any, ...] = (
    ec2.Vpc,
    ec2.Subnet,
    ec2.InternetGateway,
    ec2.RouteTable,
    ec2.Route,
    ec2.RouteTableAssociation,
    ec2.SubnetCidrReservation,
    ec2.SecurityGroup,
    ec2.Eip,
    ec2.EipAssociation,
    ec2.Instance,
    vpc.SecurityGroupIngressRule,
    vpc.SecurityGroupEgressRule,
    iam.Role,
    iam.RolePolicy,
    iam.InstanceProfile,
)
OURS = {"id", "urn", "pulumi_resource_name", "pulumi_resource_type"}
POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}'
IMAGE = "ami-0deb1a13000000001"
pytestmark = pytest.mark.cloud


def outputs_of(cls: Any) -> set[str]:
    found = inspect.getmembers(cls, lambda member: isinstance(member, property))
    return {getattr(member.fget, "_pulumi_name", name) for name, member in found if name not in OURS}


def token_of(cls: Any) -> str:
    return re.search(r"'(aws:[^']+)',\s*resource_name", inspect.getsource(cls._internal_init)).group(1)  # type: ignore


@pytest.fixture
def world(aws: Aws) -> dict[str, Resource]:
    """One of each type, by token."""
    made: dict[str, Resource] = {}

    def make(token: str, name: str, **inputs: Any) -> Resource:
        made[token] = aws.make(token, name, **inputs)
        return made[token]

    network = make("aws:ec2/vpc:Vpc", "v", cidrBlock="10.0.0.0/16", enableDnsHostnames=True, tags={"Name": "v"})
    gateway = make("aws:ec2/internetGateway:InternetGateway", "g", vpcId=network.id)
    subnet = make("aws:ec2/subnet:Subnet", "s", vpcId=network.id, cidrBlock="10.0.0.0/24")
    table = make("aws:ec2/routeTable:RouteTable", "t", vpcId=network.id)
    make("aws:ec2/route:Route", "r", routeTableId=table.id, destinationCidrBlock="0.0.0.0/0", gatewayId=gateway.id)
    association = "aws:ec2/routeTableAssociation:RouteTableAssociation"
    make(association, "a", routeTableId=table.id, subnetId=subnet.id)
    reserve: Properties = {"cidrBlock": "10.0.0.100/32", "reservationType": "explicit"}
    make("aws:ec2/subnetCidrReservation:SubnetCidrReservation", "c", subnetId=subnet.id, **reserve)
    group = make("aws:ec2/securityGroup:SecurityGroup", "sg", vpcId=network.id)
    rule: Properties = {"securityGroupId": group.id, "description": "d"}
    ingress = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
    make(ingress, "in", ipProtocol="tcp", fromPort=80, toPort=80, cidrIpv4="0.0.0.0/0", **rule)
    egress = "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule"
    make(egress, "out", ipProtocol="-1", cidrIpv4="0.0.0.0/0", **rule)
    role = make("aws:iam/role:Role", "role", assumeRolePolicy='{"Version":"2012-10-17","Statement":[]}')
    make("aws:iam/rolePolicy:RolePolicy", "p", role=role.id, policy=POLICY)
    profile = make("aws:iam/instanceProfile:InstanceProfile", "ip", role=role.id)
    instance = make(
        "aws:ec2/instance:Instance",
        "i",
        ami=IMAGE,
        instanceType="t3.micro",
        subnetId=subnet.id,
        privateIp="10.0.0.36",
        vpcSecurityGroupIds=[group.id],
        iamInstanceProfile=profile.id,
        sourceDestCheck=False,
        userData="#cloud-config\n",
        rootBlockDevice={"encrypted": True, "volumeType": "gp3"},
        metadataOptions={
            "httpTokens": "required",
            "httpEndpoint": "enabled",
            "instanceMetadataTags": "enabled",
            "httpPutResponseHopLimit": 1,
        },
        tags={"Name": "i"},
    )
    address = make("aws:ec2/eip:Eip", "e", domain="vpc")
    make("aws:ec2/eipAssociation:EipAssociation", "ea", allocationId=address.id, instanceId=instance.id)
    return made


def test_every_type_gives_every_output_the_sdk_reads(world: dict[str, Resource]) -> None:
    assert set(world) == set(TYPES)
    for cls in CLASSES:
        token = token_of(cls)
        assert world[token].outputs.keys() == outputs_of(cls), token


def test_every_declared_input_is_one_the_sdk_sends() -> None:
    for cls in CLASSES:
        declared = TYPES[token_of(cls)].inputs.keys()
        assert declared <= outputs_of(cls), cls


def test_what_the_program_reads_has_a_value(world: dict[str, Resource]) -> None:
    instance = world["aws:ec2/instance:Instance"].outputs
    assert instance["arn"].endswith(f":instance/{world['aws:ec2/instance:Instance'].id}")
    assert instance["primaryNetworkInterfaceId"].startswith("eni-")
    assert instance["privateIp"] == "10.0.0.36"
    assert instance["instanceState"] == "running"
    assert instance["sourceDestCheck"] is False
    assert instance["userData"] == "#cloud-config\n"
    assert instance["tagsAll"] == {"Name": "i", "Project": "test"} and instance["tags"] == {"Name": "i"}
    assert instance["metadataOptions"]["httpTokens"] == "required"
    assert instance["metadataOptions"]["instanceMetadataTags"] == "enabled"
    assert instance["rootBlockDevice"]["encrypted"] is True
    assert instance["rootBlockDevice"]["tagsAll"] == {"Project": "test"}
    address = world["aws:ec2/eip:Eip"].outputs
    assert address["allocationId"] == world["aws:ec2/eip:Eip"].id and address["publicIp"] and address["publicDns"]
    assert address["associationId"] == "" and address["instance"] == ""
    assert world["aws:ec2/securityGroup:SecurityGroup"].outputs["egress"] == []


def test_a_refresh_finds_nothing_changed(world: dict[str, Resource], aws: Aws) -> None:
    """Read after everything stands: inputs are those deployed, so that a following diff is empty."""
    for token, resource in world.items():
        found = aws.configured.read(resource)
        assert found is not None, token
        assert found.inputs == resource.inputs, token
        assert aws.configured.diff(found, resource.inputs).changed == (), token


def test_deletion_leaves_nothing_and_can_be_repeated(world: dict[str, Resource], aws: Aws, ec2: Any) -> None:
    for resource in reversed(world.values()):
        aws.drop(resource)
    for resource in world.values():
        assert aws.configured.read(resource) is None, resource.type
        aws.drop(resource)
    assert ec2.describe_addresses()["Addresses"] == []


def test_invokes_answer_what_the_sdk_reads(aws: Aws) -> None:
    results = {
        "aws:ec2/getAmi:getAmi": (ec2.GetAmiResult, {"owners": ["136693071363"], "mostRecent": True}),
        "aws:index/getAvailabilityZones:getAvailabilityZones": (
            pulumi_aws.GetAvailabilityZonesResult,
            {"state": "available"},
        ),
        "aws:index/getCallerIdentity:getCallerIdentity": (pulumi_aws.GetCallerIdentityResult, {}),
        "aws:index/getRegion:getRegion": (pulumi_aws.GetRegionResult, {}),
        "aws:index/getPartition:getPartition": (pulumi_aws.GetPartitionResult, {}),
    }
    assert set(results) == set(FUNCTIONS)
    for token, (cls, args) in results.items():
        wanted = outputs_of(cls) | {"id"}
        assert aws.configured.invoke(token, args).keys() >= wanted, token
    zones = aws.configured.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", {"state": "available"})
    assert zones["names"][0] == "us-east-1a"
