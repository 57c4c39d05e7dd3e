"""QEMU as a process: start it detached, ask whether it lives, cut its power."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab.machines.errors import MachineError
from lab.machines.hardware import EMULATOR, Hardware, command_line

# Beside the guest's own memory: QEMU itself, translated code and device state, for a machine that has little to do.
OVERHEAD_MIB = 150
START_SECONDS = 60.0


def require_tools(tools: Sequence[str]) -> None:
    """MachineError naming every program of `tools` that is missing, and what to do."""
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        raise MachineError(f"missing: {', '.join(missing)}; `make setup` installs what the lab needs")


def require_memory(memory_mib: int) -> None:
    """MachineError where this host has not the memory for one more machine with `memory_mib` of its own."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available_mib = int(fields["MemAvailable"].split()[0]) // 1024
    if available_mib < memory_mib + OVERHEAD_MIB:
        raise MachineError(
            f"not enough memory for a machine: {available_mib} MiB are free and it takes {memory_mib + OVERHEAD_MIB}; "
            "end something, or have fewer web servers"
        )


def launch(hardware: Hardware) -> int:
    """Start QEMU in the background and give its process id; it is no child of this process afterwards.

    Raises MachineError with QEMU's own words where it does not come up.
    """
    require_tools([EMULATOR])
    require_memory(hardware.memory_mib)
    try:
        result = subprocess.run(
            command_line(hardware), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_SECONDS
        )
    except subprocess.TimeoutExpired:
        end(hardware.pid_file)
        raise MachineError(f"QEMU did not come up in {START_SECONDS:.0f} s (log: {hardware.log})") from None
    pid = running_pid(hardware.pid_file)
    if result.returncode or pid is None:
        said = (result.stderr.strip() or _text(hardware.log)).splitlines()
        raise MachineError(f"QEMU did not start: {said[-1] if said else 'it said nothing'} (log: {hardware.log})")
    return pid


def running_pid(pid_file: Path) -> int | None:
    """The process id of the QEMU with that pid file while it lives. A recycled id is told apart by its command line."""
    try:
        pid = int(pid_file.read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if os.fsencode(pid_file) in arguments else None


def end(pid_file: Path) -> bool:
    """SIGKILL to the QEMU with that pid file, as a power cut; returns when it is gone, and whether there was one."""
    pid = running_pid(pid_file)
    if pid is None:
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_end(pid_file, timeout_seconds=10.0)
    return True


def wait_end(pid_file: Path, *, timeout_seconds: float) -> bool:
    """Wait until the QEMU with that pid file is gone; whether it is."""
    deadline = time.monotonic() + timeout_seconds
    while running_pid(pid_file) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def create_overlay(disk: Path, *, backing: str, backing_format: str) -> None:
    """A new qcow2 file of what differs from `backing`; a relative one counts from the directory of the new file."""
    command = ("qemu-img", "create", "-q", "-f", "qcow2", "-b", backing, "-F", backing_format, str(disk))
    require_tools(command[:1])
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise MachineError(f"no disk for a machine: {result.stderr.strip()}")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""
