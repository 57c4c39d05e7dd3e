"""What the engine is told of a program, and what it asks of a provider.

Values for a provider are JSON: secrets unwrapped, references as ids, unknowns as UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""What stands for a value not known before `up` (pulumi.runtime.rpc.UNKNOWN)."""

Properties = dict[str, Any]


class ProviderError(Exception):
    """A call a provider could not carry out; the text is for the user."""


class RefusedError(Exception):
    """Something the lab's engine does not do, or a program's mistake; the text says what to do instead."""


class InitializationError(ProviderError):
    """The resource was made, with this id and these outputs, but did not get ready; the next `up` updates it."""

    def __init__(self, message: str, *, id: str, outputs: Properties) -> None:  # noqa: A002 - the word Pulumi uses
        super().__init__(message)
        self.id = id
        self.outputs = outputs


@dataclass(frozen=True, kw_only=True)
class Program:
    """A project's name and directory, and the Python file to run there."""

    name: str
    directory: Path
    main: Path


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """A stack's whole configuration as the program sees it: qualified keys, values as text (JSON where structured)."""

    name: str
    values: Mapping[str, str]
    secret_keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Failure:
    """An input a provider refuses."""

    property: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Checked:
    """Inputs with their defaults, or why they are refused."""

    inputs: Properties
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Diff:
    """Which inputs differ from the deployed ones, and which of them can only be had by a new resource."""

    changed: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    delete_before_replace: bool = False


@dataclass(frozen=True, kw_only=True)
class Resource:
    """A resource as a provider sees it: its type token, logical name, and what is deployed of it."""

    type: str
    name: str
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)


class Configured(Protocol):
    """A provider with its configuration. All methods are called from several threads and raise ProviderError."""

    def check(self, resource: Resource, new_inputs: Properties, *, seed: bytes) -> Checked:
        """Validate the inputs and fill in defaults; `seed` makes automatic names repeatable."""

    def diff(self, resource: Resource, new_inputs: Properties) -> Diff:
        """Compare what is deployed with checked inputs; UNKNOWN differs from everything."""

    def create(self, resource: Resource, *, preview: bool, timeout_seconds: float | None) -> Resource:
        """Make the resource of `resource.inputs`; answers id and outputs, in a preview those known."""

    def update(
        self, resource: Resource, new_inputs: Properties, *, preview: bool, timeout_seconds: float | None
    ) -> Properties:
        """Change the resource in place and answer its outputs."""

    def read(self, resource: Resource) -> Resource | None:
        """What there is now under `resource.id`, or None where it is gone."""

    def delete(self, resource: Resource, *, timeout_seconds: float | None) -> None:
        """Remove the resource and wait until it is gone; nothing to do where it is gone already."""

    def invoke(self, token: str, args: Properties) -> Properties:
        """Call a function such as aws:ec2/getAmi:getAmi."""


class Provider(Protocol):
    """A package of resource types. `package` is the first part of its type tokens."""

    package: str

    def check_config(self, inputs: Properties) -> Checked:
        """Validate a provider resource's inputs."""

    def configure(self, inputs: Mapping[str, Any]) -> Configured:
        """The provider ready for work with these inputs."""
