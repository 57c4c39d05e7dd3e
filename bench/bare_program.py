"""The program a stack's preview is measured against: as many resources of the same types, all arguments literal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from lab.protocol.contract import UNKNOWN
from lab.protocol.wire import plain

MANIFEST = "name: bare\nruntime: python\n"
# Stand where a preview cannot know the value: an id, a name; a policy document.
TEXT, POLICY = "literal-0123456789abcdef", "{}"
CONFIG = "config:\n  aws:region: us-east-1\n"


def write_bare_project(directory: Path, stack: str, resources: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
    """Write a project that imports pulumi_aws and declares the resources (type token, name, inputs as previewed)."""
    lines = ["import pulumi_aws as aws", ""]
    for number, (type_, _, inputs) in enumerate(resources):
        # aws:ec2/instance:Instance is aws.ec2.Instance. A name of its own: components kept equal ones apart.
        _, module, class_name = type_.split(":")
        values = {key: _literal(plain(value), POLICY if key == "policy" else TEXT) for key, value in inputs.items()}
        arguments = "".join(f", {_snake(key)}={value!r}" for key, value in values.items())
        lines.append(f"aws.{module.split('/')[0]}.{class_name}('resource-{number}'{arguments})")
    (directory / "Pulumi.yaml").write_text(MANIFEST)
    (directory / f"Pulumi.{stack}.yaml").write_text(CONFIG)
    (directory / "__main__.py").write_text("\n".join(lines) + "\n")


def _snake(key: str) -> str:
    """The Python name of an input: cidrBlock is cidr_block."""
    return re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", key)


def _literal(value: Any, text: str) -> Any:
    """The value with `text` where a preview cannot know it."""
    if isinstance(value, dict):
        return {key: _literal(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item, text) for item in value]
    return text if value == UNKNOWN else value
