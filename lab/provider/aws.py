"""The provider itself: what is the same for all types. It knows no single type."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

import boto3

from lab.protocol.contract import Checked, Diff, Failure, InitializationError, Properties, ProviderError, Resource
from lab.provider import addresses, identity, images, instances, lookups, network, routes, security_groups
from lab.provider.account import Account, explained
from lab.provider.checking import faults, with_defaults
from lab.provider.comparing import compare, followed
from lab.provider.configuration import config_faults, read_settings
from lab.provider.registry import Function, ResourceType, Work

TYPES: dict[str, ResourceType] = {
    kind.token: kind
    for module in (network, routes, security_groups, identity, addresses, instances)
    for kind in module.TYPES
}
FUNCTIONS: dict[str, Function] = {
    function.token: function for module in (images, lookups) for function in module.FUNCTIONS
}


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
        self._cancelled = threading.Event()

    def check_config(self, inputs: Properties) -> Checked:
        """Refuse what is unknown, wrong or missing; nested values may be JSON text, as with the real provider."""
        return Checked(inputs=inputs, failures=config_faults(inputs))

    def configure(self, inputs: Mapping[str, Any]) -> ConfiguredAws:
        """The provider in a region, with its default tags. Raises ProviderError for an account that is not allowed."""
        if wrong := config_faults(dict(inputs)):
            raise ProviderError(f"aws provider: {_all(wrong)}")
        settings = read_settings(inputs)
        account = Account(
            session=self._session(),
            endpoint_url=self._endpoint_url,
            region=settings.region,
            tagging=settings.tagging,
            report=self._report,
            cancelled=self._cancelled,
        )
        if settings.allowed or settings.forbidden:
            with explained("aws provider"):
                number = account.id
            if number in settings.forbidden or (settings.allowed and number not in settings.allowed):
                raise ProviderError(f"AWS account ID not allowed: {number}")
        return ConfiguredAws(account)

    def cancel(self) -> None:
        """End all waiting, for good: what is half made is told as such."""
        self._cancelled.set()


class ConfiguredAws:
    """The provider in one region of the account."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def check(self, resource: Resource, new_inputs: Properties, *, seed: bytes) -> Checked:
        """Fill in defaults and an automatic name; refuse what is unknown, wrong, missing or contradictory."""
        kind = _kind(resource.type)
        inputs = with_defaults(kind.inputs, new_inputs)
        failures = list(faults(kind.token, kind.schema, inputs))
        if "region" in kind.inputs and inputs.setdefault("region", self._account.region) != self._account.region:
            failures.append(Failure(property="region", reason=self._one_region()))
        if "namePrefix" in inputs and "name" in inputs:
            failures.append(Failure(property="namePrefix", reason="conflicts with name: give one of the two"))
        elif "name" in kind.inputs and "name" not in inputs and not failures:
            inputs["name"] = _automatic_name(resource, inputs.pop("namePrefix", None), seed)
        return Checked(inputs=inputs, failures=tuple(failures))

    def diff(self, resource: Resource, new_inputs: Properties) -> Diff:
        """Compare what was last seen deployed with new inputs, so that drift a refresh has found counts."""
        kind = _kind(resource.type)
        deployed = {name: resource.outputs.get(name, resource.inputs.get(name)) for name in kind.inputs}
        changed, replaced = compare(kind.inputs, deployed, new_inputs)
        deployed_tags = resource.outputs.get("tagsAll") if kind.retag is not None else None
        if deployed_tags is not None and "tags" not in changed:
            wanted = self._account.tagging.all(new_inputs.get("tags"))
            changed += () if wanted == self._account.tagging.seen(deployed_tags) else ("tagsAll",)
        keeps_its_name = "name" in resource.inputs and "name" not in replaced and not _is_automatic(resource)
        # A name of the program's own is taken until the old one is gone (bridge: nameRequiresDeleteBeforeReplace).
        return Diff(changed=changed, replace=replaced, delete_before_replace=bool(replaced) and keeps_its_name)

    def create(self, resource: Resource, *, preview: bool, timeout_seconds: float | None) -> Resource:
        """Make it, wait until it is ready, and read back its outputs."""
        kind = _kind(resource.type)
        if preview:
            return _as(resource, id="", outputs=self._planned(kind, resource.inputs))
        seconds = timeout_seconds or kind.schema.timeouts.create
        work = self._work(kind, resource, resource.inputs, seconds)
        with explained(f"creating {resource.name}"):
            id_ = kind.create(work)
        try:
            with explained(f"creating {resource.name}"):
                if kind.ready is not None:
                    kind.ready(work, id_)
                outputs = self._observe(kind, id_, resource.inputs)
        except ProviderError as error:
            # Not to be seen (yet) is no proof that it was not made: it is kept, with what was planned.
            planned = self._planned(kind, resource.inputs)
            half_done = self._half_done(kind, id_, resource.inputs, error)
            raise half_done or InitializationError(str(error), id=id_, outputs=planned) from error
        if outputs is None:
            raise ProviderError(f"{kind.token} {id_} ({resource.name}) was gone as soon as it was made")
        return _as(resource, id=id_, outputs=outputs)

    def update(
        self, resource: Resource, new_inputs: Properties, *, preview: bool, timeout_seconds: float | None
    ) -> Properties:
        """Change what can be changed in place; ProviderError names what the lab cannot change.

        What fails half way is an InitializationError with what is there now: the next `up` does the rest.
        """
        kind = _kind(resource.type)
        changed = frozenset(self.diff(resource, new_inputs).changed) - {"tags", "tagsAll"}
        if refused := sorted(changed - kind.updates):
            raise ProviderError(
                f"the lab does not change {', '.join(refused)} of a deployed {kind.token} ({resource.name}); "
                "AWS would: `lab down` and `lab up` to have it here"
            )
        if preview:
            return {**resource.outputs, **self._planned(kind, new_inputs)}
        work = self._work(kind, resource, new_inputs, timeout_seconds or kind.schema.timeouts.update)
        try:
            with explained(f"updating {resource.name}"):
                if kind.retag is not None:
                    old = self._account.tagging.seen(resource.outputs.get("tagsAll") or {})
                    kind.retag(self._account, resource.id, old, self._account.tagging.seen(work.tags))
                if changed and kind.update is not None:
                    kind.update(work, resource.id, changed)
                if kind.ready is not None:
                    kind.ready(work, resource.id)
                outputs = self._observe(kind, resource.id, new_inputs)
                if outputs is None:
                    raise ProviderError(f"{work.what(resource.id)} is not there")
        except ProviderError as error:
            half_done = self._half_done(kind, resource.id, new_inputs, error)
            if half_done is None:
                raise ProviderError(f"{error}; it is gone: refresh, then run the deployment again") from error
            raise half_done from error
        return outputs

    def read(self, resource: Resource) -> Resource | None:
        """What there is now. An input follows what is found where that means something else."""
        kind = _kind(resource.type)
        with explained(f"reading {resource.name or resource.id}"):
            outputs = self._observe(kind, resource.id, resource.inputs)
        if outputs is None:
            return None
        if resource.inputs:
            inputs = {
                name: followed(kind.inputs[name], value, outputs.get(name)) if name in kind.inputs else value
                for name, value in resource.inputs.items()
            }
        else:
            inputs = {key: value for key, value in outputs.items() if key in kind.inputs and value not in _EMPTY}
        return Resource(type=resource.type, name=resource.name, id=resource.id, inputs=inputs, outputs=outputs)

    def delete(self, resource: Resource, *, timeout_seconds: float | None) -> None:
        """Remove it and wait until it is gone."""
        kind = _kind(resource.type)
        with explained(f"deleting {resource.name}"):
            seconds = timeout_seconds or kind.schema.timeouts.delete
            kind.delete(self._work(kind, resource, resource.inputs, seconds), resource.id)

    def invoke(self, token: str, args: Properties) -> Properties:
        """Call a function; unknown functions and arguments are refused by name."""
        function = FUNCTIONS.get(token)
        if function is None:
            raise ProviderError(
                f"the lab's aws provider has no function {token}; it has {', '.join(sorted(FUNCTIONS))}"
            )
        args = with_defaults(function.schema.inputs, args)
        if wrong := faults(token, function.schema, args):
            raise ProviderError(f"{token}: {_all(wrong)}")
        if args.get("region", self._account.region) != self._account.region:
            raise ProviderError(f"{token}: region: {self._one_region()}")
        with explained(token):
            return function.call(self._account, args)

    def _work(self, kind: ResourceType, resource: Resource, inputs: Properties, seconds: float) -> Work:
        return Work(
            account=self._account,
            type=kind.token,
            name=resource.name,
            inputs=inputs,
            outputs=resource.outputs,
            tags=self._account.tagging.given(inputs.get("tags")) if kind.retag is not None else {},
            seconds=seconds,
        )

    def _planned(self, kind: ResourceType, inputs: Properties) -> Properties:
        """The outputs that are known before anything is done."""
        tags = {"tagsAll": self._account.tagging.all(inputs.get("tags"))} if kind.retag is not None else {}
        return {**inputs, **tags}

    def _observe(self, kind: ResourceType, id_: str, inputs: Properties) -> Properties | None:
        found = kind.read(self._account, id_, inputs)
        if found is None:
            return None
        if "region" in kind.inputs:
            found = {"region": self._account.region, **found}
        if kind.retag is not None:
            tagging, tags = self._account.tagging, found["tagsAll"]
            found |= {"tagsAll": tagging.seen(tags), "tags": tagging.own(tags, inputs.get("tags"))}
        return found

    def _half_done(
        self, kind: ResourceType, id_: str, inputs: Properties, error: ProviderError
    ) -> InitializationError | None:
        """The failure with what is there now, or was planned where that cannot be asked; None where nothing is."""
        try:
            with explained(f"reading {id_}"):
                found = self._observe(kind, id_, inputs)
        except ProviderError:
            found = self._planned(kind, inputs)
        return None if found is None else InitializationError(str(error), id=id_, outputs=found)

    def _one_region(self) -> str:
        return f"the lab has one region, the provider's ({self._account.region}); leave it away"


_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _administrator() -> boto3.Session:
    # The lab's administrator is whoever reaches its loopback port.
    return boto3.Session(aws_access_key_id="lab", aws_secret_access_key="lab")  # noqa: S106


def _kind(token: str) -> ResourceType:
    if token not in TYPES:
        raise ProviderError(f"the lab's aws provider has no type {token}; it has {', '.join(sorted(TYPES))}")
    return TYPES[token]


def _automatic_name(resource: Resource, prefix: str | None, seed: bytes) -> str:
    """NAME-7 hex digits as the real provider does, the deployed one where that was made here."""
    start = f"{resource.name}-" if prefix is None else prefix
    if _is_automatic(resource, start):
        return str(resource.inputs["name"])
    return start + hashlib.sha256(seed + resource.type.encode()).hexdigest()[:7]


def _is_automatic(resource: Resource, start: str | None = None) -> bool:
    begin = f"{resource.name}-" if start is None else start
    return bool(re.fullmatch(re.escape(begin) + "[0-9a-f]{7}", str(resource.inputs.get("name", ""))))


def _all(failures: tuple[Failure, ...]) -> str:
    return "; ".join(f"{failure.property}: {failure.reason}" for failure in failures)


def _as(resource: Resource, *, id: str, outputs: Properties) -> Resource:  # noqa: A002
    return Resource(type=resource.type, name=resource.name, id=id, inputs=resource.inputs, outputs=outputs)
