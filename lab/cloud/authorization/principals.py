"""Who calls, and what its policies are: read from moto's IAM and STS. Whoever calls these holds the account's lock."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lab.cloud.authorization.evaluation import NamedPolicy, Rights
from lab.cloud.authorization.matching import Context
from lab.cloud.authorization.policy import InvalidPolicyError, read_policy

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A user with a key, or a session of a role.

    `arn` is how AWS names the caller; `identity` is moto's user or role. A session has a `token` and an end.
    """

    arn: str
    identity: Any
    user_id: str
    account: str
    secret: str
    token: str | None = None
    expires: datetime | None = None
    issued: datetime | None = None
    session_policy: str | None = None
    source_instance: str | None = None

    @property
    def is_session(self) -> bool:
        """Whether the credentials are temporary."""
        return self.token is not None

    def keys(self) -> Context:
        """The condition keys about the principal (IAM user guide, "AWS global condition context keys")."""
        keys = {
            "aws:principalarn": (str(self.identity.arn),),
            "aws:principalaccount": (self.account,),
            "aws:userid": (self.user_id,),
        }
        keys |= {f"aws:principaltag/{key.lower()}": (value,) for key, value in tags_of(self.identity).items()}
        if self.is_session:
            keys["aws:principaltype"] = ("AssumedRole",)
            keys["aws:multifactorauthpresent"] = ("false",)
            if self.issued is not None:
                keys["aws:tokenissuetime"] = (f"{self.issued:%Y-%m-%dT%H:%M:%SZ}",)
        else:
            keys["aws:principaltype"] = ("User",)
            keys["aws:username"] = (str(self.identity.name),)
        if self.source_instance is not None:
            keys["ec2:sourceinstancearn"] = (self.source_instance,)
        return keys


def find_principal(iam: Any, sts: Any, key_id: str) -> Principal | None:
    """The principal with an access key; None where nobody has it, or not any more (inactive, role or user deleted)."""
    key = iam.access_keys.get(key_id)
    if key is None:
        return None
    if key.role_arn is None:
        user = iam.users.get(key.user_name)
        if user is None or key.status != "Active":
            return None
        account = str(user.account_id)
        return Principal(
            arn=str(user.arn), identity=user, user_id=str(user.id), account=account, secret=key.secret_access_key
        )
    session = sts.get_assumed_role_from_access_key(key_id)
    role = None if session is None else role_of(iam, session.role_arn)
    if role is None:
        return None
    return Principal(
        arn=str(session.arn),
        identity=role,
        user_id=f"{role.id}:{session.session_name}",
        account=str(session.account_id),
        secret=session.secret_access_key,
        token=session.session_token,
        expires=_aware(session.expiration),
        issued=_aware(key.create_date),
        session_policy=session.policy or None,
        # Set by lab/cloud/instance_facts.py on the sessions an instance gets from its metadata.
        source_instance=getattr(session, "source_instance", None),
    )


def role_of(iam: Any, arn: str) -> Any:
    """The role with an ARN, or None."""
    return next((role for role in iam.roles.values() if role.arn == arn), None)


def rights_of(iam: Any, principal: Principal) -> Rights:
    """What a caller may do: its identity's rights, within its session policy."""
    rights = identity_rights(iam, principal.identity)
    if principal.session_policy is None:
        return rights
    try:
        session = (NamedPolicy(name="session", policy=read_policy(principal.session_policy)),)
    except InvalidPolicyError as error:
        return _refused("session policy", principal.arn, error)
    return Rights(identity=rights.identity, boundary=rights.boundary, session=session, invalid=rights.invalid)


def identity_rights(iam: Any, identity: Any) -> Rights:
    """The rights of a user (with its groups), a group or a role: inline and attached policies, and the boundary."""
    name = ""
    try:
        found = []
        for name, document in _documents(iam, identity):
            found.append(NamedPolicy(name=name, policy=read_policy(document)))
        boundary = None
        if arn := boundary_of(identity):
            name = arn
            boundary = (NamedPolicy(name=arn, policy=read_policy(_managed(iam, arn))),)
    except InvalidPolicyError as error:
        return _refused(name, identity.arn, error)
    return Rights(identity=tuple(found), boundary=boundary)


def boundary_of(identity: Any) -> str | None:
    """The ARN of the permissions boundary of a user or role."""
    return getattr(identity, "permissions_boundary_arn", None) or None


def tags_of(resource: Any) -> Mapping[str, str]:
    """The tags of a user, role, instance profile or managed policy of moto's IAM, which keeps them in three ways."""
    tags = getattr(resource, "tags", None) or []
    if isinstance(tags, dict):
        tags = list(tags.values())
    return {tag["Key"]: tag["Value"] for tag in tags}


def _documents(iam: Any, identity: Any) -> Iterator[tuple[str, str]]:
    kind = str(identity.arn).split(":")[5].split("/")[0]
    for name, document in identity.policies.items():
        yield f"{kind}_{identity.name}_{name}", document
    for policy in identity.managed_policies.values():
        yield policy.name, _managed(iam, policy.arn)
    for group in iam.groups.values():
        if identity in getattr(group, "users", ()):
            yield from _documents(iam, group)


def _managed(iam: Any, arn: str) -> str:
    """The document of a managed policy's default version."""
    policy = iam.managed_policies.get(arn)
    if policy is None:
        raise InvalidPolicyError("there is no such policy")
    versions = {version.version_id: version.document for version in policy.versions}
    return str(versions.get(policy.default_version_id, ""))


def _refused(name: str, arn: str, error: InvalidPolicyError) -> Rights:
    reason = f"{name} of {arn} cannot be read, so it may do nothing: {error}"
    log.warning("%s", reason)
    return Rights(invalid=reason)


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
