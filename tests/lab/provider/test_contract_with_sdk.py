"""The types as the installed pulumi_aws knows them: every output a program can read, no input it cannot send."""

from __future__ import annotations

from typing import Any

import pulumi_aws
import pytest
from pulumi_aws import ec2

from lab.protocol.contract import Resource
from lab.provider.aws import FUNCTIONS, TYPES
from tests.lab.provider import sdk
from tests.lab.provider.conftest import Aws

pytestmark = pytest.mark.cloud


def test_every_type_gives_every_output_the_sdk_reads(world: dict[str, Resource]) -> None:
    assert set(world) == set(TYPES)
    for cls in sdk.CLASSES:
        token = sdk.token_of(cls)
        assert world[token].outputs.keys() == sdk.wire_names(cls).keys(), token


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
        wanted = sdk.wire_names(cls).keys() | {"id"}
        assert aws.configured.invoke(token, args).keys() >= wanted, token
    zones = aws.configured.invoke("aws:index/getAvailabilityZones:getAvailabilityZones", {"state": "available"})
    assert zones["names"][0] == "us-east-1a"
