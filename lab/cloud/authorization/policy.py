"""Policy documents, read into statements. Pure.

Source: IAM user guide, "IAM JSON policy elements reference" and "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from lab.cloud.authorization.conditions import Condition, InvalidConditionError, conditions
from lab.cloud.authorization.matching import Context, Pattern, is_like, is_resource, pattern

# Variables came with the later one.
OLD_VERSION, VERSION = "2008-10-17", "2012-10-17"
TOP = frozenset({"Version", "Id", "Statement"})
ELEMENTS = frozenset(
    {
        "Sid",
        "Effect",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Principal",
        "NotPrincipal",
        "Condition",
    }
)


class InvalidPolicyError(ValueError):
    """A document that is no policy; the text says why."""


class Kind(Enum):
    """What a document is for: an identity (or its boundary, or a session), or a role's trust."""

    IDENTITY = "identity"
    TRUST = "trust"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One action on one resource, with what is known of it. `resource` is an ARN, or * for actions that name none."""

    action: str
    resource: str
    context: Context


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement. `principals` are those of a trust policy, by kind: AWS, Service, Federated."""

    allows: bool
    sid: str
    actions: tuple[Pattern, ...]
    all_actions_but: bool
    resources: tuple[Pattern, ...]
    all_resources_but: bool
    conditions: tuple[Condition, ...]
    principals: dict[str, tuple[str, ...]]

    def applies_to(self, request: Request) -> bool:
        """Whether it says anything about a request."""
        # The cheapest first.
        return self.names_action(request.action) and self._has_resource(request) and self._has_conditions(request)

    def names_action(self, action: str) -> bool:
        """Whether it is about an action such as ec2:RunInstances: without case, and without variables."""
        wanted = action.lower()
        named = any(is_like(each.filled({}) or "", wanted) for each in self.actions)
        return named != self.all_actions_but

    @property
    def keys(self) -> frozenset[str]:
        """The condition keys it looks at, in conditions and variables."""
        return frozenset().union(
            *(each.keys for each in self.conditions), *(resource.keys for resource in self.resources)
        )

    def _has_resource(self, request: Request) -> bool:
        texts = (each.filled(request.context) for each in self.resources)
        named = any(text is not None and is_resource(text, request.resource) for text in texts)
        return named != self.all_resources_but

    def _has_conditions(self, request: Request) -> bool:
        return all(each.holds(request.context) for each in self.conditions)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy's statements, in their order."""

    statements: tuple[Statement, ...]


@lru_cache(maxsize=1024)
def read_policy(document: str, kind: Kind = Kind.IDENTITY) -> Policy:
    """The policy of a document. Raises InvalidPolicyError for anything IAM does not take, an unknown operator too."""
    try:
        root = json.loads(document)
    except ValueError as error:
        raise InvalidPolicyError(f"it is not JSON: {error}") from error
    if not isinstance(root, dict) or not root.keys() <= TOP:
        raise InvalidPolicyError(f"it is not an object of {', '.join(sorted(TOP))}")
    version = root.get("Version", OLD_VERSION)
    if version not in (OLD_VERSION, VERSION):
        raise InvalidPolicyError(f"{version!r} is no version")
    given = root.get("Statement")
    statements = given if isinstance(given, list) else [given]
    # A role that trusts nobody yet is let pass (assumed).
    if not statements and kind is Kind.IDENTITY:
        raise InvalidPolicyError("it has no statement")
    return Policy(statements=tuple(_statement(each, kind, variables=version == VERSION) for each in statements))


def _statement(given: Any, kind: Kind, *, variables: bool) -> Statement:
    if not isinstance(given, dict):
        raise InvalidPolicyError("a statement is not an object")
    if unknown := sorted(given.keys() - ELEMENTS):
        raise InvalidPolicyError(f"a statement has {', '.join(unknown)}")
    if given.get("Effect") not in ("Allow", "Deny"):
        raise InvalidPolicyError("a statement's Effect is neither Allow nor Deny")
    actions, all_actions_but = _one_of(given, "Action")
    if kind is Kind.TRUST:
        if "Resource" in given or "NotResource" in given or "Principal" not in given:
            raise InvalidPolicyError("a statement of a trust policy has a Principal and no Resource")
        resources, all_resources_but = ["*"], False
    else:
        if "Principal" in given or "NotPrincipal" in given:
            raise InvalidPolicyError("a statement of an identity's policy has no Principal")
        resources, all_resources_but = _one_of(given, "Resource")
    try:
        found = conditions(given.get("Condition", {}), variables=variables)
    except InvalidConditionError as error:
        raise InvalidPolicyError(str(error)) from error
    return Statement(
        allows=given["Effect"] == "Allow",
        sid=str(given.get("Sid", "")),
        actions=tuple(pattern(each.lower(), variables=False) for each in actions),
        all_actions_but=all_actions_but,
        resources=tuple(pattern(each, variables=variables) for each in resources),
        all_resources_but=all_resources_but,
        conditions=found,
        principals=_principals(given.get("Principal", {})),
    )


def _one_of(statement: dict[str, Any], name: str) -> tuple[list[str], bool]:
    """The texts of an element or of its opposite, and whether it is the opposite."""
    but = f"Not{name}"
    if (name in statement) == (but in statement):
        raise InvalidPolicyError(f"a statement has exactly one of {name} and {but}")
    return _texts(statement[but if but in statement else name], name), but in statement


def _texts(given: Any, name: str) -> list[str]:
    texts = given if isinstance(given, list) else [given]
    if not texts or not all(isinstance(text, str) for text in texts):
        raise InvalidPolicyError(f"{name} is neither a text nor a list of texts")
    return texts


def _principals(given: Any) -> dict[str, tuple[str, ...]]:
    if given == "*":
        return {"AWS": ("*",)}
    if not isinstance(given, dict):
        raise InvalidPolicyError("Principal is neither * nor an object")
    return {kind: tuple(_texts(names, "Principal")) for kind, names in given.items()}
