"""The host's end of the channel: run a command in a machine, with or without a network; guest/channel.py answers."""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# How long the machine may be silent beyond the command's own time: emulation is slow, and other clients have turns.
GRACE_SECONDS = 30.0
TURN_PAUSE_SECONDS = 0.05
TIMED_OUT = 124


class ChannelError(RuntimeError):
    """The machine does not answer on its channel: no power, still booting, or it restarted during the command."""


@dataclass(frozen=True, kw_only=True)
class CommandResult:
    """What a command did. `exit_code` is 124 where it ran out of time, 128 + N where signal N ended it."""

    exit_code: int
    stdout: str
    stderr: str


def run_command(
    channel_socket: Path,
    command: str | Sequence[str],
    timeout_seconds: float,
    *,
    grace_seconds: float = GRACE_SECONDS,
) -> CommandResult:
    """Run `command` as root (a text by /bin/sh, a list as it stands) for at most `timeout_seconds`.

    Between questions the connection is given up, so that others get their turn while a long command runs.
    Raises ChannelError where no answer comes within `timeout_seconds` + `grace_seconds`.
    """
    name = uuid.uuid4().hex
    deadline = time.monotonic() + timeout_seconds + grace_seconds
    body = command if isinstance(command, str) else list(command)
    request: dict[str, Any] = {"id": name, "command": body, "timeout": timeout_seconds}
    while True:
        answer = _ask(channel_socket, request, deadline)
        if "error" in answer:
            raise ChannelError(f"{channel_socket.stem}: {answer['error']}")
        if "running" not in answer:
            return CommandResult(exit_code=answer["exit_code"], stdout=answer["stdout"], stderr=answer["stderr"])
        request = {"id": name}
        time.sleep(TURN_PAUSE_SECONDS)


def wait_ready(channel_socket: Path, *, timeout_seconds: float) -> None:
    """Wait until the machine runs commands; ChannelError after `timeout_seconds`."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        remaining = deadline - time.monotonic()
        try:
            # A request that the machine's firmware or kernel swallowed is never answered: ask again after a while.
            run_command(channel_socket, ["true"], max(0.1, min(10.0, remaining)), grace_seconds=0.0)
        except ChannelError:
            if remaining <= 0:
                raise ChannelError(
                    f"{channel_socket.stem} runs no commands after {timeout_seconds:.0f} s; see its console log"
                ) from None
            time.sleep(0.1)
        else:
            return


def _ask(channel_socket: Path, request: Mapping[str, Any], deadline: float) -> dict[str, Any]:
    """One connection, one request, its answer; answers to clients that hung up are skipped."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.settimeout(max(0.01, deadline - time.monotonic()))
            connection.connect(str(channel_socket))
            connection.sendall(json.dumps(request).encode() + b"\n")
            pending = b""
            while True:
                connection.settimeout(max(0.01, deadline - time.monotonic()))
                data = connection.recv(65536)
                if not data:
                    raise ChannelError(f"{channel_socket.stem} lost its power")
                *lines, pending = (pending + data).split(b"\n")
                for line in lines:
                    answer = _parsed(line)
                    if answer.get("id") == request["id"]:
                        return answer
        except OSError as error:
            raise ChannelError(f"{channel_socket.stem} does not answer on its channel: {error}") from error


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}
