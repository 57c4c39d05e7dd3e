"""One resource of each type, and what the whole of them needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.protocol.contract import Properties, Resource

IMAGE = "ami-0deb1a13000000001"
POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}'
TRUST = (
    '{"Version": "2012-10-17", "Statement": '
    '[{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]}'
)


def build(make_one: Callable[..., Resource]) -> dict[str, Resource]:
    """One of each type by token, each made with `make_one(token, name, **inputs)`."""
    made: dict[str, Resource] = {}

    def make(token: str, name: str, **inputs: Any) -> Resource:
        made[token] = make_one(token, name, **inputs)
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
    role = make("aws:iam/role:Role", "role", assumeRolePolicy=TRUST)
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
