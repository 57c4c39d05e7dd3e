"""Where rights come from: inline and attached policies, versions, groups, boundaries, session policies, trust."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from tests.lab.cloud.authorization.conftest import Callers, allow, deny, document, trust
from tests.lab.cloud.authorization.scene import ACCOUNT, permitted
from tests.lab.cloud.conftest import refused

pytestmark = pytest.mark.cloud
VPCS, SUBNETS = allow("ec2:DescribeVpcs"), allow("ec2:DescribeSubnets")


def rights(caller: Any) -> tuple[bool, bool]:
    """Whether the caller may describe VPCs, and subnets."""
    return permitted(caller("ec2").describe_vpcs), permitted(caller("ec2").describe_subnets)


def managed(iam: Any, name: str, *statements: dict[str, Any]) -> str:
    made = iam.create_policy(PolicyName=name, PolicyDocument=document(*statements))
    return str(made["Policy"]["Arn"])


def test_inline_and_attached_policies_add_up(callers: Callers, iam: Any) -> None:
    attached = managed(iam, "subnets", SUBNETS)
    role, user = callers.role(VPCS), callers.user(VPCS)
    assert rights(role) == rights(user) == (True, False)
    iam.attach_role_policy(RoleName=role.name, PolicyArn=attached)
    iam.attach_user_policy(UserName=user.name, PolicyArn=attached)
    assert rights(role) == rights(user) == (True, True)
    iam.detach_role_policy(RoleName=role.name, PolicyArn=attached)
    assert rights(role) == (True, False)


def test_the_default_version_of_a_policy_counts(callers: Callers, iam: Any) -> None:
    attached = managed(iam, "changing", VPCS)
    role = callers.role()
    iam.attach_role_policy(RoleName=role.name, PolicyArn=attached)
    assert rights(role) == (True, False)
    iam.create_policy_version(PolicyArn=attached, PolicyDocument=document(SUBNETS), SetAsDefault=False)
    assert rights(role) == (True, False)
    iam.set_default_policy_version(PolicyArn=attached, VersionId="v2")
    assert rights(role) == (False, True)
    iam.set_default_policy_version(PolicyArn=attached, VersionId="v2")
    assert rights(role) == (False, True)
    iam.create_policy_version(PolicyArn=attached, PolicyDocument=document(VPCS, SUBNETS), SetAsDefault=True)
    assert rights(role) == (True, True)


def test_a_users_groups_count(callers: Callers, iam: Any) -> None:
    user, stranger = callers.user(), callers.user()
    iam.create_group(GroupName="operators")
    iam.put_group_policy(GroupName="operators", PolicyName="inline", PolicyDocument=document(VPCS))
    iam.attach_group_policy(GroupName="operators", PolicyArn=managed(iam, "subnets", SUBNETS))
    assert rights(user) == (False, False)
    iam.add_user_to_group(GroupName="operators", UserName=user.name)
    assert rights(user) == (True, True) and rights(stranger) == (False, False)
    iam.put_group_policy(GroupName="operators", PolicyName="no", PolicyDocument=document(deny("ec2:DescribeVpcs")))
    assert rights(user) == (False, True)
    iam.remove_user_from_group(GroupName="operators", UserName=user.name)
    assert rights(user) == (False, False)


@pytest.mark.parametrize("kind", ["role", "user"])
def test_a_boundary_only_takes_away(callers: Callers, iam: Any, kind: str) -> None:
    boundary = managed(iam, "boundary", SUBNETS)
    caller = getattr(callers, kind)(VPCS, SUBNETS, PermissionsBoundary=boundary)
    assert rights(caller) == (False, True)
    with refused("UnauthorizedOperation", "because no permissions boundary allows the ec2:DescribeVpcs action"):
        caller("ec2").describe_vpcs()
    described = getattr(iam, f"get_{kind}")(**{f"{kind.capitalize()}Name": caller.name})[kind.capitalize()]
    assert described["PermissionsBoundary"]["PermissionsBoundaryArn"] == boundary
    whose = {f"{kind.capitalize()}Name": caller.name}
    getattr(iam, f"delete_{kind}_permissions_boundary")(**whose)
    assert rights(caller) == (True, True)
    getattr(iam, f"put_{kind}_permissions_boundary")(**whose, PermissionsBoundary=managed(iam, "other", VPCS))
    assert rights(caller) == (True, False)
    getattr(iam, f"put_{kind}_permissions_boundary")(
        **whose, PermissionsBoundary=f"arn:aws:iam::{ACCOUNT}:policy/deleted"
    )
    assert rights(caller) == (False, False)


def test_a_session_policy_only_takes_away(callers: Callers) -> None:
    caller = callers.role(VPCS, SUBNETS, session=document(SUBNETS, allow("ec2:DescribeRouteTables")))
    assert rights(caller) == (False, True)
    assert not permitted(caller("ec2").describe_route_tables)
    with refused("UnauthorizedOperation", "because no session policy allows the ec2:DescribeVpcs action"):
        caller("ec2").describe_vpcs()


@pytest.mark.parametrize("condition", [{"StringIs": {"aws:username": "x"}}, {"NumericEquals": {"aws:EpochTime": "x"}}])
def test_a_document_that_is_no_policy_is_not_taken(callers: Callers, iam: Any, condition: dict[str, Any]) -> None:
    wrong = document(allow(Condition=condition))
    role, user = callers.role(), callers.user()
    iam.create_group(GroupName="g")
    arn = managed(iam, "right", VPCS)
    for call, arguments in (
        (iam.put_role_policy, {"RoleName": role.name, "PolicyName": "p"}),
        (iam.put_user_policy, {"UserName": user.name, "PolicyName": "p"}),
        (iam.put_group_policy, {"GroupName": "g", "PolicyName": "p"}),
        (iam.create_policy, {"PolicyName": "p"}),
        (iam.create_policy_version, {"PolicyArn": arn}),
    ):
        with refused("MalformedPolicyDocument"):
            call(**arguments, PolicyDocument=wrong)
    assert iam.list_role_policies(RoleName=role.name)["PolicyNames"] == []
    with refused("MalformedPolicyDocument"):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=document(allow()))


def test_a_policy_that_cannot_be_read_allows_nothing_and_is_logged(
    callers: Callers, iam: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """However it came in: here past the API."""
    caller = callers.role(VPCS)
    assert rights(caller) == (True, False)
    (role,) = callers.cloud.account.iam.roles.values()
    role.put_policy("broken", document(allow(Condition={"StringIs": {"aws:username": "x"}})))
    with caplog.at_level(logging.WARNING, logger="lab.cloud.authorization"):
        assert rights(caller) == (False, False)
    assert "no condition operator StringIs" in caplog.text and role.arn in caplog.text
    iam.delete_role_policy(RoleName=caller.name, PolicyName="broken")
    assert rights(caller) == (True, False)


def test_a_role_is_assumed_by_whom_it_trusts(callers: Callers, iam: Any) -> None:
    user = callers.user()
    made = {"RoleSessionName": "a-session", "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/target"}
    iam.create_role(RoleName="target", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"}))

    def assumes(*own: dict[str, Any]) -> bool:
        try:
            user.may(*own)("sts").assume_role(**made)
        except Exception as error:
            assert "AccessDenied" in str(error) and "sts:AssumeRole on resource: " in str(error)
            return False
        return True

    assert not assumes()
    assert assumes(allow("sts:AssumeRole", made["RoleArn"]))
    assert not assumes(allow("sts:AssumeRole", f"{made['RoleArn']}-2"))
    trusts = iam.update_assume_role_policy
    trusts(RoleName="target", PolicyDocument=trust({"Service": "ec2.amazonaws.com"}))
    assert not assumes(allow())
    trusts(RoleName="target", PolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/{user.name}"}))
    assert assumes()
    by_id = {"Condition": {"StringEquals": {"sts:ExternalId": "secret"}}}
    trusts(
        RoleName="target",
        PolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/{user.name}"}, **by_id),
    )
    assert not assumes()
    made["ExternalId"] = "secret"
    assert assumes()
    made["RoleArn"] = f"arn:aws:iam::{ACCOUNT}:role/nobody"
    assert not assumes(allow())
