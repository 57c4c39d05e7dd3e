"""The project's program, deployed by someone who may do no more than that: every call it makes passes the gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from lab.engine.deploy import DeploymentError, deploy, destroy
from lab.provider import AwsProvider
from lab.stack.project import load_project
from tests.lab.cloud.authorization.conftest import Caller, Callers, allow
from tests.lab.cloud.authorization.scene import ACCOUNT, HERE

PROJECT = Path(__file__).resolve().parents[4]
pytestmark = pytest.mark.cloud
IAM = f"arn:aws:iam::{ACCOUNT}"
LOOKING = allow(["ec2:Describe*", "ec2:GetSubnetCidrReservations", "ec2:DeleteSubnetCidrReservation"])
# By type of resource, what `up`, `preview` and `destroy` do to it; tags only while it is made.
BY_TYPE: dict[str, tuple[str, ...]] = {
    "elastic-ip": ("AllocateAddress", "AssociateAddress", "DisassociateAddress", "ReleaseAddress"),
    "instance": ("RunInstances", "ModifyInstanceAttribute", "TerminateInstances"),
    "internet-gateway": (
        "CreateInternetGateway",
        "AttachInternetGateway",
        "DetachInternetGateway",
        "DeleteInternetGateway",
    ),
    "network-interface": ("RunInstances", "AssociateAddress", "DisassociateAddress"),
    "route-table": (
        "CreateRouteTable",
        "CreateRoute",
        "AssociateRouteTable",
        "DisassociateRouteTable",
        "DeleteRoute",
        "DeleteRouteTable",
    ),
    "security-group": (
        "CreateSecurityGroup",
        "AuthorizeSecurityGroupIngress",
        "AuthorizeSecurityGroupEgress",
        "RevokeSecurityGroupIngress",
        "RevokeSecurityGroupEgress",
        "DeleteSecurityGroup",
        "RunInstances",
    ),
    "security-group-rule": ("AuthorizeSecurityGroupIngress", "AuthorizeSecurityGroupEgress"),
    "subnet": (
        "CreateSubnet",
        "ModifySubnetAttribute",
        "CreateSubnetCidrReservation",
        "AssociateRouteTable",
        "DisassociateRouteTable",
        "DeleteSubnet",
        "RunInstances",
    ),
    "volume": ("RunInstances",),
    "vpc": (
        "CreateVpc",
        "ModifyVpcAttribute",
        "CreateSubnet",
        "CreateRouteTable",
        "CreateSecurityGroup",
        "AttachInternetGateway",
        "DetachInternetGateway",
        "DeleteVpc",
    ),
}
WHILE_MAKING = {"Condition": {"StringLike": {"ec2:CreateAction": "*"}}}
PASSING = allow(
    "iam:PassRole",
    f"{IAM}:role/director-*",
    Condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
)


def deployer(*without: dict[str, Any]) -> list[dict[str, Any]]:
    statements = [
        LOOKING,
        *(allow([f"ec2:{action}" for action in actions], f"{HERE}:{kind}/*") for kind, actions in BY_TYPE.items()),
        allow("ec2:RunInstances", "arn:aws:ec2:us-east-1::image/*"),
        allow("ec2:CreateTags", f"{HERE}:*/*", **WHILE_MAKING),
        # Not iam:*Role: that would be PassRole, too.
        allow(
            [f"iam:{verb}" for verb in ("CreateRole", "GetRole", "TagRole", "DeleteRole", "*RolePolicy", "List*Role*")],
            f"{IAM}:role/director-*",
        ),
        allow(
            ["iam:*InstanceProfile"],
            f"{IAM}:instance-profile/director-*",
        ),
        PASSING,
    ]
    return [each for each in statements if each not in without]


def provider_of(caller: Caller) -> AwsProvider:
    def session() -> boto3.Session:
        return boto3.Session(aws_access_key_id=caller.key_id, aws_secret_access_key=caller.secret)

    return AwsProvider(endpoint_url=caller.cloud.endpoint, session=session)


def test_up_preview_and_destroy_with_these_rights(callers: Callers, tmp_path: Path) -> None:
    user = callers.user(LOOKING)
    project, provider, state = load_project(PROJECT), provider_of(user), tmp_path / "state.json"
    config = project.stack("local")
    assert set(deploy(project, config, provider, state, dry_run=True).summary) == {"create"}
    user.may(*deployer(PASSING))
    with pytest.raises(DeploymentError, match="iam:PassRole"):
        deploy(project, config, provider, state)
    user.may(*deployer())
    deploy(project, config, provider, state)
    assert not deploy(project, config, provider, state, dry_run=True).changed
    destroy(project, config, provider, state)
    assert user.iam.list_roles()["Roles"] == []
