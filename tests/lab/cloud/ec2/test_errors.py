"""Bad requests: EC2's codes and HTTP statuses, never a crash or a hang."""

from __future__ import annotations

import random
import socket
import time
from contextlib import suppress
from typing import Any

import pytest

from tests.lab.cloud.conftest import World, interface_of, refused
from tests.lab.cloud.ec2.conftest import LabCloud

pytestmark = pytest.mark.cloud


@pytest.mark.parametrize(
    ("request_", "status", "code"),
    [
        ({"Action": "MakeCoffee"}, 400, "InvalidAction"),
        ({"Action": "describe_vpcs"}, 400, "InvalidAction"),
        ({"Action": "SetupClass"}, 400, "InvalidAction"),
        ({"Action": "_dispatch"}, 400, "InvalidAction"),
        ({"Action": "ErrorOnDryrun"}, 400, "InvalidAction"),
        ({"Version": "2016-11-15"}, 400, "MissingAction"),
        ({}, 400, "MissingAction"),
        ({"Action": "CopyFpgaImage", "SourceFpgaImageId": "afi-0", "SourceRegion": "x"}, 400, "InvalidAction"),
        ({"Action": "AssignPrivateIpAddresses"}, 400, "MissingParameter"),
        ({"Action": "CreateSubnet", "VpcId": "vpc-00000000"}, 400, "InvalidVpcID.NotFound"),
        ({"Action": "TerminateInstances"}, 400, "MissingParameter"),
        ({"Action": "DescribeVpcs", "Colour": "red"}, 400, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "Filters.1.Name": "x"}, 400, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "Filter.one.Name": "x"}, 400, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "Filter.1.Name.x": "x"}, 400, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "VpcId": "vpc-1"}, 400, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "Filter.1.Value.1": "x"}, 400, "InvalidParameterValue"),
        ({"Action": "DescribeVpcs", "MaxResults": "many"}, 400, "InvalidParameterValue"),
        ({"Action": "DescribeVpcs", "MaxResults": "9" * 40}, 400, "InvalidParameterValue"),
        ({"Action": "DescribeVpcs", "DryRun": "perhaps"}, 400, "InvalidParameterValue"),
        ({"Action": "AllocateAddress", "Address": "1.2.3"}, 400, "InvalidAddress.Malformed"),
        ({"Action": "AllocateAddress", "Domain": "cloud"}, 400, "InvalidParameterValue"),
    ],
    ids=str,
)
def test_requests_that_are_none(lab_cloud: LabCloud, request_: dict[str, str], status: int, code: str) -> None:
    answer = lab_cloud.query(request_)
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.message


def test_an_error_is_written_as_ec2_writes_it(lab_cloud: LabCloud) -> None:
    """In no namespace, with an id of its own (API reference, "Example error response")."""
    bodies = [lab_cloud.query({"Action": "DescribeVpcs", "VpcId.1": "vpc-00000000"}).body for _ in range(2)]
    assert b"<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>" in bodies[0]
    assert len(set(bodies)) == 2


@pytest.mark.parametrize(
    ("call", "parameter", "id_", "code"),
    [
        ("describe_instances", "InstanceIds", "ma1", "InvalidInstanceID.Malformed"),
        ("describe_network_interfaces", "NetworkInterfaceIds", "eni-x", "InvalidNetworkInterfaceId.Malformed"),
        ("detach_network_interface", "AttachmentId", "eni-0123", "InvalidNetworkInterfaceAttachmentId.Malformed"),
        ("describe_subnets", "SubnetIds", "10.0.0.0/24", "InvalidSubnetID.Malformed"),
        ("describe_vpcs", "VpcIds", "vpc-", "InvalidVpcID.Malformed"),
        ("describe_security_groups", "GroupIds", "directors", "InvalidGroupId.Malformed"),
        ("describe_security_group_rules", "SecurityGroupRuleIds", "sg-1", "InvalidSecurityGroupRuleId.Malformed"),
        ("describe_route_tables", "RouteTableIds", "rtb-XYZ", "InvalidRouteTableId.Malformed"),
        ("describe_internet_gateways", "InternetGatewayIds", "igw", "InvalidInternetGatewayId.Malformed"),
        ("describe_images", "ImageIds", "debian", "InvalidAMIID.Malformed"),
        ("describe_addresses", "AllocationIds", "eipalloc-x", "InvalidAllocationID.NotFound"),
        ("disassociate_address", "AssociationId", "eipassoc-x", "InvalidAssociationID.NotFound"),
        ("create_tags", "Resources", "nonsense", "InvalidID"),
    ],
)
def test_ids_of_a_wrong_form(ec2: Any, call: str, parameter: str, id_: str, code: str) -> None:
    value: Any = [id_] if parameter.endswith("s") else id_
    tags = {"Tags": [{"Key": "k", "Value": "v"}]} if call == "create_tags" else {}
    with refused(code, id_):
        getattr(ec2, call)(**{parameter: value}, **tags)


def test_one_wrong_id_keeps_a_call_from_all(world: World, director: Any) -> None:
    with refused("InvalidInstanceID.NotFound", "i-00000000000000000"):
        world.ec2.terminate_instances(InstanceIds=[director["InstanceId"], "i-00000000000000000"])
    assert world.instance(director["InstanceId"])["State"]["Name"] == "running"


def test_user_data_that_is_not_base64(world: World, lab_cloud: LabCloud) -> None:
    request = {"Action": "RunInstances", "MinCount": "1", "MaxCount": "1", "ImageId": "ami-0deb1a13000000001"}
    answer = lab_cloud.query(request | {"InstanceType": "t3.micro", "SubnetId": world.subnet, "UserData": "%%%"})
    assert (answer.code, answer.message) == ("InvalidParameterValue", "Invalid BASE64 encoding of user data.")


def test_an_address_that_is_none(world: World, director: Any) -> None:
    for address in ("10.0.0", "10.0.0.300", "::1", "", "x" * 5000):
        with refused("InvalidParameterValue"):
            world.ec2.assign_private_ip_addresses(
                NetworkInterfaceId=interface_of(director), PrivateIpAddresses=[address]
            )


def test_garbage_is_refused_and_the_next_request_is_answered(lab_cloud: LabCloud) -> None:
    chance = random.Random(4)
    names = ["Action", "Filter.1.Name", "InstanceId.1", "NetworkInterfaceId", "MaxResults", "A.b.c", "", "%zz"]
    values = ["DescribeInstances", "RunInstances", "AssignPrivateIpAddresses", "x", "", "\x00", "é", "1" * 300, "%ff"]
    for _ in range(150):
        pairs = [f"{chance.choice(names)}={chance.choice(values)}" for _ in range(chance.randint(0, 6))]
        answer = lab_cloud.query("&".join(pairs).encode())
        assert answer.status in (200, 400), (pairs, answer.body)
    for _ in range(50):
        answer = lab_cloud.query(chance.randbytes(chance.randint(0, 200)))
        assert 400 <= answer.status < 500, answer.body
    assert lab_cloud.query({"Action": "DescribeVpcs"}).status == 200


def test_a_huge_body_is_refused(lab_cloud: LabCloud) -> None:
    with suppress(OSError):  # refused before it was all sent
        assert 400 <= lab_cloud.query(b"Action=DescribeVpcs&A=" + b"x" * 20_000_000).status < 500
    assert lab_cloud.query({"Action": "DescribeVpcs"}).status == 200


def test_a_caller_who_says_nothing_keeps_nobody_waiting(lab_cloud: LabCloud) -> None:
    host, port = lab_cloud.endpoint.removeprefix("http://").split(":")
    began = time.monotonic()
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nAction=")
        assert lab_cloud.query({"Action": "DescribeVpcs"}).status == 200
    assert time.monotonic() - began < 20
