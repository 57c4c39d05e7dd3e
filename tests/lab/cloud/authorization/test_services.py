"""IAM, STS and Systems Manager: what their calls are about, and how they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.lab.cloud.authorization.conftest import Caller, Callers, allow, deny, document, trust
from tests.lab.cloud.authorization.scene import ACCOUNT
from tests.lab.cloud.conftest import refused

pytestmark = pytest.mark.cloud
IAM = f"arn:aws:iam::{ACCOUNT}"
SSM = f"arn:aws:ssm:us-east-1:{ACCOUNT}"
EC2 = trust({"Service": "ec2.amazonaws.com"})


def passes(call: Callable[..., Any], *arguments: Any, **options: Any) -> bool:
    try:
        call(*arguments, **options)
    except ClientError as error:
        return error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException")
    return True


# The call, its action, and the ARN it is about; another ARN of the kind must not do.
CALLS: dict[str, tuple[str, Callable[[Any], Any], str, str]] = {
    "role": ("iam", lambda c: c.get_role(RoleName="r"), "iam:GetRole", f"{IAM}:role/path/r"),
    "role policy": (
        "iam",
        lambda c: c.put_role_policy(RoleName="r", PolicyName="p", PolicyDocument=document(allow("ec2:*"))),
        "iam:PutRolePolicy",
        f"{IAM}:role/path/r",
    ),
    "attached": (
        "iam",
        lambda c: c.attach_role_policy(RoleName="r", PolicyArn=f"{IAM}:policy/p"),
        "iam:AttachRolePolicy",
        f"{IAM}:role/path/r",
    ),
    "new role": (
        "iam",
        lambda c: c.create_role(RoleName="n", Path="/x/", AssumeRolePolicyDocument=EC2),
        "iam:CreateRole",
        f"{IAM}:role/x/n",
    ),
    "new profile": (
        "iam",
        lambda c: c.create_instance_profile(InstanceProfileName="n"),
        "iam:CreateInstanceProfile",
        f"{IAM}:instance-profile/n",
    ),
    "profile": (
        "iam",
        lambda c: c.get_instance_profile(InstanceProfileName="i"),
        "iam:GetInstanceProfile",
        f"{IAM}:instance-profile/i",
    ),
    "user": ("iam", lambda c: c.get_user(UserName="u"), "iam:GetUser", f"{IAM}:user/u"),
    "key": ("iam", lambda c: c.create_access_key(UserName="u"), "iam:CreateAccessKey", f"{IAM}:user/u"),
    "group": (
        "iam",
        lambda c: c.add_user_to_group(GroupName="g", UserName="u"),
        "iam:AddUserToGroup",
        f"{IAM}:group/g",
    ),
    "policy": ("iam", lambda c: c.get_policy(PolicyArn=f"{IAM}:policy/p"), "iam:GetPolicy", f"{IAM}:policy/p"),
    "new policy": (
        "iam",
        lambda c: c.create_policy(PolicyName="n", PolicyDocument=document(allow("ec2:*"))),
        "iam:CreatePolicy",
        f"{IAM}:policy/n",
    ),
    "simulated": (
        "iam",
        lambda c: c.simulate_principal_policy(PolicySourceArn=f"{IAM}:user/u", ActionNames=["ec2:DescribeVpcs"]),
        "iam:SimulatePrincipalPolicy",
        f"{IAM}:user/u",
    ),
    "parameter": ("ssm", lambda c: c.get_parameter(Name="/a/b"), "ssm:GetParameter", f"{SSM}:parameter/a/b"),
    "plain parameter": (
        "ssm",
        lambda c: c.put_parameter(Name="p", Value="v", Type="String"),
        "ssm:PutParameter",
        f"{SSM}:parameter/p",
    ),
    "parameters by path": (
        "ssm",
        lambda c: c.get_parameters_by_path(Path="/a"),
        "ssm:GetParametersByPath",
        f"{SSM}:parameter/a",
    ),
    "public parameter": (
        "ssm",
        lambda c: c.get_parameter(Name="/aws/service/debian/release/13/latest/amd64"),
        "ssm:GetParameter",
        "arn:aws:ssm:us-east-1::parameter/aws/service/debian/release/13/latest/amd64",
    ),
    "document": ("ssm", lambda c: c.get_document(Name="d"), "ssm:GetDocument", f"{SSM}:document/d"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_about_its_resource(caller: Caller, iam: Any, name: str) -> None:
    iam.create_role(RoleName="r", Path="/path/", AssumeRolePolicyDocument=EC2)
    iam.create_instance_profile(InstanceProfileName="i")
    iam.create_user(UserName="u")
    iam.create_group(GroupName="g")
    service, call, action, arn = CALLS[name]
    assert not passes(call, caller.may(allow(action, f"{arn}-not"))(service))
    assert not passes(call, caller.may(allow(f"{service}:Other*", arn))(service))
    assert not passes(call, caller.may(allow(action, arn), deny(action, arn))(service))
    assert passes(call, caller.may(allow(action, arn))(service))


def test_refusals_are_each_services_own(caller: Caller, iam: Any) -> None:
    who = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{caller.name}/a-session is not authorized to perform: "
    why = "because no identity-based policy allows the {} action"
    for service, call, code, status, text in (
        ("iam", lambda c: c.get_user(UserName="u"), "AccessDenied", 403, f"iam:GetUser on resource: {IAM}:user/u "),
        ("iam", lambda c: c.list_users(), "AccessDenied", 403, "iam:ListUsers "),
        (
            "ssm",
            lambda c: c.get_parameter(Name="p"),
            "AccessDeniedException",
            400,
            f"ssm:GetParameter on resource: {SSM}:parameter/p ",
        ),
        (
            "sts",
            lambda c: c.get_access_key_info(AccessKeyId="AKIAIOSFODNN7EXAMPLE"),
            "AccessDenied",
            403,
            "sts:GetAccessKeyInfo ",
        ),
    ):
        with pytest.raises(ClientError) as caught:
            call(caller(service))
        response = caught.value.response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
        assert response["Error"]["Message"] == who + text + why.format(text.split(" ")[0])


def test_several_parameters_are_each_asked_for(caller: Caller) -> None:
    both = {"Names": ["/a/b", "/a/c"]}
    ssm = caller.may(allow("ssm:GetParameters", f"{SSM}:parameter/a/b"))("ssm")
    assert passes(ssm.get_parameters, Names=["/a/b"]) and not passes(ssm.get_parameters, **both)
    caller.may(allow("ssm:GetParameters", f"{SSM}:parameter/a/*"))
    assert passes(ssm.get_parameters, **both)


def test_lists_are_of_the_star_only(caller: Caller) -> None:
    iam = caller.may(allow("iam:*", [f"{IAM}:role/*", f"{IAM}:user/*"]))("iam")
    assert not passes(iam.list_roles) and not passes(iam.list_users)
    caller.may(allow("iam:List*"))
    assert passes(iam.list_roles) and passes(iam.list_users)


def test_without_a_name_it_is_about_oneself(callers: Callers) -> None:
    user = callers.user()
    arn = f"{IAM}:user/{user.name}"
    assert not passes(user.may(allow("iam:GetUser", f"{arn}-not"))("iam").get_user)
    assert user.may(allow("iam:GetUser", arn))("iam").get_user()["User"]["UserName"] == user.name
    own = allow("iam:*", f"{IAM}:user/${{aws:username}}")
    assert passes(user.may(own)("iam").list_access_keys)
    assert not passes(user("iam").list_access_keys, UserName="another")


def test_conditions_of_iam(caller: Caller, iam: Any) -> None:
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2, Tags=[{"Key": "Team", "Value": "lb"}])
    allowed, boundary = f"{IAM}:policy/allowed", f"{IAM}:policy/boundary"
    for key, true, false, call, action in (
        (
            "iam:PolicyARN",
            allowed,
            f"{IAM}:policy/other",
            lambda c: c.attach_role_policy(RoleName="r", PolicyArn=allowed),
            "iam:AttachRolePolicy",
        ),
        ("iam:ResourceTag/Team", "lb", "x", lambda c: c.get_role(RoleName="r"), "iam:GetRole"),
        ("aws:ResourceTag/team", "lb", "x", lambda c: c.get_role(RoleName="r"), "iam:GetRole"),
        (
            "aws:RequestTag/Team",
            "lb",
            "x",
            lambda c: c.tag_role(RoleName="r", Tags=[{"Key": "Team", "Value": "lb"}]),
            "iam:TagRole",
        ),
        (
            "iam:PermissionsBoundary",
            boundary,
            f"{IAM}:policy/none",
            lambda c: c.create_user(UserName="n", PermissionsBoundary=boundary),
            "iam:CreateUser",
        ),
    ):
        for value, expected in ((false, False), (true, True)):
            caller.may(allow(action, Condition={"StringEquals": {key: value}}))
            assert passes(call, caller("iam")) is expected, (key, value)
    iam.put_role_permissions_boundary(RoleName="r", PermissionsBoundary=boundary)
    for value, expected in ((boundary, True), (allowed, False)):
        caller.may(allow("iam:UpdateRole", Condition={"StringEquals": {"iam:PermissionsBoundary": value}}))
        assert passes(caller("iam").update_role, RoleName="r") is expected


def test_to_tag_what_one_makes_is_a_right_of_its_own(caller: Caller) -> None:
    tags = {"Tags": [{"Key": "Team", "Value": "lb"}]}
    for kind, arn, call in (
        ("Role", "role/n", lambda c, **more: c.create_role(RoleName="n", AssumeRolePolicyDocument=EC2, **more)),
        (
            "InstanceProfile",
            "instance-profile/n",
            lambda c, **more: c.create_instance_profile(InstanceProfileName="n", **more),
        ),
        ("User", "user/n", lambda c, **more: c.create_user(UserName="n", **more)),
    ):
        making = allow(f"iam:Create{kind}", f"{IAM}:{arn}")
        assert not passes(call, caller.may(making)("iam"), **tags)
        assert passes(call, caller("iam"))
        assert passes(call, caller.may(making, allow(f"iam:Tag{kind}", f"{IAM}:{arn}"))("iam"), **tags)


def test_a_role_put_into_a_profile_is_passed(caller: Caller, iam: Any) -> None:
    """Or whoever may fill a profile could hand itself any role by a machine."""
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=EC2)
    iam.create_instance_profile(InstanceProfileName="i")
    adding = allow("iam:AddRoleToInstanceProfile", f"{IAM}:instance-profile/i")
    add = {"InstanceProfileName": "i", "RoleName": "r"}
    with refused("AccessDenied", f"iam:PassRole on resource: {IAM}:role/r"):
        caller.may(adding)("iam").add_role_to_instance_profile(**add)
    caller.may(adding, allow("iam:PassRole", f"{IAM}:role/r"))("iam").add_role_to_instance_profile(**add)
