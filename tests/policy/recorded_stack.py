"""The real program's recorded resources as a policy pack is told about them, and what the pack's rules say of them.

Properties go through the runtime's own deserializing and proxies, as in the pack's server.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import yaml
from pulumi.runtime import set_all_config
from pulumi_policy import (
    EnforcementLevel,
    PolicyCustomTimeouts,
    PolicyProviderResource,
    PolicyResource,
    PolicyResourceOptions,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.deserialize import deserialize_properties
from pulumi_policy.policy import _NotApplicableError
from pulumi_policy.proxy import UnknownValueError, unknown_checking_proxy

from lab.gate.configuration import RuleConfig, RuleInfo, reconcile
from policy.rule import Rule
from policy.rules import RULES
from tests.components.recorded_program import COMPUTED, IMAGE, ROOT, Recording, run_program


@dataclass(frozen=True, kw_only=True)
class Made:
    """One resource: what the engine knows of it."""

    type: str
    name: str
    urn: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    protect: bool = False
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    property_dependencies: dict[str, tuple[str, ...]] = field(default_factory=dict)


Resources = tuple[Made, ...]


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a rule said: a violation's message at the level in force, or that it could not run ("unknown")."""

    rule: str
    about: str
    message: str
    kind: str = "violation"


@cache
def config_of(stack: str) -> Mapping[str, str]:
    """The stack's config in the tree; prod with the one decision it needs."""
    given = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in given.items()}
    return {**texts, "lvs-aws:imageId": IMAGE} if stack == "prod" else texts


@cache
def recorded(stack: str, *, preview: bool = False, services: str | None = None) -> Resources:
    """The resources of the real program under the stack's config; at preview what AWS says is unknown.

    `services` (JSON) take the place of the config's.
    """
    config = {**config_of(stack), **({} if services is None else {"lvs-aws:services": services})}
    return made_of(run_program(config, stack=stack, preview=preview), preview=preview)


def made_of(recording: Recording, *, preview: bool) -> Resources:
    """What a program's run asked for, as the engine knows it."""
    made = []
    for one in recording.registrations:
        computed = (
            {} if preview or one.type not in COMPUTED else {"id": f"id-{one.name}", **COMPUTED[one.type](one.name)}
        )
        made.append(
            Made(
                type=one.type,
                name=one.name,
                urn=one.urn,
                inputs=dict(one.inputs),
                outputs={**one.inputs, **computed},
                protect=one.request.protect,
                parent=one.request.parent,
                provider=one.request.provider.rpartition("::")[0],
                dependencies=tuple(one.request.dependencies),
                property_dependencies={k: tuple(v.urns) for k, v in one.request.propertyDependencies.items() if v.urns},
            )
        )
    return tuple(made)


def urn_of(resources: Resources, kind: str, name: str) -> str:
    (found,) = [one.urn for one in resources if one.type.endswith(f":{kind}") and one.name == name]
    return found


def changed(resources: Resources, urn: str, change: Callable[[Made], Made]) -> Resources:
    """The resources with one of them changed."""
    assert [one.urn for one in resources].count(urn) == 1
    return tuple(change(copy.deepcopy(one)) if one.urn == urn else one for one in resources)


def with_property(one: Made, path: str, value: Any, *, comes_from: Sequence[str] | None = None) -> Made:
    """The resource with one property ("metadataOptions.httpTokens") set, or removed where the value is None.

    `comes_from` are the URNs the property is made of; by default what it was made of before.
    """
    for properties in (one.inputs, one.outputs):
        *way, last = path.split(".")
        place = properties
        for step in way:
            place = place[step]
        if value is None:
            place.pop(last, None)
        else:
            place[last] = value
    if comes_from is None:
        return one
    return replace(one, property_dependencies={**one.property_dependencies, path.split(".")[0]: tuple(comes_from)})


def pack_config(text: str) -> dict[str, RuleConfig]:
    """A pack config as the CLI and the gate make it complete."""
    infos = [RuleInfo(name=one.id, level=one.level.value, parameters=one.parameters) for one in RULES]
    return reconcile(infos, text)


def sample_config(stack: str) -> dict[str, RuleConfig]:
    """The sample of an environment."""
    return pack_config((ROOT / f"policy/config/{stack}.json").read_text())


def judge(
    resources: Resources,
    config: Mapping[str, RuleConfig],
    *,
    stack_config: Mapping[str, str],
    rules: Sequence[Rule] = RULES,
) -> list[Said]:
    """What the rules say of the resources; those the config disables say nothing."""
    set_all_config(dict(stack_config))
    said: list[Said] = []
    inputs = {one.urn: _proxied(one.inputs) for one in resources}
    stack = _stack_resources(resources)
    for rule in rules:
        if config[rule.id].level == EnforcementLevel.DISABLED.value:
            continue
        policy = rule.policy()
        if isinstance(policy, ResourceValidationPolicy):
            for one in resources:
                with _collecting(rule, one.name, said) as report:
                    policy.validate(_resource_args(one, inputs, config[rule.id]), report)
        else:
            assert isinstance(policy, StackValidationPolicy)
            with _collecting(rule, "stack", said) as report:
                told = dict(config[rule.id].parameters)
                policy.validate(StackValidationArgs(stack, told), report)
    return said


@contextmanager
def _collecting(rule: Rule, about: str, said: list[Said]):  # type: ignore[no-untyped-def]
    """As the server does: what a rule raises on an unknown value becomes a word of its own."""

    def report(message: str, urn: str | None = None) -> None:
        said.append(Said(rule=rule.id, about=(urn or about).rpartition("::")[2], message=message))

    try:
        yield report
    except UnknownValueError as error:
        said.append(Said(rule=rule.id, about=about, message=error.message, kind="unknown"))
    except _NotApplicableError as error:
        said.append(Said(rule=rule.id, about=about, message=error.message, kind="not applicable"))


def _proxied(properties: Mapping[str, Any]) -> Any:
    return unknown_checking_proxy(deserialize_properties(dict(properties)))


def _options(one: Made) -> PolicyResourceOptions:
    timeouts = PolicyCustomTimeouts(0, 0, 0)
    return PolicyResourceOptions(one.protect, [], None, [], timeouts, [], one.parent or None)


def _provider(urn: str, inputs: Mapping[str, Any]) -> PolicyProviderResource | None:
    if urn not in inputs:
        return None
    return PolicyProviderResource("pulumi:providers:aws", inputs[urn], urn, urn.rpartition("::")[2])


def _resource_args(one: Made, inputs: Mapping[str, Any], config: RuleConfig) -> ResourceValidationArgs:
    provider, told = _provider(one.provider, inputs), dict(config.parameters)
    return ResourceValidationArgs(one.type, inputs[one.urn], one.urn, one.name, _options(one), provider, told)


def _stack_resources(resources: Resources) -> list[PolicyResource]:
    made = {
        one.urn: PolicyResource(one.type, _proxied(one.outputs), one.urn, one.name, _options(one), None, None, [], {})
        for one in resources
    }
    for one in resources:
        made[one.urn].parent = made.get(one.parent)
        made[one.urn].dependencies = [made[urn] for urn in one.dependencies if urn in made]
        made[one.urn].property_dependencies = {
            key: [made[urn] for urn in urns if urn in made] for key, urns in one.property_dependencies.items()
        }
    return list(made.values())
