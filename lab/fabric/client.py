"""The fabric's control socket, from the other side: how the cloud and the tests speak to it."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.fabric.codec import to_json
from lab.fabric.model import VpcState


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a fabric did since it began: frames taken from its ports, frames it delivered, CPU time, and its age."""

    frames: int
    delivered: int
    cpu_seconds: float
    uptime_seconds: float

    def since(self, earlier: Usage) -> Usage:
        """What it did between two answers of one fabric."""
        return Usage(
            frames=self.frames - earlier.frames,
            delivered=self.delivered - earlier.delivered,
            cpu_seconds=self.cpu_seconds - earlier.cpu_seconds,
            uptime_seconds=self.uptime_seconds - earlier.uptime_seconds,
        )

    @property
    def cpu_share(self) -> float:
        """Of one core: 1.0 is a fabric that did nothing but work, and may have been the bottleneck."""
        return self.cpu_seconds / self.uptime_seconds if self.uptime_seconds else 0.0


class FabricError(RuntimeError):
    """The fabric refused a request; the text is its own."""


class FabricClient:
    """Requests to one fabric, each over a connection of its own, so that it may be used from any thread.

    All methods raise OSError where the fabric is not there or does not answer in `timeout_seconds`, and FabricError
    where it refuses.
    """

    def __init__(self, socket_path: Path, *, timeout_seconds: float = 10.0) -> None:
        self.socket_path = socket_path
        self.timeout_seconds = timeout_seconds

    def apply(self, state: VpcState) -> None:
        """Replace the whole state; returns after the ports of all interfaces listen."""
        self._request({"op": "apply", "state": to_json(state)})

    def counters(self) -> dict[str, dict[str, int]]:
        """Frames dropped since the fabric began: rule -> interface -> number."""
        return dict(self._request({"op": "counters"})["counters"])

    def drops(self) -> dict[str, list[dict[str, Any]]]:
        """The last frames dropped a rule, oldest first: rule -> a list of objects.

        Each has `time` (Unix seconds), `interface` (it counts for), `came_from` (port), `summary`, `frame` (hex, cut).
        """
        return dict(self._request({"op": "drops"})["drops"])

    def usage(self) -> Usage:
        """What it did since it began and what that cost; a benchmark asks before and after."""
        answer = self._request({"op": "usage"})
        return Usage(
            frames=int(answer["frames"]),
            delivered=int(answer["delivered"]),
            cpu_seconds=float(answer["cpu_seconds"]),
            uptime_seconds=float(answer["uptime_seconds"]),
        )

    def ping(self) -> int:
        """The fabric's process id; its network namespace is /proc/PID/ns/net."""
        return int(self._request({"op": "ping"})["pid"])

    def _request(self, request: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(self.timeout_seconds)
            connection.connect(str(self.socket_path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as answers:
                line = answers.readline()
        if not line:
            raise ConnectionResetError(f"the fabric at {self.socket_path} closed the connection without an answer")
        answer = dict(json.loads(line))
        if not answer.get("ok"):
            raise FabricError(str(answer.get("error", "refused without a reason")))
        return answer
