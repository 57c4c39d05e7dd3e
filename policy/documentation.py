"""docs/policies.md, made of the rules: `python -m policy.documentation`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from policy.rule import PAGE, ResourceRule, Rule
from policy.rules import SUBJECTS

ROOT = Path(__file__).parents[1]

HEAD = """\
# Policies

<!-- Made by `python -m policy.documentation` from the rules in policy/. Do not edit. -->

What must hold of the stack, whoever changes the program: traps of this stack that a review may miss.

    pulumi preview --policy-pack policy --policy-pack-config policy/config/prod.json
    pulumi policy analyze --policy-pack policy      # the state, after `up`: nothing is unknown there
    .venv/bin/lab preview                           # the same on the lab, without the CLI; `lab up` too
    .venv/bin/lab policy analyze                    # and its state

A mandatory violation ends the preview with exit code 1 and nothing is made; an advisory one is shown. A rule's level
and parameters are set by a JSON file, `{"RULE": "advisory", "OTHER": {"enforcementLevel": "mandatory", "NAME": 1}}`;
policy/config/ has one for each stack of the tree. The CLI passes over rules and parameters the pack does not have; the
lab refuses them.

## What a rule cannot see

The runtime turns a mandatory rule that reads a value not known at preview into an advisory "can't run policy", and goes
on. So rules read what this program gives as literals, and where such a value is unknown that is a violation itself
("unknown at preview: refused"). A rule about an id, which only AWS can give, looks at what the id will come from; what
is left ("unknown at preview: judged later") is said to be not run, decided in `up` before the resource is made, and
again on the state.

Stack rules see what AWS answered, resource rules what the program asks for.
"""


def page() -> str:
    """The text of docs/policies.md."""
    parts = [HEAD, "\n".join(_index())]
    for subject, rules in SUBJECTS.items():
        parts.append(f"## {subject}\n")
        parts += ["\n".join(_section(rule)) for rule in rules]
    return "\n".join(parts)


def _index() -> Iterator[str]:
    yield "## The rules\n"
    yield "| rule | level | severity | about |"
    yield "|---|---|---|---|"
    for rules in SUBJECTS.values():
        for rule in rules:
            yield f"| [{rule.id}](#{rule.id}) | {rule.level.value} | {rule.severity.value} | {rule.description} |"
    yield ""


def _section(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id}\n"
    yield f"{rule.description}\n"
    yield f"- level: {rule.level.value}; severity: {rule.severity.value}"
    yield f"- looks at: {_looks_at(rule)}"
    yield f"- unknown at preview: {'refused' if rule.unknown == 'refused' else 'judged later'}"
    yield f"- remedy: {rule.remediation}"
    for name, schema in rule.parameters.items():
        default = json.dumps(schema["default"])
        yield f"- parameter `{name}` ({schema['type']}, default `{default}`): {schema['description']}"
    yield ""


def _looks_at(rule: Rule) -> str:
    if not isinstance(rule, ResourceRule):
        return "the whole stack"
    return ", ".join(f"`{token}`" for token in sorted(rule.tokens())) or "every resource"


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page())
