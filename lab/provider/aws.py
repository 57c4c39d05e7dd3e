"""The provider itself: what is the same for all types. It knows no single type."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import boto3

from lab.engine.contract import (
    UNKNOWN,
    Checked,
    Diff,
    Failure,
    InitializationError,
    Properties,
    ProviderError,
    Resource,
)
from lab.provider import addresses, identity, images, instances, lookups, network, routes, security_groups
from lab.provider.account import Account, explained
from lab.provider.registry import Function, Property, ResourceType, Work

TYPES: dict[str, ResourceType] = {
    kind.token: kind
    for module in (network, routes, security_groups, identity, addresses, instances)
    for kind in module.TYPES
}
FUNCTIONS: dict[str, Function] = {
    function.token: function for module in (images, lookups) for function in module.FUNCTIONS
}
# Of the provider's own configuration: what it heeds, and what makes no difference in the lab.
HEEDED = frozenset({"region", "defaultTags", "allowedAccountIds", "forbiddenAccountIds"})
IGNORED = frozenset(
    {
        "version",
        "profile",
        "maxRetries",
        "skipCredentialsValidation",
        "skipMetadataApiCheck",
        "skipRegionValidation",
        "skipRequestingAccountId",
    }
)


class AwsProvider:
    """The package `aws` on the API behind `endpoint_url`; it never calls anything else.

    `session` gives the boto3 session (credentials); without it those of the lab's administrator are used. `report` is
    told what is being waited for.
    """

    package = "aws"

    def __init__(
        self,
        *,
        endpoint_url: str,
        session: Callable[[], boto3.Session] | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._endpoint_url = endpoint_url
        self._session = session or _administrator
        self._report = report

    def check_config(self, inputs: Properties) -> Checked:
        """Refuse what is unknown or missing; nested values arrive as JSON text, as with the real provider."""
        failures = [
            Failure(
                property=key, reason=f"the lab's aws provider does not know it; it heeds {', '.join(sorted(HEEDED))}"
            )
            for key in sorted(inputs.keys() - HEEDED - IGNORED)
        ]
        if not inputs.get("region"):
            failures.append(Failure(property="region", reason="missing: set aws:region, or region of the provider"))
        return Checked(inputs=inputs, failures=tuple(failures))

    def configure(self, inputs: Mapping[str, Any]) -> ConfiguredAws:
        """The provider in a region, with its default tags. Raises ProviderError for an account that is not allowed."""
        tags = (_parsed(inputs.get("defaultTags")) or {}).get("tags") or {}
        account = Account(
            session=self._session(),
            endpoint_url=self._endpoint_url,
            region=str(inputs["region"]),
            default_tags=tags,
            report=self._report,
        )
        allowed = _parsed(inputs.get("allowedAccountIds"))
        forbidden = _parsed(inputs.get("forbiddenAccountIds")) or []
        if allowed or forbidden:
            with explained("aws provider"):
                number = account.id
            if number in forbidden or (allowed and number not in allowed):
                raise ProviderError(f"AWS account ID not allowed: {number}")
        return ConfiguredAws(account)


class ConfiguredAws:
    """The provider in one region of the account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def check(self, resource: Resource, new_inputs: Properties, *, seed: bytes) -> Checked:
        """Fill in defaults and an automatic name; refuse unknown and missing properties."""
        kind = _kind(resource.type)
        known = _properties(kind)
        inputs = {key: value for key, value in new_inputs.items() if value is not None}
        failures = [
            Failure(
                property=key,
                reason=f"the lab's aws provider does not know it; of {kind.token} it knows {', '.join(sorted(known))}",
            )
            for key in sorted(inputs.keys() - known.keys())
        ]
        for key, declared in known.items():
            if declared.required and key not in inputs:
                failures.append(Failure(property=key, reason="missing required property"))
            if declared.default is not None:
                inputs.setdefault(key, declared.default)
        if kind.regional and inputs.setdefault("region", self._account.region) != self._account.region:
            reason = f"the lab has one region, the provider's ({self._account.region}); leave it away"
            failures.append(Failure(property="region", reason=reason))
        if kind.named and "name" not in inputs:
            inputs["name"] = _automatic_name(resource, inputs.pop("namePrefix", None), seed)
        if kind.validate is not None and not failures:
            failures.extend(kind.validate(inputs))
        return Checked(inputs=inputs, failures=tuple(failures))

    def diff(self, resource: Resource, new_inputs: Properties) -> Diff:
        """Compare deployed and new inputs; tags with those found, so that changed default tags count."""
        kind = _kind(resource.type)
        changed, replaced = [], []
        for key, declared in _properties(kind).items():
            old, new = resource.inputs.get(key), new_inputs.get(key)
            if (new is None and declared.computed) or _same(declared, old, new):
                continue
            changed.append(key)
            if declared.replace(new_inputs) if callable(declared.replace) else declared.replace:
                replaced.append(key)
        deployed_tags = resource.outputs.get("tagsAll") if kind.retag is not None else None
        if deployed_tags is not None and "tags" not in changed and self._tags(new_inputs) != deployed_tags:
            changed.append("tagsAll")
        return Diff(changed=tuple(changed), replace=tuple(replaced))

    def create(self, resource: Resource, *, preview: bool, timeout_seconds: float | None) -> Resource:
        """Make it, wait until it is ready, and read back its outputs."""
        kind = _kind(resource.type)
        if preview:
            return _as(resource, id="", outputs=self._planned(kind, resource.inputs))
        work = self._work(resource, resource.inputs, timeout_seconds)
        with explained(f"creating {resource.name}"):
            id_ = kind.create(work)
        try:
            with explained(f"creating {resource.name}"):
                if kind.ready is not None:
                    kind.ready(work, id_)
                outputs = self._observe(kind, id_, resource.inputs)
        except ProviderError as error:
            outputs = self._planned(kind, resource.inputs)
            raise InitializationError(str(error), id=id_, outputs=outputs) from error
        if outputs is None:
            raise ProviderError(f"{kind.token} {id_} was gone as soon as it was made")
        return _as(resource, id=id_, outputs=outputs)

    def update(
        self, resource: Resource, new_inputs: Properties, *, preview: bool, timeout_seconds: float | None
    ) -> Properties:
        """Change what can be changed in place; ProviderError names what the lab cannot change."""
        kind = _kind(resource.type)
        changed = frozenset(self.diff(resource, new_inputs).changed) - {"tags", "tagsAll"}
        if refused := sorted(changed - kind.updates):
            raise ProviderError(
                f"the lab does not change {', '.join(refused)} of a deployed {kind.token} ({resource.name}); "
                "AWS would: `lab down` and `lab up` to have it here"
            )
        if preview:
            return {**resource.outputs, **self._planned(kind, new_inputs)}
        work = self._work(resource, new_inputs, timeout_seconds)
        with explained(f"updating {resource.name}"):
            if kind.retag is not None:
                kind.retag(self._account, resource.id, resource.outputs.get("tagsAll") or {}, work.tags)
            if changed and kind.update is not None:
                kind.update(work, resource.id, changed)
            if kind.ready is not None:
                kind.ready(work, resource.id)
            outputs = self._observe(kind, resource.id, new_inputs)
        if outputs is None:
            raise ProviderError(f"{kind.token} {resource.id} ({resource.name}) is gone: `lab down` and `lab up`")
        return outputs

    def read(self, resource: Resource) -> Resource | None:
        """What there is now. An input follows its output only where that has changed since it was deployed."""
        kind = _kind(resource.type)
        with explained(f"reading {resource.id}"):
            outputs = self._observe(kind, resource.id, resource.inputs)
        if outputs is None:
            return None
        if resource.outputs:
            drifted = {key for key in resource.inputs if resource.outputs.get(key) != outputs.get(key)}
            inputs = {key: outputs.get(key) if key in drifted else value for key, value in resource.inputs.items()}
        else:
            known = _properties(kind)
            inputs = {key: value for key, value in outputs.items() if key in known and value not in (None, "", [], {})}
        return Resource(type=resource.type, name=resource.name, id=resource.id, inputs=inputs, outputs=outputs)

    def delete(self, resource: Resource, *, timeout_seconds: float | None) -> None:
        """Remove it and wait until it is gone."""
        with explained(f"deleting {resource.name}"):
            _kind(resource.type).delete(self._work(resource, resource.inputs, timeout_seconds), resource.id)

    def invoke(self, token: str, args: Properties) -> Properties:
        """Call a function; unknown functions and arguments are refused by name."""
        function = FUNCTIONS.get(token)
        if function is None:
            raise ProviderError(
                f"the lab's aws provider has no function {token}; it has {', '.join(sorted(FUNCTIONS))}"
            )
        args = {key: value for key, value in args.items() if value is not None}
        if unknown := sorted(args.keys() - function.args):
            raise ProviderError(f"{token}: the lab's aws provider does not know {', '.join(unknown)}")
        with explained(token):
            return function.call(self._account, args)

    def _work(self, resource: Resource, inputs: Properties, timeout_seconds: float | None) -> Work:
        return Work(
            account=self._account,
            name=resource.name,
            inputs=inputs,
            outputs=resource.outputs,
            tags=self._tags(inputs) if _kind(resource.type).retag is not None else {},
            timeout_seconds=timeout_seconds,
        )

    def _tags(self, inputs: Properties) -> Any:
        own = inputs.get("tags") or {}
        return UNKNOWN if own == UNKNOWN else dict(sorted({**self._account.default_tags, **own}.items()))

    def _planned(self, kind: ResourceType, inputs: Properties) -> Properties:
        """The outputs that are known before anything is done."""
        return {**inputs, **({"tagsAll": self._tags(inputs)} if kind.retag is not None else {})}

    def _observe(self, kind: ResourceType, id_: str, inputs: Properties) -> Properties | None:
        found = kind.read(self._account, id_, inputs)
        if found is None:
            return None
        if kind.regional:
            found = {"region": self._account.region, **found}
        if kind.retag is not None:
            defaults, own = self._account.default_tags, inputs.get("tags") or {}
            tags = {k: v for k, v in found["tagsAll"].items() if defaults.get(k) != v or own.get(k) == v}
            found["tags"] = tags or None
        return found


def _administrator() -> boto3.Session:
    # The lab's administrator is whoever reaches its loopback port.
    return boto3.Session(aws_access_key_id="lab", aws_secret_access_key="lab")  # noqa: S106


def _kind(token: str) -> ResourceType:
    if token not in TYPES:
        raise ProviderError(f"the lab's aws provider has no type {token}; it has {', '.join(sorted(TYPES))}")
    return TYPES[token]


def _properties(kind: ResourceType) -> dict[str, Property]:
    known = dict(kind.inputs)
    if kind.regional:
        known["region"] = Property(replace=True, computed=True)
    if kind.retag is not None:
        known["tags"] = Property()
    if kind.named:
        known |= {"name": Property(replace=True, computed=True), "namePrefix": Property(replace=True, computed=True)}
    return known


def _automatic_name(resource: Resource, prefix: str | None, seed: bytes) -> str:
    """NAME-7 hex digits as the real provider does, the deployed one where that was made here."""
    start = f"{resource.name}-" if prefix is None else prefix
    deployed = str(resource.inputs.get("name", ""))
    if re.fullmatch(re.escape(start) + "[0-9a-f]{7}", deployed):
        return deployed
    return start + hashlib.sha256(seed + resource.type.encode()).hexdigest()[:7]


def _same(declared: Property, old: Any, new: Any) -> bool:
    if UNKNOWN in (old, new):
        return False
    if declared.json and isinstance(old, str) and isinstance(new, str):
        try:
            return bool(json.loads(old) == json.loads(new))
        except ValueError:
            return old == new
    if declared.unordered and isinstance(old, list) and isinstance(new, list):
        return sorted(map(_text, old)) == sorted(map(_text, new))
    return bool(old == new)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


def _parsed(value: Any) -> Any:
    """A nested value of a provider's configuration: JSON text on the wire."""
    return json.loads(value) if isinstance(value, str) and value else value


def _as(resource: Resource, *, id: str, outputs: Properties) -> Resource:  # noqa: A002
    return Resource(type=resource.type, name=resource.name, id=id, inputs=resource.inputs, outputs=outputs)
