"""The condition keys of EC2 calls: of resources, of what is made, of the caller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.cloud.authorization.conftest import ASSIGN, Caller, Callers, allow, deny, trust
from tests.lab.cloud.authorization.scene import (
    ACCOUNT,
    HERE,
    TAG,
    Call,
    Scene,
    assign_raw,
    launch,
    modify,
    permitted,
)

pytestmark = pytest.mark.cloud
# A right under a condition that holds for the call, and the same under one that does not.
CONDITIONS: list[tuple[str, Call, str, str, Callable[[Scene], str], str]] = [
    ("StringEquals", lambda e, s: assign_raw(e, s), "ec2:Region", ASSIGN, lambda s: "us-east-1", "eu-west-1"),
    ("ArnEquals", lambda e, s: assign_raw(e, s), "ec2:Vpc", ASSIGN, lambda s: s.arn("vpc"), f"{HERE}:vpc/vpc-x"),
    (
        "StringEquals",
        lambda e, s: assign_raw(e, s),
        "ec2:Subnet",
        ASSIGN,
        lambda s: s.arn("subnet"),
        "subnet-x",
    ),
    (
        "StringEquals",
        lambda e, s: assign_raw(e, s),
        "ec2:AvailabilityZone",
        ASSIGN,
        lambda s: "us-east-1a",
        "us-east-1b",
    ),
    ("IpAddress", lambda e, s: assign_raw(e, s), "aws:SourceIp", ASSIGN, lambda s: "127.0.0.0/8", "10.0.0.0/8"),
    ("Bool", lambda e, s: assign_raw(e, s), "aws:SecureTransport", ASSIGN, lambda s: "false", "true"),
    (
        "DateGreaterThan",
        lambda e, s: assign_raw(e, s),
        "aws:CurrentTime",
        ASSIGN,
        lambda s: "2025-01-01T00:00:00Z",
        "2999-01-01T00:00:00Z",
    ),
    (
        "NumericGreaterThan",
        lambda e, s: assign_raw(e, s),
        "aws:EpochTime",
        ASSIGN,
        lambda s: "1700000000",
        "32503680000",
    ),
    (
        "StringEquals",
        lambda e, s: e.release_address(AllocationId=s.ids["eip-service"], DryRun=True),
        "ec2:AllocationId",
        "ec2:ReleaseAddress",
        lambda s: s.ids["eip-service"],
        "eipalloc-x",
    ),
    (
        "StringEquals",
        lambda e, s: e.release_address(AllocationId=s.ids["eip-service"], DryRun=True),
        "ec2:PublicIpAddress",
        "ec2:ReleaseAddress",
        lambda s: s.ids["public"],
        "198.51.100.7",
    ),
    (
        "StringEquals",
        lambda e, s: e.release_address(AllocationId=s.ids["eip-service"], DryRun=True),
        "ec2:Domain",
        "ec2:ReleaseAddress",
        lambda s: "vpc",
        "standard",
    ),
    (
        "StringEquals",
        lambda e, s: e.stop_instances(InstanceIds=[s.ids["i-a"]]),
        "ec2:InstanceType",
        "ec2:StopInstances",
        lambda s: "t3.micro",
        "t3.nano",
    ),
    (
        "StringEquals",
        lambda e, s: e.delete_route(RouteTableId=s.ids["route-table"], DestinationCidrBlock="10.9.0.0/16"),
        "ec2:RouteTableID",
        "ec2:DeleteRoute",
        lambda s: s.ids["route-table"],
        "rtb-x",
    ),
    (
        "StringEquals",
        lambda e, s: modify(e, s, SourceDestCheck={"Value": False}),
        "ec2:Attribute",
        "ec2:ModifyInstanceAttribute",
        lambda s: "SourceDestCheck",
        "UserData",
    ),
    (
        "StringEquals",
        lambda e, s: modify(e, s, SourceDestCheck={"Value": False}),
        "ec2:Attribute/SourceDestCheck",
        "ec2:ModifyInstanceAttribute",
        lambda s: "false",
        "true",
    ),
    (
        "StringEquals",
        lambda e, s: e.create_tags(Resources=[s.ids["eni-a"]], Tags=[TAG]),
        "aws:RequestTag/Name",
        "ec2:CreateTags",
        lambda s: "x",
        "y",
    ),
    (
        "ForAllValues:StringEquals",
        lambda e, s: e.create_tags(Resources=[s.ids["eni-a"]], Tags=[TAG]),
        "aws:TagKeys",
        "ec2:CreateTags",
        lambda s: "Name",
        "Role",
    ),
    (
        "ForAnyValue:StringEquals",
        lambda e, s: e.delete_tags(Resources=[s.ids["eni-a"]], Tags=[{"Key": "Name"}]),
        "aws:TagKeys",
        "ec2:DeleteTags",
        lambda s: "Name",
        "Role",
    ),
]


@pytest.mark.parametrize("row", CONDITIONS, ids=lambda row: row[2])
def test_a_condition_key(
    scene: Scene, caller: Caller, row: tuple[str, Call, str, str, Callable[[Scene], str], str]
) -> None:
    operator, call, key, action, true, false = row
    for value, allowed in ((true(scene), True), (false, False)):
        granted = caller.may(allow(action, Condition={operator: {key: value}}))
        assert permitted(call, granted("ec2"), scene) is allowed
        taken = caller.may(allow(action), deny(action, Condition={operator: {key: value}}))
        assert permitted(call, taken("ec2"), scene) is not allowed
    for condition, allowed in (("true", False), ("false", True)):
        known = caller.may(allow(action, Condition={"Null": {key: condition}}))
        assert permitted(call, known("ec2"), scene) is allowed


def test_conditions_on_the_caller(scene: Scene, callers: Callers, iam: Any) -> None:
    session, user = callers.role(Tags=[{"Key": "Team", "Value": "lb"}]), callers.user()
    role_id = iam.get_role(RoleName=session.name)["Role"]["RoleId"]
    user_id = iam.get_user(UserName=user.name)["User"]["UserId"]
    keys = {
        "aws:PrincipalArn": (f"arn:aws:iam::{ACCOUNT}:role/{session.name}", f"arn:aws:iam::{ACCOUNT}:user/{user.name}"),
        "aws:PrincipalAccount": (ACCOUNT, ACCOUNT),
        "aws:PrincipalType": ("AssumedRole", "User"),
        "aws:userid": (f"{role_id}:a-session", user_id),
        "aws:username": (None, user.name),
        "aws:PrincipalTag/team": ("lb", None),
        "ec2:SourceInstanceARN": (None, None),
    }
    for key, values in keys.items():
        for caller, value in zip((session, user), values, strict=True):
            for condition, allowed in (
                ({"StringEquals": {key: value or "x"}}, value is not None),
                ({"Null": {key: "true"}}, value is None),
            ):
                ec2 = caller.may(allow("ec2:DescribeVpcs", Condition=condition))("ec2")
                assert permitted(ec2.describe_vpcs) is allowed, (key, caller.kind, condition)


def test_a_launch_by_type_profile_and_tags(scene: Scene, caller: Caller, iam: Any) -> None:
    iam.create_role(RoleName="director", AssumeRolePolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    iam.create_instance_profile(InstanceProfileName="director")
    iam.add_role_to_instance_profile(InstanceProfileName="director", RoleName="director")
    profile = {"IamInstanceProfile": {"Name": "director"}}
    passing = allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/director")

    def launches(*rights: dict[str, Any], **options: Any) -> bool:
        return permitted(launch, caller.may(*rights)("ec2"), scene, **options)

    run = allow("ec2:RunInstances")
    assert launches(run) and not launches(run, **profile)
    assert launches(run, passing, **profile)
    to_ec2 = {"Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}}
    to_others = {"Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}}
    assert launches(run, {**passing, **to_ec2}, **profile)
    assert not launches(run, {**passing, **to_others}, **profile)
    assert not launches(run, allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/other"), **profile)

    def only(resource: str, operator: str, key: str, value: str) -> list[dict[str, Any]]:
        return [run, deny("ec2:RunInstances", f"{HERE}:{resource}/*", Condition={operator: {key: value}})]

    for resource, operator, key, value, allowed, options in (
        ("instance", "StringNotEquals", "ec2:InstanceType", "t3.micro", True, {}),
        ("instance", "StringNotEquals", "ec2:InstanceType", "t3.nano", False, {}),
        ("instance", "StringNotEquals", "ec2:MetadataHttpTokens", "required", False, {}),
        (
            "instance",
            "StringNotEquals",
            "ec2:MetadataHttpTokens",
            "required",
            True,
            {"MetadataOptions": {"HttpTokens": "required"}},
        ),
        ("network-interface", "ArnNotEquals", "ec2:Subnet", scene.arn("subnet"), True, {}),
        ("network-interface", "ArnNotEquals", "ec2:Subnet", f"{HERE}:subnet/subnet-x", False, {}),
        ("network-interface", "ArnNotEquals", "ec2:Vpc", scene.arn("vpc"), True, {}),
        ("volume", "Bool", "ec2:Encrypted", "false", False, {}),
        (
            "volume",
            "Bool",
            "ec2:Encrypted",
            "false",
            True,
            {"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]},
        ),
        ("instance", "StringNotEquals", "aws:RequestTag/Team", "lb", False, {}),
    ):
        assert launches(*only(resource, operator, key, value), **options) is allowed, (resource, key, value, options)

    tagged = {"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "Team", "Value": "lb"}]}]}
    assert not launches(run, **tagged)  # to tag is a right of its own
    assert launches(run, allow("ec2:CreateTags", f"{HERE}:instance/*"), **tagged)
    while_launching = {"Condition": {"StringEquals": {"ec2:CreateAction": "RunInstances"}}}
    assert launches(run, allow("ec2:CreateTags", **while_launching), **tagged)
    while_allocating = {"Condition": {"StringEquals": {"ec2:CreateAction": "AllocateAddress"}}}
    assert not launches(run, allow("ec2:CreateTags", **while_allocating), **tagged)
    with_tag = {"Condition": {"StringEquals": {"aws:RequestTag/Team": "lb"}}}
    assert launches(run, allow("ec2:CreateTags", **with_tag), **tagged)
    everything_tagged = [*only("instance", "StringNotEquals", "aws:RequestTag/Team", "lb"), allow("ec2:CreateTags")]
    assert launches(*everything_tagged, **tagged)
