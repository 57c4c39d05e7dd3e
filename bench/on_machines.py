"""Commands in a lab's machines that must succeed, and a lab of a bench's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from lab.paths import lab_paths
from lab.running import LabError, RunningLab
from lab.status import Machine

PROJECT = Path(__file__).resolve().parent.parent
LAB = Path(sys.executable).with_name("lab")
COMMAND_SECONDS = 120.0


def of_role(lab: RunningLab, role: str) -> list[Machine]:
    """The lab's machines of a role: "director" or "web-server"."""
    return [machine for machine in lab.machines() if machine.role == role]


def must_run(lab: RunningLab, machine: Machine, command: str) -> str:
    """What a command printed in a machine. Raises LabError where it failed."""
    done = lab.run(machine, command, timeout_seconds=COMMAND_SECONDS)
    if done.exit_code:
        raise LabError(f"on {machine.name}, exit {done.exit_code}: {command[:200]}\n{done.stdout}{done.stderr}")
    return done.stdout


def in_parallel(work: Callable[[Machine], object], machines: Sequence[Machine]) -> None:
    """Do it to every machine at once; the first that fails raises."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(work, machines))


@contextmanager
def own_lab(home: Path) -> Iterator[RunningLab]:
    """A lab at `home`, brought up where it is not, and down again then. Raises LabError."""
    lab = RunningLab(project=PROJECT, paths=lab_paths(PROJECT, home=home))
    was_up = lab.is_up
    environment = {**os.environ, "LAB_HOME": str(home.absolute())}
    try:
        if not was_up:
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            done = subprocess.run([str(LAB), "up", "--port", str(port)], env=environment, check=False)
            if done.returncode:
                raise LabError(f"no lab, no measurement; its logs are in {lab.paths.logs}")
        yield lab
    finally:
        if not was_up:
            subprocess.run([str(LAB), "down"], env=environment, check=False)
