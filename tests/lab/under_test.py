"""The lab as the machine tests drive it: by its command, as a user does."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.fabric.client import FabricClient
from lab.paths import lab_paths
from lab.running import RunningLab

PROJECT = Path(__file__).resolve().parents[2]
LAB = Path(sys.executable).with_name("lab")
# Measured: 90 s for a warm `lab up`; the image, where it is missing, comes on top.
UP_SECONDS = 1500


@dataclass(frozen=True, kw_only=True)
class LabUnderTest:
    """A lab of the tests' own (its home is not the user's), driven as a user does: by the command."""

    home: Path
    port: int
    options: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "LAB_HOME": str(self.home)}

    @property
    def inside(self) -> RunningLab:
        """The same lab from within: its account as administrator, its namespace, its fabric."""
        return RunningLab(project=PROJECT, paths=lab_paths(PROJECT, home=self.home))

    def drops(self) -> Counter[str]:
        """Frames dropped since the fabric began, by `rule@machine`, with machines' names."""
        names = {machine.interface_id: machine.name for machine in self.inside.machines()}
        counters = FabricClient(self.inside.paths.fabric_socket).counters()
        return Counter({f"{rule}@{names.get(at, at)}": n for rule, by in counters.items() for at, n in by.items()})

    def __call__(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(LAB), *arguments], env=self.environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def up(self) -> subprocess.CompletedProcess[str]:
        return self("up", "--port", str(self.port), *self.options, timeout=UP_SECONDS)

    def begin_up(self) -> subprocess.Popen[str]:
        """`lab up`, to be waited for later: what it says goes to HOME/up.log."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "up.log").open("w") as log:
            return subprocess.Popen(
                [str(LAB), "up", "--port", str(self.port), *self.options],
                env=self.environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def status(self) -> dict[str, Any]:
        done = self("status", "--json")
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def machine(self, name: str) -> dict[str, Any]:
        return next(machine for machine in self.status()["machines"] if machine["name"] == name)

    def run(self, machine: str, command: str) -> str:
        """What a command printed inside a machine; it must succeed."""
        done = self.inside.run(self.inside.machine(machine), command, timeout_seconds=120)
        assert done.exit_code == 0, f"{command} on {machine}: exit {done.exit_code}\n{done.stdout}{done.stderr}"
        return done.stdout

    def page(self, timeout: float = 3) -> str | None:
        """The page through the host's port, or None."""
        done = subprocess.run(
            ["curl", "-sf", "--max-time", str(timeout), f"http://127.0.0.1:{self.port}/"],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout if done.returncode == 0 else None

    def wait(self, what: str, condition: Callable[[], object], *, seconds: float) -> float:
        """Until `condition()` is true: how long it took. A failure names `what` and where the logs are."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > seconds:
                pytest.fail(f"not within {seconds:.0f} s: {what}\n{json.dumps(self.status(), indent=1)}")
            time.sleep(0.2)
        return time.monotonic() - began


@contextmanager
def lab_of(home: Path, *options: str) -> Iterator[LabUnderTest]:
    """A lab that is not up yet. At the end it goes down and must leave nothing; of a failure, its journals stay."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    under_test = LabUnderTest(home=home, port=port, options=options)
    under_test("down")
    shutil.rmtree(home, ignore_errors=True)
    try:
        yield under_test
    except BaseException:
        keep_journals(under_test)
        raise
    finally:
        down = under_test("down")
        assert down.returncode == 0, down.stderr
        assert processes_of(home) == []


def keep_journals(under_test: LabUnderTest) -> None:
    """What the machines say of themselves, into HOME/logs/journals."""
    directory = under_test.home / "logs" / "journals"
    status = under_test("status", "--json")
    if status.returncode != 0:
        return
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "status.json").write_text(status.stdout)
    for machine in json.loads(status.stdout)["machines"]:
        (directory / f"{machine['name']}.log").write_text(under_test("logs", machine["name"], "-n", "2000").stdout)
        first_boot = under_test("run", machine["name"], "--", "cat /var/log/cloud-init-output.log")
        (directory / f"{machine['name']}.first-boot.log").write_text(first_boot.stdout)
    print(f"the machines' journals of this failed session are in {directory}")


def processes_of(home: Path) -> list[str]:
    """The command lines of all processes that mention the lab's home or its socket directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home) in line:
            found.append(line)
    return found
