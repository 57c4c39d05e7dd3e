"""An event as a line, much as the Pulumi CLI writes it."""

from __future__ import annotations

from lab.engine import urn
from lab.engine.events import Diagnostic, Event, StepFailed, StepFinished, StepStarted

SIGNS = {
    "create": "+ ",
    "same": "  ",
    "update": "~ ",
    "replace": "+-",
    "create-replacement": "++",
    "delete-replaced": "--",
    "delete": "- ",
    "read": "> ",
    "discard": "< ",
}


def line(event: Event) -> str:
    """One line of text without colour; several where a program's message has several."""
    if isinstance(event, Diagnostic):
        about = f"{urn.name_of(event.urn)}: " if event.urn else ""
        return f"   {event.severity}: {about}{event.message.rstrip()}"
    what = f" {SIGNS[event.op]} {urn.type_of(event.urn)} {urn.name_of(event.urn)} {event.op}"
    match event:
        case StepStarted():
            return f"{what}{_keys(event.keys)} ..."
        case StepFinished():
            return f"{what}{_keys(event.keys)} ({event.seconds:.1f} s)"
        case StepFailed():
            return f"{what} FAILED ({event.seconds:.1f} s): {event.message}"


def summary(changes: dict[str, int]) -> str:
    """The counted changes in one line: `4 created, 12 unchanged`."""
    words = {
        "create": "created",
        "same": "unchanged",
        "update": "updated",
        "replace": "replaced",
        "delete": "deleted",
        "read": "read",
        "discard": "discarded",
    }
    return ", ".join(f"{changes[op]} {word}" for op, word in words.items() if changes.get(op)) or "nothing to do"


def _keys(keys: tuple[str, ...]) -> str:
    return f" [{', '.join(keys)}]" if keys else ""
