"""What holds of the stack as a whole: what it is made of, how it is tagged, and how its directors get along."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Any

import pulumi
from pulumi_aws import ec2, iam, vpc
from pulumi_policy import PolicyResource, Severity

from policy.reading import Props, Resource, declares
from policy.rule import Finding, Parameters, ResourceRule, StackRule
from policy.stack_view import Stack

TAGGED: tuple[type[pulumi.Resource], ...] = (
    ec2.Eip,
    ec2.Instance,
    ec2.InternetGateway,
    ec2.RouteTable,
    ec2.SecurityGroup,
    ec2.Subnet,
    ec2.Vpc,
    iam.InstanceProfile,
    iam.Role,
    vpc.SecurityGroupEgressRule,
    vpc.SecurityGroupIngressRule,
)
UNTAGGED: tuple[type[pulumi.Resource], ...] = (
    ec2.EipAssociation,
    ec2.Route,
    ec2.RouteTableAssociation,
    ec2.SubnetCidrReservation,
    iam.RolePolicy,
)
KNOWN = frozenset(pulumi.get_type_token(one) for one in (*TAGGED, *UNTAGGED))
OURS = ("pulumi:pulumi:Stack", "pulumi:providers:aws", "lvs-aws:components:*")


def _known_types(resource: Resource, told: Parameters) -> Iterator[str]:
    if resource.type not in KNOWN and not any(fnmatchcase(resource.type, one) for one in (*OURS, *told["also"])):
        yield f"no rule looks at {resource.type}"


KNOWN_TYPES = ResourceRule(
    id="known-types",
    description="The stack is made of the types the rules know: nothing passes because nobody looks at it.",
    severity=Severity.MEDIUM,
    remediation="Write the rules the new type needs and name it in policy/stack.py, or in the pack's config.",
    parameters={
        "also": {
            "type": "array",
            "items": {"type": "string"},
            "description": "More type tokens, or patterns of them such as random:*.",
            "default": [],
        }
    },
    watches=(),
    check=_known_types,
)


def _tags(resource: Resource, told: Parameters) -> Iterator[str]:
    given = {*(resource.props["tags"] if declares(resource.props, "tags") else ()), *_default_tags(resource.provider)}
    if missing := [one for one in told["required"] if one not in given]:
        yield f"it has no tag {', '.join(missing)}"


def _default_tags(provider: Props) -> Mapping[str, Any]:
    """The tags a provider gives to all it makes: its input is JSON in a text, as inputs of providers are."""
    found = provider["defaultTags"] if declares(provider, "defaultTags") else {}
    found = json.loads(found) if isinstance(found, str) else found
    tags: Mapping[str, Any] = found["tags"] if declares(found, "tags") else {}
    return tags


REQUIRED_TAGS = ResourceRule(
    id="required-tags",
    description="Whatever can have tags says what it is and where it comes from.",
    severity=Severity.LOW,
    remediation="Use naming.tags(...) for the resource, and the provider of components/provider.py.",
    parameters={
        "required": {
            "type": "array",
            "items": {"type": "string"},
            "description": "The keys every tagged resource must have, its own or its provider's.",
            "default": ["Name", "Project", "Stack", "ManagedBy"],
        }
    },
    watches=TAGGED,
    check=_tags,
)


def _one_at_a_time(stack: Stack, _: Parameters) -> Iterator[Finding]:
    for one, other in combinations(stack.directors, 2):
        if not (_after(one, other) or _after(other, one)):
            yield Finding(
                message=f"it and {one.name} do not wait for each other: one update may replace both at once",
                urn=other.urn,
            )


def _after(one: PolicyResource, other: PolicyResource) -> bool:
    """Whether `one` depends on `other`, directly or by others."""
    seen: set[str] = set()
    left = [one]
    while left:
        now = left.pop()
        for needed in [*now.dependencies, *(each for every in now.property_dependencies.values() for each in every)]:
            if needed.urn == other.urn:
                return True
            if needed.urn not in seen:
                seen.add(needed.urn)
                left.append(needed)
    return False


ONE_AT_A_TIME = StackRule(
    id="directors-one-at-a-time",
    description="Directors depend on one another in a row, so that no step of an update replaces two of them.",
    severity=Severity.CRITICAL,
    remediation="Let each director depend on the one before, as components/load_balancer.py does.",
    check=_one_at_a_time,
)


def _agree(stack: Stack, _: Parameters) -> Iterator[Finding]:
    elections = stack.elections
    if len(elections) < 2:
        yield Finding(message="there are not two directors, so nobody takes over")
    for (urn, one), (other_urn, other) in combinations(elections.items(), 2):
        for name, value in one.agreed.items():
            if other.agreed[name] != value:
                yield Finding(message=f"the {name} is {other.agreed[name]}, of another director {value}", urn=other_urn)
        if one.priority == other.priority:
            yield Finding(message=f"two directors have priority {one.priority}: a tie has no owner", urn=other_urn)
        if one.address not in other.peers or other.address not in one.peers:
            yield Finding(message="two directors are not each other's peers: both would own", urn=urn)


AGREE = StackRule(
    id="directors-agree",
    description="Directors agree on router id, version, interval and virtual IP; their priorities differ.",
    severity=Severity.CRITICAL,
    remediation="Render all directors from one LoadBalancer value (userdata/render.py).",
    check=_agree,
)


def _address_as_told(stack: Stack, _: Parameters) -> Iterator[Finding]:
    for director in stack.directors:
        told = stack.elections[director.urn].address
        if declares(director.props, "privateIp") and director.props["privateIp"] != told:
            message = f"its address is {director.props['privateIp']}, its Keepalived sends from {told}"
            yield Finding(message=message, urn=director.urn)


ADDRESS_AS_TOLD = StackRule(
    id="director-address-as-told",
    description="A director has the address its Keepalived sends from.",
    severity=Severity.HIGH,
    remediation="Give the instance and its user data one Director value.",
    check=_address_as_told,
)

RULES = (KNOWN_TYPES, REQUIRED_TAGS, ONE_AT_A_TIME, AGREE, ADDRESS_AS_TOLD)
