"""QEMU's machine protocol: one connection, commands one after another (QEMU's docs/interop/qmp-spec)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.machines.errors import MachineError

COMMAND_SECONDS = 30.0


class Qmp:
    """A connection that has shaken hands. Raises MachineError where QEMU refuses or is gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile("rb")
        self._read()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:
        """Run one command and give what it returns; events that arrive meanwhile are dropped."""
        request = {"execute": command, "arguments": arguments}
        try:
            self._connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise MachineError(f"QEMU is gone: {error}") from error
        while True:
            answer = self._read()
            if "error" in answer:
                raise MachineError(f"QEMU refuses {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def wait_status(self, *wanted: str, timeout_seconds: float) -> str:
        """Wait until the run state is one of `wanted` (QAPI's RunState) and give it; MachineError after the time."""
        deadline = time.monotonic() + timeout_seconds
        while (status := str(self.execute("query-status")["status"])) not in wanted:
            if time.monotonic() > deadline:
                raise MachineError(
                    f"a machine is still {status} after {timeout_seconds:.0f} s, not {' or '.join(wanted)}"
                )
            time.sleep(0.02)
        return status

    def _read(self) -> dict[str, Any]:
        try:
            line = self._lines.readline()
        except OSError as error:
            raise MachineError(f"QEMU does not answer: {error}") from error
        if not line:
            raise MachineError("QEMU is gone: it hung up")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def qmp(path: Path) -> Iterator[Qmp]:
    """Connect to the QEMU that listens at `path`. It serves one client at a time; others wait."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(COMMAND_SECONDS)
        try:
            connection.connect(str(path))
        except OSError as error:
            raise MachineError(f"no QEMU answers at {path}: {error}") from error
        yield Qmp(connection)
