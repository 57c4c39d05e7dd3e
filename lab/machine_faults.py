"""Faults of machines: paused, unplugged from the network, with a wrong clock; and the record of which are in force.

A record is in force as long as the machine's process is the one it was made for: power lost or given anew ends it.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lab.machines import qemu

if TYPE_CHECKING:
    from lab.running import RunningLab
    from lab.status import Machine

Kind = Literal["paused", "unplugged", "clock"]
CLOCK_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class MachineFault:
    """One fault of one machine's process. `seconds` is by how much a clock was moved."""

    kind: Kind
    machine: str
    instance_id: str
    pid: int
    seconds: float | None = None

    @property
    def id(self) -> str:
        """What `lab clear` takes."""
        return f"{self.kind}-{self.machine}"

    @property
    def text(self) -> str:
        """One line for people."""
        what = {"paused": "is paused", "unplugged": "has its network cable out"}
        return f"{self.machine} {what.get(self.kind, f'has its clock moved by {self.seconds} s')}"


class MachineFaultRecord:
    """The file of the faults in force. Safe from several processes."""

    def __init__(self, file: Path, running_pid: Callable[[str], int | None]) -> None:
        self.file = file
        self._running_pid = running_pid

    def current(self) -> list[MachineFault]:
        """Those in force."""
        try:
            entries = json.loads(self.file.read_text())
        except FileNotFoundError:
            return []
        faults = [MachineFault(**entry) for entry in entries]
        return [fault for fault in faults if self._running_pid(fault.instance_id) == fault.pid]

    def add(self, fault: MachineFault) -> None:
        """Note one; it takes the place of one with the same id."""
        self._change(lambda faults: [*(each for each in faults if each.id != fault.id), fault])

    def remove(self, fault: MachineFault) -> None:
        """Forget one."""
        self._change(lambda faults: [each for each in faults if each.id != fault.id])

    def _change(self, change: Callable[[list[MachineFault]], list[MachineFault]]) -> None:
        with self._locked():
            partial = self.file.with_suffix(".partial")
            partial.write_text(json.dumps([asdict(fault) for fault in change(self.current())]))
            partial.rename(self.file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self.file.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def put(lab: RunningLab, machine: Machine, kind: Kind, *, seconds: float | None = None) -> MachineFault:
    """Do it to a machine that has power. Raises LabError, MachineError."""
    pid = lab.require_power(machine)
    directory = lab.paths.machines / machine.instance_id
    fault = MachineFault(kind=kind, machine=machine.name, instance_id=machine.instance_id, pid=pid, seconds=seconds)
    if kind == "paused":
        qemu.pause(directory)
    elif kind == "unplugged":
        qemu.set_cable(directory, plugged_in=False)
    else:
        _set_clock(lab, machine, seconds or 0.0)
    lab.machine_faults.add(fault)
    return fault


def undo(lab: RunningLab, fault: MachineFault) -> None:
    """Undo it. Raises LabError, MachineError."""
    directory = lab.paths.machines / fault.instance_id
    if fault.kind == "paused":
        qemu.resume(directory)
    elif fault.kind == "unplugged":
        qemu.set_cable(directory, plugged_in=True)
    else:
        _set_clock(lab, lab.machine(fault.instance_id), 0.0)
    lab.machine_faults.remove(fault)


def _set_clock(lab: RunningLab, machine: Machine, ahead_seconds: float) -> None:
    """The machine's clock to this host's, or so far ahead of it (behind, where negative)."""
    lab.run(machine, f"date -s @{time.time() + ahead_seconds:.3f}", timeout_seconds=CLOCK_SECONDS)
