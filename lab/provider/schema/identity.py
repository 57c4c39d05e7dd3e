"""IAM: roles, their inline policies, instance profiles."""

from __future__ import annotations

import re

from lab.protocol.contract import Failure, Properties
from lab.provider.normal import as_policy
from lab.provider.registry import Property, Schema, Timeouts
from lab.provider.rules import Wrong, at_most, between, json_text
from lab.provider.schema.common import TAGS, named

POLICY_LENGTH = 10240
# UniqueIDSuffixLength of the plugin SDK: what is added to a prefix.
SUFFIX = 26


def _name(limit: int) -> Wrong:
    def wrong(value: str) -> str:
        # validResourceName, internal/service/iam/validate.go.
        if not re.fullmatch(r"[\w+=,.@-]+", value, re.ASCII):
            return f"{value!r}: letters, digits and +=,.@_- are allowed"
        return at_most(limit)(value)

    return wrong


def _policy(value: str) -> str:
    return json_text(value) or at_most(POLICY_LENGTH)(value)


def _description(value: str) -> str:
    return at_most(1000)(value) or ("must not have typographic quotes" if re.search("[\u201c\u2018]", value) else "")


def _policy_is_object(inputs: Properties) -> tuple[Failure, ...]:
    # ValidIAMPolicyJSON: a policy begins with a brace.
    text = inputs["policy"].lstrip()
    wrong = text.startswith(("[", '"')) or text in ("null", "true", "false")
    return (Failure(property="policy", reason="must be a JSON object"),) if wrong else ()


ROLE = Schema(
    file="internal/service/iam/role.go",
    inputs={
        **TAGS,
        **named(_name(64), _name(64 - SUFFIX)),
        "assumeRolePolicy": Property(
            source="assume_role_policy: Required; SuppressEquivalentPolicyDiffs",
            required=True,
            document=True,
            normal=as_policy,
            wrong=json_text,
        ),
        "description": Property(source="description", wrong=_description),
        "maxSessionDuration": Property(
            source="max_session_duration: Default 3600", kind=int, default=3600, wrong=between(3600, 43200)
        ),
        "path": Property(source="path: Default /, ForceNew", default="/", replace=True, wrong=at_most(512)),
        "permissionsBoundary": Property(source="permissions_boundary"),
    },
    unmodelled=frozenset({"forceDetachPolicies", "inlinePolicies", "managedPolicyArns"}),
    # propagationTimeout, internal/service/iam/wait.go.
    timeouts=Timeouts(create=120.0, update=120.0, delete=120.0),
)

ROLE_POLICY = Schema(
    file="internal/service/iam/role_policy.go",
    inputs={
        **named(_name(128), _name(128 - SUFFIX)),
        "policy": Property(
            source="policy: Required; SuppressEquivalentPolicyDiffs",
            required=True,
            document=True,
            normal=as_policy,
            wrong=_policy,
        ),
        "role": Property(source="role: Required, ForceNew", required=True, replace=True, wrong=_name(64)),
    },
    rules=(_policy_is_object,),
    timeouts=Timeouts(create=120.0, update=120.0, delete=120.0),
)

INSTANCE_PROFILE = Schema(
    file="internal/service/iam/instance_profile.go",
    inputs={
        **TAGS,
        **named(_name(128), _name(128 - SUFFIX)),
        "path": Property(source="path: Default /, ForceNew", default="/", replace=True),
        "role": Property(source="role"),
    },
    timeouts=Timeouts(create=120.0, update=120.0, delete=120.0),
)
