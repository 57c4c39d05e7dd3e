"""The calls of IAM, STS and Systems Manager, and the resources each is about. What is in no table is evaluated on *.

Source: Service Authorization Reference, "Actions, resources, and condition keys" for AWS IAM, AWS STS and AWS Systems
Manager.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.cloud.authorization.matching import Context
from lab.cloud.authorization.principals import Principal, boundary_of, role_of, tags_of

Parameters = Mapping[str, Any]

# The parameter that names what an IAM call is about, by precedence: AttachRolePolicy is about the role, not the policy,
# AddRoleToInstanceProfile about the profile, AddUserToGroup about the group.
IAM_PARAMETERS = (
    ("InstanceProfileName", "instance-profile"),
    ("RoleName", "role"),
    ("GroupName", "group"),
    ("UserName", "user"),
)
IAM_ARNS = ("PolicyArn", "PolicySourceArn", "Arn", "SAMLProviderArn", "OpenIDConnectProviderArn")
# "If you do not specify a user name, IAM determines the user name implicitly based on the access key" (IAM API
# reference): the calls that are then about the caller.
OF_CALLER = frozenset(
    {
        "GetUser",
        "ChangePassword",
        "CreateAccessKey",
        "DeleteAccessKey",
        "ListAccessKeys",
        "UpdateAccessKey",
        "ListMFADevices",
        "ListSigningCertificates",
        "ListSSHPublicKeys",
    }
)
TAGGING_WHILE_MAKING = {f"Create{kind}": f"iam:Tag{kind}" for kind in ("Role", "User", "Policy", "InstanceProfile")}
# The parameters that name parameters, documents and instances of Systems Manager.
SSM_PARAMETERS = {
    **dict.fromkeys(
        ("GetParameter", "PutParameter", "DeleteParameter", "GetParameterHistory", "LabelParameterVersion"),
        (("Name", "parameter"),),
    ),
    "GetParameters": (("Names", "parameter"),),
    "DeleteParameters": (("Names", "parameter"),),
    "GetParametersByPath": (("Path", "parameter"),),
    **dict.fromkeys(
        ("CreateDocument", "GetDocument", "UpdateDocument", "DeleteDocument", "DescribeDocument"),
        (("Name", "document"),),
    ),
    "SendCommand": (("DocumentName", "document"), ("InstanceIds", "instance")),
    "StartSession": (("Target", "instance"), ("DocumentName", "document")),
}
PUBLIC_PARAMETERS = "/aws/"


@dataclass(frozen=True, kw_only=True)
class About:
    """A resource a call is about, and the condition keys it has. `action` is set where the call takes another right."""

    arn: str
    keys: Context
    action: str | None = None


def iam_resources(iam: Any, principal: Principal, action: str, parameters: Parameters) -> Iterator[About]:
    """What an IAM call is about."""
    found = _iam_resource(iam, principal, action, parameters)
    if found is not None:
        arn, resource = found
        keys = {**_tags(resource, "aws"), **_tags(resource, "iam"), **request_tags(parameters)}
        if arn_given := parameters.get("PolicyArn"):
            keys["iam:policyarn"] = (str(arn_given),)
        if boundary := parameters.get("PermissionsBoundary") or boundary_of(resource):
            keys["iam:permissionsboundary"] = (str(boundary),)
        yield About(arn=arn, keys=keys)
        # What makes something and gives it tags takes the right to tag it, too.
        if action in TAGGING_WHILE_MAKING and parameters.get("Tags"):
            yield About(arn=arn, keys=keys, action=TAGGING_WHILE_MAKING[action])
    if action == "AddRoleToInstanceProfile" and (role := _by_name(iam.roles, parameters.get("RoleName"))):
        yield passed_role(role)


def passed_role(role: Any, *, to: str | None = None) -> About:
    """A role that is handed to EC2, for the instance with the ARN `to`."""
    keys = {**_tags(role, "aws"), **_tags(role, "iam"), "iam:passedtoservice": ("ec2.amazonaws.com",)}
    if to is not None:
        keys["iam:associatedresourcearn"] = (to,)
    return About(arn=str(role.arn), keys=keys, action="iam:PassRole")


def sts_resources(iam: Any, _principal: Principal, action: str, parameters: Parameters) -> Iterator[About]:
    """What an STS call is about: the role."""
    arn = parameters.get("RoleArn")
    if not action.startswith("AssumeRole") or not arn:
        return
    role = role_of(iam, arn)
    keys = {**_tags(role, "aws"), **_tags(role, "iam"), **request_tags(parameters)}
    for parameter, key in (("ExternalId", "sts:externalid"), ("RoleSessionName", "sts:rolesessionname")):
        if value := parameters.get(parameter):
            keys[key] = (str(value),)
    yield About(arn=str(arn), keys=keys)


def ssm_resources(ssm: Any, region: str, principal: Principal, action: str, parameters: Parameters) -> Iterator[About]:
    """What a call of Systems Manager is about."""
    partition = principal.arn.split(":")[1]
    for parameter, kind in SSM_PARAMETERS.get(action, ()):
        given = parameters.get(parameter) or []
        for name in given if isinstance(given, list) else [given]:
            name = str(name)
            owner = "" if kind == "parameter" and name.startswith(PUBLIC_PARAMETERS) else principal.account
            service = "ec2" if kind == "instance" else "ssm"
            arn = f"arn:{partition}:{service}:{region}:{owner}:{kind}/{name.lstrip('/')}"
            tags = ssm._resource_tags.get(kind.capitalize(), {}).get(name, {}) if kind != "instance" else {}
            keys = {f"aws:resourcetag/{key.lower()}": (value,) for key, value in tags.items()}
            yield About(arn=arn, keys={**keys, **request_tags(parameters)})


def request_tags(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """The keys aws:RequestTag/KEY and aws:TagKeys of a call that gives tags, or takes tags away."""
    return tag_keys(parameters.get("Tags") or [], also=parameters.get("TagKeys") or [])


def tag_keys(tags: list[Any], *, also: list[str] | tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """The same of a list of tags, each with a Key and perhaps a Value."""
    found = {
        f"aws:requesttag/{tag['Key'].lower()}": (str(tag["Value"]),) for tag in tags if tag.get("Value") is not None
    }
    names = tuple(dict.fromkeys([*(str(tag["Key"]) for tag in tags), *also]))
    return found | ({"aws:tagkeys": names} if names else {})


def _iam_resource(iam: Any, principal: Principal, action: str, parameters: Parameters) -> tuple[str, Any] | None:
    """The ARN of what an IAM call is about, and what moto has there."""
    partition = principal.arn.split(":")[1]
    collections = {
        "instance-profile": iam.instance_profiles,
        "role": iam.roles,
        "group": iam.groups,
        "user": iam.users,
    }
    prefix = f"arn:{partition}:iam::{principal.account}"
    path = parameters.get("Path") or "/"
    for parameter, kind in IAM_PARAMETERS:
        if name := parameters.get(parameter):
            resource = _by_name(collections[kind], name)
            return (str(resource.arn) if resource else f"{prefix}:{kind}{path}{name}"), resource
    for parameter in IAM_ARNS:
        if arn := parameters.get(parameter):
            return str(arn), iam.managed_policies.get(arn)
    if action == "CreatePolicy":
        return f"{prefix}:policy{path}{parameters.get('PolicyName')}", None
    if action == "GetAccessKeyLastUsed":
        user = iam.get_user_from_access_key_id(parameters.get("AccessKeyId"))
        return None if user is None else (str(user.arn), user)
    return (str(principal.identity.arn), principal.identity) if action in OF_CALLER else None


def _by_name(collection: Any, name: Any) -> Any:
    return next((each for each in collection.values() if each.name == name), None)


def _tags(resource: Any, prefix: str) -> dict[str, tuple[str, ...]]:
    tags = {} if resource is None else tags_of(resource)
    return {f"{prefix}:resourcetag/{key.lower()}": (value,) for key, value in tags.items()}
