"""What machines may ask of AWS: directors two calls on what is theirs, web servers nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_aws import ec2, iam
from pulumi_policy import PolicyResource, Severity

from policy.reading import Resource, UnreadableError, declares
from policy.rule import Finding, Parameters, ResourceRule, StackRule
from policy.stack_view import Stack

ACTIONS = frozenset({"ec2:AssignPrivateIpAddresses", "ec2:AssociateAddress"})


def _statements(text: str) -> list[Mapping[str, Any]]:
    """The statements of a policy document, one or a list (IAM reference, "Grammar of the JSON policy language")."""
    try:
        found = json.loads(text)["Statement"]
    except (ValueError, KeyError, TypeError):
        raise UnreadableError("it is no policy document with statements") from None
    return [found] if isinstance(found, dict) else list(found)


def _listed(statement: Mapping[str, Any], key: str) -> list[str]:
    value = statement.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def _role_actions(resource: Resource, _: Parameters) -> Iterator[str]:
    allowed: set[str] = set()
    for statement in _statements(str(resource.props["policy"])):
        if statement.get("Effect") != "Allow":
            continue  # a denial takes rights away
        if turned := statement.keys() & {"NotAction", "NotResource"}:
            yield f"it allows everything but something ({', '.join(sorted(turned))})"
        allowed |= set(_listed(statement, "Action"))
        for arn in _listed(statement, "Resource"):
            if "*" in arn or "?" in arn:
                yield f"the resource {arn} is a pattern; name the interface and the Elastic IP"
    if more := sorted(allowed - ACTIONS):
        yield f"it allows {', '.join(more)} beside the two calls of a claim"
    if missing := sorted(ACTIONS - allowed):
        yield f"it does not allow {', '.join(missing)}: the director could not claim"


ROLE_ACTIONS = ResourceRule(
    id="role-actions",
    description="A director's role allows exactly the two calls of a claim, on named resources.",
    severity=Severity.CRITICAL,
    remediation="Leave components/identity.py's claim_policy as it is; the agent needs no more.",
    # The document holds ids of what is not made yet.
    unknown="later",
    watches=(iam.RolePolicy,),
    check=_role_actions,
)


def _role_trust(resource: Resource, _: Parameters) -> Iterator[str]:
    for statement in _statements(str(resource.props["assumeRolePolicy"])):
        principal = statement.get("Principal")
        if statement.get("Effect") == "Allow" and principal != {"Service": "ec2.amazonaws.com"}:
            yield f"{json.dumps(principal)} may take the role; only ec2.amazonaws.com may"


ROLE_TRUST = ResourceRule(
    id="role-trust",
    description="Only EC2 may take a director's role.",
    severity=Severity.CRITICAL,
    remediation='Trust {"Service": "ec2.amazonaws.com"} and nobody else; people and pipelines have roles of their own.',
    watches=(iam.Role,),
    check=_role_trust,
)


def _role_one_policy(resource: Resource, _: Parameters) -> Iterator[str]:
    for key in ("inlinePolicies", "managedPolicyArns"):
        if declares(resource.props, key):
            yield f"{key} gives the role rights that no rule looks at"


ROLE_ONE_POLICY = ResourceRule(
    id="role-one-policy",
    description="A role's rights come from its one inline policy, where the rules see them.",
    severity=Severity.HIGH,
    remediation="Give rights by aws.iam.RolePolicy only.",
    watches=(iam.Role,),
    check=_role_one_policy,
)


def _web_server_without_role(resource: Resource, _: Parameters) -> Iterator[str]:
    if resource.role == "web-server" and declares(resource.props, "iamInstanceProfile"):
        yield "a web server asks nothing of AWS and has an instance profile"


WEB_SERVER_WITHOUT_ROLE = ResourceRule(
    id="web-server-without-role",
    description="Web servers have no instance profile.",
    severity=Severity.HIGH,
    remediation="Leave iam_instance_profile out: whatever a web server serves, an intruder there gets no credentials.",
    watches=(ec2.Instance,),
    check=_web_server_without_role,
)


def _role_own_resources(stack: Stack, _: Parameters) -> Iterator[Finding]:
    service = stack.service_address
    owners = {role.urn: director for director in stack.directors for role in _roles(stack, director)}
    policies = stack.of(iam.RolePolicy)
    for policy in policies:
        roles = stack.behind(policy, "role", iam.Role)
        owner = owners.get(roles[0].urn) if len(roles) == 1 else None
        if owner is None:
            yield Finding(message="its role is no director's", urn=policy.urn)
            continue
        behind = {one.urn for one in policy.property_dependencies.get("policy", [])}
        if behind != {owner.urn, service.urn}:
            foreign = sorted(urn.rpartition("::")[2] for urn in behind - {owner.urn, service.urn})
            yield Finding(
                message=f"it is not made of its own director and the service's Elastic IP alone (beside: {foreign})",
                urn=policy.urn,
            )
    # From here on ids are read, which a preview may not know.
    for policy in policies:
        for role in stack.behind(policy, "role", iam.Role):
            if role.urn in owners:
                yield from _foreign(policy, owners[role.urn], service)


def _roles(stack: Stack, director: PolicyResource) -> list[PolicyResource]:
    profiles = stack.behind(director, "iamInstanceProfile", iam.InstanceProfile)
    return [role for profile in profiles for role in stack.behind(profile, "role", iam.Role)]


def _foreign(policy: PolicyResource, director: PolicyResource, service: PolicyResource) -> Iterator[Finding]:
    statements = _statements(str(policy.props["policy"]))
    scope = str(director.props["arn"]).rpartition(":")[0]
    own = {
        f"{scope}:network-interface/{director.props['primaryNetworkInterfaceId']}",
        f"{scope}:elastic-ip/{service.props['allocationId']}",
    }
    for arn in sorted({arn for statement in statements for arn in _listed(statement, "Resource")} - own):
        # A pattern is role-actions' finding.
        if "*" not in arn and "?" not in arn:
            yield Finding(message=f"{arn} is neither the director's own interface nor the service's", urn=policy.urn)


ROLE_OWN_RESOURCES = StackRule(
    id="role-own-resources",
    description="A director's role reaches its own interface and the service's Elastic IP: it can only pull to itself.",
    severity=Severity.CRITICAL,
    remediation="Build each role's policy from its own instance and the one Elastic IP of the service.",
    unknown="later",
    check=_role_own_resources,
)

RULES = (ROLE_ACTIONS, ROLE_TRUST, ROLE_ONE_POLICY, ROLE_OWN_RESOURCES, WEB_SERVER_WITHOUT_ROLE)
