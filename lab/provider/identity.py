"""IAM: roles, their inline policies, instance profiles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from lab.protocol.contract import Properties
from lab.provider.account import Account, absent, given, tag_list, tags_of
from lab.provider.normal import as_policy
from lab.provider.registry import ResourceType, Work
from lab.provider.schema import identity as schema

GONE = "NoSuchEntity"


def _create_role(work: Work) -> str:
    inputs = work.inputs
    made = work.account.iam.create_role(
        RoleName=inputs["name"],
        AssumeRolePolicyDocument=inputs["assumeRolePolicy"],
        Path=inputs["path"],
        MaxSessionDuration=inputs["maxSessionDuration"],
        Tags=tag_list(work.tags),
        **given(Description=inputs.get("description"), PermissionsBoundary=inputs.get("permissionsBoundary")),
    )
    return made["Role"]["RoleName"]


def _update_role(work: Work, id_: str, changed: frozenset[str]) -> None:
    if "assumeRolePolicy" in changed:
        document = work.inputs["assumeRolePolicy"]
        work.account.iam.update_assume_role_policy(RoleName=id_, PolicyDocument=document)
    if changed & {"description", "maxSessionDuration"}:
        work.account.iam.update_role(
            RoleName=id_,
            Description=work.inputs.get("description", ""),
            MaxSessionDuration=work.inputs["maxSessionDuration"],
        )
    if "permissionsBoundary" in changed:
        if boundary := work.inputs.get("permissionsBoundary"):
            work.account.iam.put_role_permissions_boundary(RoleName=id_, PermissionsBoundary=boundary)
        else:
            work.account.iam.delete_role_permissions_boundary(RoleName=id_)


def _read_role(account: Account, id_: str, inputs: Properties) -> Properties | None:
    with absent(GONE):
        role: Any = account.iam.get_role(RoleName=id_)["Role"]
        attached = account.iam.list_attached_role_policies(RoleName=id_)["AttachedPolicies"]
        inline = [
            {"name": name, "policy": _document(account.iam.get_role_policy(RoleName=id_, PolicyName=name))}
            for name in account.iam.list_role_policies(RoleName=id_)["PolicyNames"]
        ]
        return {
            "arn": role["Arn"],
            "assumeRolePolicy": _as_written(
                inputs.get("assumeRolePolicy"), _document({"PolicyDocument": role["AssumeRolePolicyDocument"]})
            ),
            "createDate": role["CreateDate"].isoformat(),
            "description": role.get("Description", ""),
            "forceDetachPolicies": False,
            "inlinePolicies": inline,
            "managedPolicyArns": [policy["PolicyArn"] for policy in attached],
            "maxSessionDuration": role.get("MaxSessionDuration", 3600),
            "name": id_,
            "namePrefix": "",
            "path": role["Path"],
            "permissionsBoundary": (role.get("PermissionsBoundary") or {}).get("PermissionsBoundaryArn", ""),
            "tagsAll": tags_of({"Tags": account.iam.list_role_tags(RoleName=id_)["Tags"]}),
            "uniqueId": role["RoleId"],
        }
    return None


def _delete_role(work: Work, id_: str) -> None:
    work.release(id_, partial(work.account.iam.delete_role, RoleName=id_), GONE)


def _retag_role(account: Account, id_: str, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    if gone := sorted(old.keys() - new.keys()):
        account.iam.untag_role(RoleName=id_, TagKeys=gone)
    if new:
        account.iam.tag_role(RoleName=id_, Tags=tag_list(new))


def _put_policy(work: Work) -> str:
    role, name = work.inputs["role"], work.inputs["name"]
    work.account.iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=work.inputs["policy"])
    return f"{role}:{name}"


def _update_policy(work: Work, _id: str, _changed: frozenset[str]) -> None:
    _put_policy(work)


def _read_policy(account: Account, id_: str, inputs: Properties) -> Properties | None:
    role, _, name = id_.partition(":")
    with absent(GONE):
        found = account.iam.get_role_policy(RoleName=role, PolicyName=name)
        policy = _as_written(inputs.get("policy"), _document(found))
        return {"name": name, "namePrefix": "", "policy": policy, "role": role}
    return None


def _delete_policy(work: Work, id_: str) -> None:
    role, _, name = id_.partition(":")
    with absent(GONE):
        work.account.iam.delete_role_policy(RoleName=role, PolicyName=name)


def _create_profile(work: Work) -> str:
    made = work.account.iam.create_instance_profile(
        InstanceProfileName=work.inputs["name"], Path=work.inputs["path"], Tags=tag_list(work.tags)
    )
    return made["InstanceProfile"]["InstanceProfileName"]


def _ready_profile(work: Work, id_: str) -> None:
    """Give the profile the role that is wanted; it can hold one."""
    iam, wanted = work.account.iam, work.inputs.get("role")
    held = [role["RoleName"] for role in iam.get_instance_profile(InstanceProfileName=id_)["InstanceProfile"]["Roles"]]
    for role in held:
        if role != wanted:
            iam.remove_role_from_instance_profile(InstanceProfileName=id_, RoleName=role)
    if wanted and wanted not in held:
        iam.add_role_to_instance_profile(InstanceProfileName=id_, RoleName=wanted)


def _read_profile(account: Account, id_: str, _inputs: Properties) -> Properties | None:
    with absent(GONE):
        profile: Any = account.iam.get_instance_profile(InstanceProfileName=id_)["InstanceProfile"]
        return {
            "arn": profile["Arn"],
            "createDate": profile["CreateDate"].isoformat(),
            "name": id_,
            "namePrefix": "",
            "path": profile["Path"],
            "role": profile["Roles"][0]["RoleName"] if profile["Roles"] else "",
            "tagsAll": tags_of(profile),
            "uniqueId": profile["InstanceProfileId"],
        }
    return None


def _delete_profile(work: Work, id_: str) -> None:
    iam = work.account.iam
    with absent(GONE):
        for role in iam.get_instance_profile(InstanceProfileName=id_)["InstanceProfile"]["Roles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=id_, RoleName=role["RoleName"])
        iam.delete_instance_profile(InstanceProfileName=id_)


def _retag_profile(account: Account, id_: str, old: Mapping[str, str], new: Mapping[str, str]) -> None:
    if gone := sorted(old.keys() - new.keys()):
        account.iam.untag_instance_profile(InstanceProfileName=id_, TagKeys=gone)
    if changed := {key: value for key, value in new.items() if old.get(key) != value}:
        account.iam.tag_instance_profile(InstanceProfileName=id_, Tags=tag_list(changed))


def _as_written(written: Any, found: str) -> str:
    """The API hands a policy back in its own spelling; the real provider keeps the program's (PolicyToSet)."""
    return str(written) if written is not None and as_policy(written) == as_policy(found) else found


def _document(found: Any) -> str:
    """A policy document as text; boto3 parses it, other ways leave it URL-encoded (RFC 3986, IAM's API reference)."""
    document = found["PolicyDocument" if "PolicyDocument" in found else "AssumeRolePolicyDocument"]
    return unquote(document) if isinstance(document, str) else json.dumps(document)


TYPES = (
    ResourceType(
        token="aws:iam/role:Role",  # noqa: S106 - a type's name
        schema=schema.ROLE,
        create=_create_role,
        read=_read_role,
        update=_update_role,
        updates=frozenset({"assumeRolePolicy", "description", "maxSessionDuration", "permissionsBoundary"}),
        delete=_delete_role,
        retag=_retag_role,
    ),
    ResourceType(
        token="aws:iam/rolePolicy:RolePolicy",  # noqa: S106
        schema=schema.ROLE_POLICY,
        create=_put_policy,
        read=_read_policy,
        update=_update_policy,
        updates=frozenset({"policy"}),
        delete=_delete_policy,
    ),
    ResourceType(
        token="aws:iam/instanceProfile:InstanceProfile",  # noqa: S106
        schema=schema.INSTANCE_PROFILE,
        create=_create_profile,
        ready=_ready_profile,
        read=_read_profile,
        updates=frozenset({"role"}),
        delete=_delete_profile,
        retag=_retag_profile,
    ),
)
