"""What Check refuses: all faults at once, each with its path, its type and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from lab.protocol.contract import UNKNOWN, Properties
from lab.provider.aws import FUNCTIONS, TYPES
from lab.provider.checking import faults, with_defaults

INSTANCE = "aws:ec2/instance:Instance"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
MACHINE: Properties = {"ami": "ami-1", "instanceType": "t3.micro"}
LISTED: Properties = {"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}


def refused(token: str, inputs: Properties) -> dict[str, str]:
    schema = (TYPES.get(token) or FUNCTIONS[token]).schema
    return {failure.property: failure.reason for failure in faults(token, schema, with_defaults(schema.inputs, inputs))}


@pytest.mark.parametrize(
    ("token", "inputs", "path", "reason"),
    [
        # Names: a slip, a stranger, one the real provider has.
        (INSTANCE, {**MACHINE, "userdata": "x"}, "userdata", "did you mean userData"),
        (INSTANCE, {**MACHINE, "colour": "x"}, "colour", f"{INSTANCE} has no property colour: correct the name"),
        (INSTANCE, {**MACHINE, "monitoring": True}, "monitoring", f"does not model monitoring of {INSTANCE}: leave it"),
        (
            INSTANCE,
            {**MACHINE, "metadataOptions": {"httpToken": "required"}},
            "metadataOptions.httpToken",
            "did you mean metadataOptions.httpTokens",
        ),
        (
            INSTANCE,
            {**MACHINE, "rootBlockDevice": {"volumeId": "vol-1"}},
            "rootBlockDevice.volumeId",
            f"does not model rootBlockDevice.volumeId of {INSTANCE}",
        ),
        (
            "aws:ec2/routeTable:RouteTable",
            {"vpcId": "v", "routes": [LISTED, {**LISTED, "vpcEndpointId": "vpce-1"}]},
            "routes[1].vpcEndpointId",
            "does not model routes.vpcEndpointId of aws:ec2/routeTable:RouteTable",
        ),
        ("aws:ec2/routeTable:RouteTable", {"vpcId": "v", "routes": [{}]}, "routes[0].cidrBlock", "missing required"),
        # Kinds of values.
        (INSTANCE, {**MACHINE, "sourceDestCheck": "no"}, "sourceDestCheck", "must be true or false, not 'no'"),
        (INSTANCE, {**MACHINE, "vpcSecurityGroupIds": "sg-1"}, "vpcSecurityGroupIds", "must be a list"),
        (INSTANCE, {**MACHINE, "vpcSecurityGroupIds": [1]}, "vpcSecurityGroupIds[0]", "must be a text, not 1"),
        (INSTANCE, {**MACHINE, "tags": {"Name": 1}}, "tags.Name", "must be a text, not 1"),
        (INSTANCE, {**MACHINE, "metadataOptions": "x"}, "metadataOptions", "must be an object"),
        (INSTANCE, {**MACHINE, "rootBlockDevice": {"volumeSize": True}}, "rootBlockDevice.volumeSize", "whole number"),
        (RULE, {"ipProtocol": 6, "securityGroupId": "s", "cidrIpv4": "0.0.0.0/0"}, "ipProtocol", "must be a text"),
        # Values.
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/15"}, "cidrBlock", "from /16 to /28"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.1/16"}, "cidrBlock", "host bits"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0"}, "cidrBlock", "no prefix length"),
        ("aws:ec2/vpc:Vpc", {"cidrBlock": "10.0.0.0/16", "instanceTenancy": "host"}, "instanceTenancy", "default, ded"),
        (INSTANCE, {**MACHINE, "privateIp": "10.0.0"}, "privateIp", "no IPv4 address"),
        (INSTANCE, {**MACHINE, "userData": "x" * 16385}, "userData", "16385 characters, and 16384 are allowed"),
        (
            INSTANCE,
            {**MACHINE, "metadataOptions": {"httpPutResponseHopLimit": 65}},
            "metadataOptions.httpPutResponseHopLimit",
            "not from 1 to 64",
        ),
        (
            INSTANCE,
            {**MACHINE, "metadataOptions": {"httpTokens": "yes"}},
            "metadataOptions.httpTokens",
            "none of optional, required",
        ),
        (INSTANCE, {**MACHINE, "rootBlockDevice": {"volumeType": "gp9"}}, "rootBlockDevice.volumeType", "gp3"),
        ("aws:ec2/eip:Eip", {"domain": "standard"}, "domain", "none of vpc"),
        (
            "aws:ec2/subnetCidrReservation:SubnetCidrReservation",
            {"cidrBlock": "10.0.0.9/32", "subnetId": "s", "reservationType": "mine"},
            "reservationType",
            "none of prefix, explicit",
        ),
        ("aws:iam/role:Role", {"assumeRolePolicy": "{"}, "assumeRolePolicy", "no JSON"),
        ("aws:iam/role:Role", {"assumeRolePolicy": "{}", "name": "a b"}, "name", "letters, digits"),
        ("aws:iam/role:Role", {"assumeRolePolicy": "{}", "name": "a" * 65}, "name", "64 are allowed"),
        ("aws:iam/role:Role", {"assumeRolePolicy": "{}", "maxSessionDuration": 60}, "maxSessionDuration", "3600 to"),
        ("aws:iam/rolePolicy:RolePolicy", {"role": "r", "policy": "[]"}, "policy", "must be a JSON object"),
        ("aws:iam/rolePolicy:RolePolicy", {"role": "r", "policy": '"' + "x" * 10240 + '"'}, "policy", "10240 are"),
        ("aws:ec2/securityGroup:SecurityGroup", {"name": "sg-mine"}, "name", "must not begin with sg-"),
        ("aws:ec2/securityGroup:SecurityGroup", {"description": "x" * 256}, "description", "255 are allowed"),
        # Together.
        (
            RULE,
            {"ipProtocol": "tcp", "securityGroupId": "s", "cidrIpv4": "0.0.0.0/0", "referencedSecurityGroupId": "g"},
            "cidrIpv4",
            "exactly one of cidrIpv4, cidrIpv6, prefixListId, referencedSecurityGroupId must be given, "
            "not cidrIpv4 and referencedSecurityGroupId",
        ),
        (RULE, {"ipProtocol": "tcp", "securityGroupId": "s"}, "cidrIpv4", "exactly one of"),
        (RULE, {"ipProtocol": "tcp", "securityGroupId": "s", "cidrIpv4": "0.0.0.0/0", "toPort": 65536}, "toPort", "-1"),
        (
            RULE,
            {"ipProtocol": "-1", "securityGroupId": "s", "cidrIpv4": "0.0.0.0/0", "fromPort": 0},
            "fromPort",
            "must not be given for the protocol -1",
        ),
        (
            "aws:ec2/route:Route",
            {"routeTableId": "r", "destinationCidrBlock": "0.0.0.0/0"},
            "gatewayId",
            "exactly one of gatewayId, natGatewayId, networkInterfaceId",
        ),
        (
            "aws:ec2/routeTableAssociation:RouteTableAssociation",
            {"routeTableId": "r", "subnetId": "s", "gatewayId": "g"},
            "subnetId",
            "exactly one of subnetId, gatewayId",
        ),
        (
            "aws:ec2/subnet:Subnet",
            {"vpcId": "v", "cidrBlock": "10.0.0.0/24", "availabilityZone": "a", "availabilityZoneId": "b"},
            "availabilityZone",
            "at most one of",
        ),
        (
            INSTANCE,
            {**MACHINE, "volumeTags": {"A": "1"}, "rootBlockDevice": {"tags": {"B": "2"}}},
            "rootBlockDevice.tags",
            "at most one of rootBlockDevice.tags, volumeTags",
        ),
        # Functions.
        ("aws:ec2/getAmi:getAmi", {"filters": [{"name": "x"}]}, "filters[0].values", "missing required"),
        ("aws:ec2/getAmi:getAmi", {"filters": [{"name": "x", "values": ["y"], "z": 1}]}, "filters[0].z", "has no"),
        ("aws:ec2/getAmi:getAmi", {"owners": "self"}, "owners", "must be a list"),
    ],
)
def test_refused(token: str, inputs: Properties, path: str, reason: str) -> None:
    found = refused(token, inputs)
    assert found.keys() == {path}
    assert reason in found[path]


def test_all_faults_are_told_at_once() -> None:
    wrong: Properties = {"amy": "x", "sourceDestCheck": 1, "metadataOptions": {"httpTokens": "x", "b": 1}}
    assert refused(INSTANCE, wrong).keys() == {
        *("ami", "amy", "instanceType", "sourceDestCheck", "metadataOptions.httpTokens", "metadataOptions.b")
    }


@pytest.mark.parametrize("unknown", [UNKNOWN, {"httpTokens": UNKNOWN}])
def test_the_unknown_is_right_everywhere(unknown: Any) -> None:
    everything = {name: UNKNOWN for name in TYPES[INSTANCE].inputs if name not in ("volumeTags", "metadataOptions")}
    assert refused(INSTANCE, {**everything, "metadataOptions": unknown}) == {}
    assert refused(INSTANCE, {**MACHINE, "tags": {"Name": UNKNOWN}, "vpcSecurityGroupIds": [UNKNOWN]}) == {}


def test_a_policy_may_be_an_object() -> None:
    inputs = TYPES["aws:iam/rolePolicy:RolePolicy"].inputs
    assert with_defaults(inputs, {"policy": {"Version": "x"}})["policy"] == '{"Version": "x"}'
    assert with_defaults(inputs, {"policy": {"Resource": UNKNOWN}})["policy"] == UNKNOWN


def test_defaults_reach_into_objects() -> None:
    inputs = TYPES[INSTANCE].inputs
    filled = with_defaults(inputs, {"rootBlockDevice": {"encrypted": True}, "metadataOptions": {}, "keyName": None})
    assert filled == {
        "rootBlockDevice": {"encrypted": True, "deleteOnTermination": True},
        "metadataOptions": {"httpProtocolIpv6": "disabled"},
        "forceDestroy": False,
        "sourceDestCheck": True,
        "userDataReplaceOnChange": False,
    }
