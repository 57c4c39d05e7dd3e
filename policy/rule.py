"""What a rule is: a pure check of one resource or of the whole stack, and what is told about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pulumi
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    Severity,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

from policy.reading import Resource, UnreadableError
from policy.stack_view import Stack

PAGE = "docs/policies.md"
LITERAL = "cannot be known at preview, so this rule would pass unseen: write it as a literal"

Parameters = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A violation, and the URN of the resource it is about; none where it is about the stack."""

    message: str
    urn: str | None = None


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule's metadata.

    `parameters` is a JSON schema by name of what the pack's config may set; each has a default. `unknown` says what
    happens where an input is not known at preview. The runtime would turn the rule advisory without a word about the
    resource; "refused" makes the unknown value itself a violation, for inputs this program gives as literals; "later"
    leaves it so, for what only AWS can say, and the rule decides in `up` and on the state after it.
    """

    id: str
    description: str
    severity: Severity
    remediation: str
    level: EnforcementLevel = EnforcementLevel.MANDATORY
    unknown: Literal["refused", "later"] = "refused"
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    scope: ClassVar[Literal["resource", "stack"]]

    @property
    def url(self) -> str:
        """Where docs/policies.md explains the rule."""
        return f"{PAGE}#{self.id}"

    def policy(self) -> Policy:
        """The rule as the SDK's server takes it."""
        raise NotImplementedError

    def _told(self, given: Parameters | None) -> Parameters:
        """The parameters with their defaults, which the CLI fills in but other callers may not."""
        return {name: schema["default"] for name, schema in self.parameters.items()} | dict(given or {})

    def _metadata(self) -> dict[str, Any]:
        schema = PolicyConfigSchema(properties={name: dict(one) for name, one in self.parameters.items()})
        return {
            "name": self.id,
            "description": self.description,
            "enforcement_level": self.level,
            "severity": self.severity,
            "remediation_steps": self.remediation,
            "url": self.url,
            "config_schema": schema if self.parameters else None,
        }


@dataclass(frozen=True, kw_only=True)
class ResourceRule(Rule):
    """A rule about one resource's inputs. `watches` are the classes it looks at; empty means every resource."""

    watches: tuple[type[pulumi.Resource], ...]
    check: Callable[[Resource, Parameters], Iterator[str]]
    scope = "resource"

    def tokens(self) -> frozenset[str]:
        """The type tokens of `watches`, taken from the SDK's classes: one that is typed by hand may never match."""
        return frozenset(str(pulumi.get_type_token(one)) for one in self.watches)

    def policy(self) -> Policy:
        """The rule as the SDK's server takes it."""
        tokens = self.tokens()

        def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
            if tokens and args.resource_type not in tokens:
                return
            for message in self._messages(args):
                report(message, None)

        return ResourceValidationPolicy(validate=validate, **self._metadata())

    def _messages(self, args: ResourceValidationArgs) -> Iterator[str]:
        try:
            resource = Resource(
                type=args.resource_type,
                urn=args.urn,
                props=args.props,
                provider=args.provider.props if args.provider is not None else {},
                not_applicable=args.not_applicable,
            )
            yield from self.check(resource, self._told(args.get_config()))
        except UnreadableError as error:
            yield str(error)
        except UnknownValueError as error:
            if self.unknown == "later":
                raise
            yield f"{'.'.join(error.props)} {LITERAL}"


@dataclass(frozen=True, kw_only=True)
class StackRule(Rule):
    """A rule about how resources belong together. It sees their outputs, at preview what of them is known."""

    check: Callable[[Stack, Parameters], Iterator[Finding]]
    scope = "stack"

    def policy(self) -> Policy:
        """The rule as the SDK's server takes it."""

        def validate(args: StackValidationArgs, report: ReportViolation) -> None:
            for finding in self._findings(args.resources, self._told(args.get_config())):
                report(finding.message, finding.urn)

        return StackValidationPolicy(validate=validate, **self._metadata())

    def _findings(self, resources: Sequence[PolicyResource], told: Parameters) -> Iterator[Finding]:
        try:
            yield from self.check(Stack(resources), told)
        except UnreadableError as error:
            yield Finding(message=str(error), urn=error.urn)
        except UnknownValueError as error:
            if self.unknown == "later":
                raise
            yield Finding(message=f"{'.'.join(error.props)} {LITERAL}")
