"""The saved state: a machine booted once up to the point where it would need an identity, and put on disk there.

Every machine continues from it instead of booting: the boot's first half costs 25 s of a processor in emulation.
"""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lab.machines.channel import ChannelError, run_command, wait_ready
from lab.machines.errors import MachineError
from lab.machines.hardware import MEMORY_MIB, Hardware
from lab.machines.process import create_overlay, end, launch, wait_end
from lab.machines.qmp import qmp

BOOT_SECONDS = 600.0
WARM_SECONDS = 300.0
SAVE_SECONDS = 120.0
INSTANCE_ID = "i-00000000000000000"
# Beside the disk, where the next builder finds the emulator of one that was killed.
PID_FILE = "qemu.pid"


def save_state(
    *, backing_disk: str, kernel: Path, initrd: Path, disk: Path, state: Path, progress: Callable[[str], None]
) -> None:
    """Boot a machine without a network card on the new `disk` up to the hold, warm it, and write its `state`.

    `backing_disk` is the raw base disk, relative to `disk`'s directory.
    """
    create_overlay(disk, backing=backing_disk, backing_format="raw")
    with tempfile.TemporaryDirectory(prefix="lvs-lab-golden-") as text:
        run = Path(text)
        hardware = Hardware(
            instance_id=INSTANCE_ID,
            instance_type="t3.micro",
            memory_mib=MEMORY_MIB,
            disk=disk,
            kernel=kernel,
            initrd=initrd,
            console=run / "console.log",
            log=run / "qemu.log",
            pid_file=disk.parent / PID_FILE,
            channel_socket=run / "channel",
            qmp_socket=run / "qmp",
            hold=True,
        )
        try:
            began = time.monotonic()
            launch(hardware)
            _reach_hold(hardware)
            progress(f"saved state: booted to the hold ({time.monotonic() - began:.1f} s)")
            began = time.monotonic()
            _run(hardware, "/usr/local/lib/lab/warm.sh", WARM_SECONDS)
            progress(f"saved state: warmed ({time.monotonic() - began:.1f} s)")
            began = time.monotonic()
            _write(hardware, state)
            progress(f"saved state: {state.stat().st_size >> 20} MiB written ({time.monotonic() - began:.1f} s)")
        finally:
            end(hardware.pid_file)
            hardware.pid_file.unlink(missing_ok=True)


def _reach_hold(hardware: Hardware) -> None:
    try:
        wait_ready(hardware.channel_socket, timeout_seconds=BOOT_SECONDS)
    except ChannelError as error:
        lines = hardware.console.read_text(errors="replace").splitlines()[-8:]
        raise MachineError(f"the image does not boot: {error}; its console ends:\n" + "\n".join(lines)) from error
    _run(hardware, "until [ -p /run/lab-hold ]; do sleep 0.2; done", BOOT_SECONDS)


def _run(hardware: Hardware, command: str, timeout_seconds: float) -> None:
    result = run_command(hardware.channel_socket, command, timeout_seconds)
    if result.exit_code:
        raise MachineError(
            f"saving the image's state: {command} ended with {result.exit_code}: {result.stderr.strip()}"
        )


def _write(hardware: Hardware, state: Path) -> None:
    with qmp(hardware.qmp_socket) as machine:
        machine.execute("stop")
        machine.execute("migrate", uri=f"exec:cat >{shlex.quote(str(state))}")
        deadline = time.monotonic() + SAVE_SECONDS
        while (status := machine.execute("query-migrate")["status"]) != "completed":
            if status in {"failed", "cancelled"} or time.monotonic() > deadline:
                raise MachineError(f"QEMU did not save the machine's state: {status}")
            time.sleep(0.05)
        machine.execute("quit")
    wait_end(hardware.pid_file, timeout_seconds=10.0)
