"""The lab's own long-running processes: start one detached with a record, ask whether it lives, end it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


class ProcessFailedError(RuntimeError):
    """A process of the lab ended, or did not become ready in time; the text names its log."""


@dataclass(frozen=True, kw_only=True)
class Daemon:
    """A Python module run as a process of its own: its record in `directory`/NAME.json, its log in `logs`/NAME.log."""

    name: str
    directory: Path
    logs: Path

    @property
    def record(self) -> Path:
        """Where pid and start time stand while it runs."""
        return self.directory / f"{self.name}.json"

    @property
    def log(self) -> Path:
        """What it printed."""
        return self.logs / f"{self.name}.log"

    def pid(self) -> int | None:
        """Its process id while it lives, else None. A recycled pid is told apart by its start time."""
        try:
            entry = json.loads(self.record.read_text())
        except (FileNotFoundError, ValueError):
            return None
        pid = int(entry["pid"])
        return pid if start_time(pid) == entry["start_time"] else None

    def start(self, module: str, arguments: Sequence[str], ready: Callable[[], bool], *, timeout_seconds: float) -> int:
        """Start `python -m module arguments` in a session of its own and wait until `ready()`.

        Raises ProcessFailedError where it ends or is not ready in time; then nothing of it is left.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.record.write_text(json.dumps({"pid": process.pid, "start_time": start_time(process.pid)}))
        deadline = time.monotonic() + timeout_seconds
        try:
            while not ready():
                if process.poll() is not None:
                    raise ProcessFailedError(
                        f"{self.name} ended with {process.returncode}: {last_line(self.log)} (log: {self.log})"
                    )
                if time.monotonic() > deadline:
                    raise ProcessFailedError(
                        f"{self.name} was not ready after {timeout_seconds:.0f} s (log: {self.log})"
                    )
                time.sleep(0.05)
        except BaseException:
            self.stop()
            process.wait()
            raise
        return process.pid

    def stop(self, *, grace_seconds: float = 5.0) -> bool:
        """End it (SIGTERM, then SIGKILL after `grace_seconds`) and forget it; whether there was one to end."""
        pid = self.pid()
        if pid is not None:
            end_process(pid, grace_seconds=grace_seconds)
        self.record.unlink(missing_ok=True)
        return pid is not None


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot (proc(5), stat field 22); None where it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def end_process(pid: int, *, grace_seconds: float) -> None:
    """SIGTERM to `pid`, SIGKILL when it is still there after `grace_seconds`; returns when it is gone."""
    began = start_time(pid)
    if began is None:
        return
    for number, wait in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + wait
        while time.monotonic() < deadline:
            if start_time(pid) != began:
                return
            time.sleep(0.02)


def wait_gone(pids: Iterable[int], *, timeout_seconds: float) -> None:
    """Wait until processes that have ended are reaped too: init may take a second, and until then they are listed."""
    deadline = time.monotonic() + timeout_seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)


def last_line(log: Path) -> str:
    """The last line that says something in a log, for an error message."""
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except FileNotFoundError:
        return "no log"
    return lines[-1].strip() if lines else "it printed nothing"
