"""The control protocol without its socket: a request line in, an answer line out (docs/architecture.md)."""

from __future__ import annotations

import json
from typing import Any, Protocol

from lab.fabric.codec import from_json
from lab.fabric.model import VpcState

REQUEST_LIMIT = 16 * 1024 * 1024


class Controlled(Protocol):
    """What the requests are about."""

    def apply(self, state: VpcState) -> None:
        """Replace the state; raises ValueError, OSError or RuntimeError."""

    def counters(self) -> dict[str, dict[str, int]]:
        """Drops by rule and interface."""

    def drops(self) -> dict[str, list[dict[str, Any]]]:
        """The last frames dropped a rule."""

    def usage(self) -> dict[str, float]:
        """What it did and what that cost; see `FabricClient.usage`."""

    def ping(self) -> int:
        """The process id."""


def answer_line(fabric: Controlled, line: bytes) -> bytes:
    """The answer to one request line; every failure is an answer with `ok` false and `error`."""
    try:
        answer = {"ok": True, **_answer(fabric, json.loads(line))}
    except (ValueError, OSError, RuntimeError) as error:
        answer = {"ok": False, "error": str(error)}
    return json.dumps(answer).encode() + b"\n"


def _answer(fabric: Controlled, request: object) -> dict[str, Any]:
    operation = request.get("op") if isinstance(request, dict) else None
    match operation:
        case "apply":
            assert isinstance(request, dict)
            fabric.apply(from_json(request.get("state")))
            return {}
        case "counters":
            return {"counters": fabric.counters()}
        case "drops":
            return {"drops": fabric.drops()}
        case "usage":
            return fabric.usage()
        case "ping":
            return {"pid": fabric.ping()}
    raise ValueError(f"unknown operation {operation!r}: apply, counters, drops, usage and ping are the ones there are")
