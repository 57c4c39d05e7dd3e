"""What a call asks for: each resource it is about with the condition keys it has, for the policies to be asked about.

A call may go on when each of its requests is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from lab.cloud.authorization.ec2_actions import ACTIONS, NO_ATTRIBUTES, PASSING, Names
from lab.cloud.authorization.ec2_lookups import Parameters, at
from lab.cloud.authorization.ec2_resources import Scope, as_texts, kind_of, resource_keys, values_of
from lab.cloud.authorization.iam_actions import About, passed_role, tag_keys
from lab.cloud.authorization.matching import Context
from lab.cloud.authorization.policy import Request

EVERYTHING = "*"
TAGGING = ("CreateTags", "DeleteTags")


def global_keys(*, region: str, source_ip: str, secure: bool, agent: str, now: datetime) -> dict[str, tuple[str, ...]]:
    """The keys every call has, besides the principal's (IAM user guide, "AWS global condition context keys")."""
    keys: dict[str, tuple[str, ...]] = {
        "aws:currenttime": (f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",),
        "aws:epochtime": (str(int(now.timestamp())),),
        "aws:principalisawsservice": ("false",),
        "aws:requestedregion": (region,),
        "aws:securetransport": ("true" if secure else "false",),
        "aws:sourceip": (source_ip,),
        "aws:viaawsservice": ("false",),
    }
    return keys | ({"aws:useragent": (agent,)} if agent else {})


def requests_about(call: str, resources: Iterable[About], context: Context) -> tuple[Request, ...]:
    """The requests of a call of IAM, STS or Systems Manager, such as iam:GetRole; on * if it is about nothing."""
    found = tuple(
        Request(action=each.action or call, resource=each.arn, context={**context, **each.keys}) for each in resources
    )
    return found or (Request(action=call, resource=EVERYTHING, context=context),)


def ec2_requests(
    scope: Scope, iam: Any, action: str, parameters: Parameters, context: Mapping[str, tuple[str, ...]]
) -> tuple[Request, ...]:
    """The requests of an EC2 call."""
    context = {**context, "ec2:region": (scope.region,)}
    resources = _tagged(scope, action, parameters) if action in TAGGING else _named(scope, action, parameters)
    found = requests_about(f"ec2:{action}", resources, context)
    return found + tuple(
        Request(action=each.action or "", resource=each.arn, context={**context, **each.keys})
        for each in [*_tags_of_new(scope, action, parameters), *_passed(scope, iam, action, parameters)]
    )


def _named(scope: Scope, action: str, parameters: Parameters) -> Iterator[About]:
    for names in ACTIONS.get(action, ()):
        keys = _attributes(parameters) if names.attributes else {}
        if names.find is None:
            if _is_made(names, parameters):
                yield About(arn=scope.arn(names.kind, "*"), keys=_new_keys(scope, names, parameters))
            continue
        ids = list(dict.fromkeys(names.find(scope, parameters)))
        for id_ in ids:
            yield About(arn=scope.arn(names.kind, id_), keys={**resource_keys(scope, names.kind, id_), **keys})
        if names.required and not ids:
            yield About(arn=scope.arn(names.kind, "*"), keys=keys)


def _is_made(names: Names, parameters: Parameters) -> bool:
    if names.unless and at(parameters, names.unless):
        return False
    return not names.tagged_only or bool(_specified_tags(names.kind, parameters))


def _new_keys(scope: Scope, names: Names, parameters: Parameters) -> Context:
    return {**values_of(names.new, scope, parameters), **tag_keys(_specified_tags(names.kind, parameters))}


def _specified_tags(kind: str, parameters: Parameters) -> list[Any]:
    specifications = at(parameters, "TagSpecifications")
    return [tag for each in specifications if each.get("ResourceType") == kind for tag in each.get("Tags", [])]


def _tags_of_new(scope: Scope, action: str, parameters: Parameters) -> Iterator[About]:
    """Giving tags to what a call makes takes the right to ec2:CreateTags (EC2 user guide, "... during creation")."""
    made = {names.kind: names for names in ACTIONS.get(action, ()) if names.find is None}
    for kind in dict.fromkeys(each.get("ResourceType") for each in at(parameters, "TagSpecifications")):
        if kind and (tags := _specified_tags(kind, parameters)):
            keys = {**tag_keys(tags), "ec2:createaction": (action,)}
            if kind in made:
                keys = {**_new_keys(scope, made[kind], parameters), **keys}
            yield About(arn=scope.arn(kind, "*"), keys=keys, action="ec2:CreateTags")


def _tagged(scope: Scope, _action: str, parameters: Parameters) -> Iterator[About]:
    tags = tag_keys(at(parameters, "Tags"))
    for id_ in map(str, at(parameters, "Resources")):
        kind = kind_of(id_)
        if kind is None:
            yield About(arn=EVERYTHING, keys=tags)
        else:
            yield About(arn=scope.arn(kind, id_), keys={**resource_keys(scope, kind, id_), **tags})


def _passed(scope: Scope, iam: Any, action: str, parameters: Parameters) -> Iterator[About]:
    """The role of the instance profile that a call hands to an instance."""
    if action not in PASSING:
        return
    names, arns = at(parameters, "IamInstanceProfile.Name"), at(parameters, "IamInstanceProfile.Arn")
    instance = scope.arn("instance", (at(parameters, "InstanceId") or ["*"])[0])
    for profile in iam.instance_profiles.values():
        if profile.name in names or profile.arn in arns:
            for role in profile.roles:
                yield passed_role(role, to=instance)


def _attributes(parameters: Parameters) -> dict[str, tuple[str, ...]]:
    """ec2:Attribute and ec2:Attribute/NAME of a call that sets attributes."""
    given = {name: value for name, value in parameters.items() if name not in NO_ATTRIBUTES}
    if name := parameters.get("Attribute"):
        given[name[0].upper() + name[1:]] = parameters.get("Value")
    keys = {"ec2:attribute": tuple(given)} if given else {}
    for name, value in given.items():
        plain = value.get("Value") if isinstance(value, Mapping) else value
        if isinstance(plain, str | int) or (isinstance(plain, list) and all(isinstance(each, str) for each in plain)):
            keys[f"ec2:attribute/{name.lower()}"] = as_texts(plain)
    return keys
