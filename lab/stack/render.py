"""A deployment as the Pulumi CLI prints it: a line a step, the properties that differ, outputs, and a summary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.engine.deploy import Deployment
from lab.engine.events import Event, Op, Step
from lab.protocol import urn
from lab.protocol.contract import UNKNOWN
from lab.protocol.wire import is_secret

# Sign, what a preview says, what is said afterwards; in the order of the summary.
WORDS: Mapping[Op, tuple[str, str, str]] = {
    "create": ("+ ", "create", "created"),
    "update": ("~ ", "update", "updated"),
    "delete": ("- ", "delete", "deleted"),
    "replace": ("+-", "replace", "replaced"),
    "discard": ("< ", "discard", "discarded"),
    "create-replacement": ("++", "create replacement", "created replacement"),
    "delete-replaced": ("--", "delete original", "deleted original"),
    "read": ("> ", "read", "read"),
    "refresh": ("~ ", "refresh", "refreshed"),
    "same": ("  ", "same", "same"),
}
WIDEST = 200


def line(event: Event, *, dry_run: bool = False) -> str:
    """Text without colour: a step or a message, and below a step the properties that made it so."""
    if not isinstance(event, Step):
        about = f"{urn.name_of(event.urn)}: " if event.urn else ""
        return f"    {event.severity}: {about}{event.message.rstrip()}"
    sign, proposed, done = WORDS[event.op]
    what = f" {sign} {urn.type_of(event.urn)} {urn.name_of(event.urn)}"
    if event.error:
        return f"{what} **{proposed} failed** error: {event.error}"
    took = "" if dry_run else f" ({event.seconds:.1f}s)"
    keys = f" [diff: {','.join(_sign(event, key) + key for key in event.keys)}]" if event.keys else ""
    details = [f"      {_sign(event, key)} {key}: {_change(event, key)}" for key in event.keys]
    return "\n".join([f"{what} {proposed if dry_run else done}{took}{keys}", *details])


def report(deployment: Deployment, *, dry_run: bool = False) -> str:
    """The stack's outputs, and how many resources were (in a preview: would be) touched and how many left alone."""
    lines = ["Outputs:"] if deployment.outputs else []
    for key, found in sorted(deployment.outputs.items()):
        lines.append(f"    {key}: {'[secret]' if key in deployment.secret_outputs else text(found)}")
    lines.append("Resources:")
    changes = {op: n for op in WORDS if op != "same" and (n := deployment.summary.get(op))}
    for op, n in changes.items():
        sign, proposed, done = WORDS[op]
        lines.append(f"    {sign}{n} {f'to {proposed}' if dry_run else done}")
    total = [f"{sum(changes.values())} changes"] if len(changes) > 1 else []
    total += [f"{n} unchanged"] if (n := deployment.summary.get("same")) else []
    lines += [f"    {'. '.join(total)}"] if total else []
    failed = sum(bool(step.error) for step in deployment.steps)
    return "\n".join([*lines, *([f"    {failed} errored"] if failed else [])])


def text(value: Any) -> str:
    """A value as JSON, shortened; a secret, or what is not known yet, by a word."""
    words = json.dumps(_in_words(value), ensure_ascii=False)
    for word in ("[secret]", "[unknown]"):
        words = words.replace(f'"{word}"', word)
    return words if len(words) <= WIDEST else f"{words[: WIDEST - 3]}..."


def _in_words(value: Any) -> Any:
    if is_secret(value):
        return "[secret]"
    if isinstance(value, dict):
        return {key: _in_words(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_words(item) for item in value]
    return "[unknown]" if value == UNKNOWN else value


def _sign(step: Step, key: str) -> str:
    return "+" if key not in step.old else "-" if key not in step.new else "~"


def _change(step: Step, key: str) -> str:
    return " => ".join(text(side[key]) for side in (step.old, step.new) if key in side)
