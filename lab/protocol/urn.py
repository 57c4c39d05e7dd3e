"""Names of resources: urn:pulumi:STACK::PROJECT::PARENT_TYPE$TYPE::NAME."""

from __future__ import annotations

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDERS = "pulumi:providers:"


def make(*, stack: str, project: str, parent: str, type_: str, name: str) -> str:
    """The URN of a resource; the types of its parents are part of it, the stack's is not."""
    qualified = parent.split("::")[2] if parent else STACK_TYPE
    prefix = "" if qualified == STACK_TYPE else f"{qualified}$"
    return f"urn:pulumi:{stack}::{project}::{prefix}{type_}::{name}"


def type_of(urn: str) -> str:
    """The resource's own type, without its parents'."""
    return urn.split("::")[2].split("$")[-1]


def name_of(urn: str) -> str:
    """The logical name."""
    return urn.split("::", 3)[3]


def is_default_provider(urn: str) -> bool:
    """Whether the engine made this provider because the program gave none."""
    return type_of(urn).startswith(PROVIDERS) and name_of(urn).startswith("default")


def default_name(version: str) -> str:
    """What the engine calls the provider it makes for a version of a package."""
    return "_".join(["default", *version.split(".")]) if version else "default"
