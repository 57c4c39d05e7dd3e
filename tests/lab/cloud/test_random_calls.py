"""Calls with values drawn by chance, shaped by EC2's own model: each gets an answer or a refusal, never a failure."""

from __future__ import annotations

import random
import re
from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.model import ListShape, Shape, StructureShape
from werkzeug.test import EnvironBuilder, run_wsgi_app

from lab.cloud.api import Api
from lab.cloud.local import LocalCloud
from lab.cloud.request_check import query_name
from tests.lab.cloud.serving import FORM, SIGNED

pytestmark = pytest.mark.cloud
CALLS = 1500
SEED = 1
DEPTH = 4
# What the program, the lab, or an attacker on a director calls.
ACTIONS = (
    *("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses", "AssociateAddress", "DisassociateAddress"),
    *("AllocateAddress", "ReleaseAddress", "RunInstances", "TerminateInstances", "StopInstances", "StartInstances"),
    *("RebootInstances", "DescribeInstances", "DescribeNetworkInterfaces", "DescribeAddresses", "DescribeSubnets"),
    *("DescribeVpcs", "CreateVpc", "CreateSubnet", "CreateSecurityGroup", "AuthorizeSecurityGroupIngress"),
    *("RevokeSecurityGroupIngress", "DescribeSecurityGroups", "DescribeSecurityGroupRules", "CreateTags", "DeleteTags"),
    *("DescribeTags", "CreateRoute", "ReplaceRoute", "DeleteRoute", "DescribeRouteTables", "ModifyInstanceAttribute"),
    *("ModifyNetworkInterfaceAttribute", "CreateNetworkInterface", "DeleteNetworkInterface", "DescribeImages"),
    *("AttachNetworkInterface", "DetachNetworkInterface", "DescribeInstanceTypes", "CreateSubnetCidrReservation"),
    *("ModifyInstanceMetadataOptions", "DescribeInstanceAttribute", "ModifySecurityGroupRules"),
)
VALUES = (
    *("", "abc", "-1", "0", "1", "7", "99999999999999999999", "true", "false", "10.0.0.1", "300.1.1.1", "10.0.0.0/24"),
    *("i-1", "eni-123", "é" * 10, "x" * 5000, "*", "[]", "eipalloc-1", "vpc-1", "None", "tag:Name", "running", "aGk="),
    *("ami-0deb1a13000000001", "t3.micro", "tcp", "112", "instance", "network-interface", "us-east-1a"),
)


def parameters(shape: Shape | None, prefix: tuple[str, ...] = ()) -> list[str]:
    """The names a query of that shape may have, lists with one item."""
    if len(prefix) > DEPTH:
        return []
    if isinstance(shape, StructureShape):
        return [
            name
            for member, inner in shape.members.items()
            for name in parameters(inner, (*prefix, query_name(member, inner)))
        ]
    if isinstance(shape, ListShape):
        return parameters(shape.member, (*prefix, "1"))
    return [".".join(prefix)]


def test_no_call_makes_the_cloud_fail(cloud: LocalCloud) -> None:
    model = botocore.session.get_session().get_service_model("ec2")
    names = {action: parameters(model.operation_model(action).input_shape) for action in ACTIONS}
    api = Api(cloud.account, delay_seconds=0)
    dice = random.Random(SEED)
    failures, done = [], 0
    for _ in range(CALLS):
        action = dice.choice(ACTIONS)
        chosen = dice.sample(names[action], min(len(names[action]), dice.randint(0, 4)))
        fields = {"Action": action, "Version": "2016-11-15", **{name: dice.choice(VALUES) for name in chosen}}
        request = EnvironBuilder(
            "/",
            method="POST",
            data=urlencode(fields),
            headers={"Authorization": SIGNED},
            content_type=FORM,
        )
        chunks, status, _ = run_wsgi_app(api, request.get_environ(), buffered=True)
        text = b"".join(chunks).decode()
        done += status.startswith("200")
        refusal = re.search("<Code>([A-Za-z.]+)</Code>", text)
        if not (status.startswith("200") or (status[0] == "4" and refusal)):
            failures.append((status, fields, text[:300]))
    assert failures == []
    assert done > CALLS / 50  # chance hits what EC2 takes, too
