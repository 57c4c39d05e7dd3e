"""Properties as the runtime hands them over: proxies that raise where a value is not known, numbers as floats."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi.runtime.config import CONFIG, get_config_env
from pulumi_policy.proxy import UnknownValueError

Props = Mapping[str, Any]


class UnreadableError(Exception):
    """A resource is not made as the rules understand it: that is a violation, for they could not look into it."""

    def __init__(self, message: str, urn: str | None = None) -> None:
        super().__init__(message)
        self.urn = urn


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One resource: its type token, URN, inputs, and the inputs of its provider.

    `not_applicable` ends the check with a reason that is neither pass nor violation.
    """

    type: str
    urn: str
    props: Props
    provider: Props = field(default_factory=dict)
    not_applicable: Callable[[str], None]

    @property
    def role(self) -> str:
        """A machine's `Role` tag, empty where it has none."""
        return role_of(self.props)


def declares(props: Props, key: str) -> bool:
    """Whether a property is given at all. Its value may be unknown: only the name is looked at."""
    # Not `key in props`: on the runtime's proxies that reads the value, and an unknown one raises.
    if key not in list(props):
        return False
    try:
        return props[key] is not None
    except UnknownValueError:
        return True


def role_of(props: Props) -> str:
    """An instance's `Role` tag, empty where it has none; its other tags are not read."""
    tags = props["tags"] if declares(props, "tags") else {}
    return str(tags["Role"]) if declares(tags, "Role") else ""


def stack_config(urn: str) -> Mapping[str, str] | None:
    """The stack's config without its project's namespace, None where whoever runs the pack hands none over."""
    given = {**get_config_env(), **CONFIG.get()}
    project = urn.split("::")[1]
    return {key.removeprefix(f"{project}:"): value for key, value in given.items()} or None


def setting(urn: str, name: str) -> str | None:
    """One of the load balancer's settings as text, empty where it is not set; None where no config is handed over.

    A program of one's own keeps the settings in an object of its config (examples/existing-vpc): that is read, too.
    """
    config = stack_config(urn)
    if config is None or name in config:
        return None if config is None else config[name]
    for key, text in config.items():
        if key == "tags" or ":" in key:
            continue  # whose keys are the user's own; another package's
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, dict) and name in found:
            return found[name] if isinstance(found[name], str) else json.dumps(found[name])
    return ""
