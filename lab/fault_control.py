"""Making and ending faults of a running lab, whoever keeps the record: the cloud (services, packets) or the host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab import lifecycle, machine_faults
from lab.progress import Progress
from lab.running import LabError, RunningLab
from lab.status import KILLED, FaultLine, with_names


def add(lab: RunningLab, fault: Mapping[str, Any]) -> FaultLine:
    """Put a fault of the cloud's (lab/cloud/faults.py) in force. Raises FaultRefusedError with all its faults."""
    added = lab.cloud_faults.add(fault)
    return FaultLine(id=added["id"], text=with_names(added["text"], lab.machines()))


def clear(lab: RunningLab, ids: Iterable[str], *, progress: Progress) -> list[FaultLine]:
    """Undo the faults of these ids, or all. Raises LabError for an id that is not there; then nothing is undone."""
    machines = lab.machines()
    current = {fault.id: fault for fault in lab.faults(machines)}
    wanted = list(dict.fromkeys(ids)) or list(current)
    unknown = [name for name in wanted if name not in current]
    if unknown:
        raise LabError(f"no fault {', '.join(unknown)}; there are: {', '.join(current) or 'none'}")
    of_machines = {fault.id: fault for fault in lab.machine_faults.current()}
    killed = {f"{KILLED}-{machine.name}": machine for machine in machines}
    for name in wanted:
        if name in of_machines:
            machine_faults.undo(lab, of_machines[name])
        elif name in killed:
            lifecycle.start(lab, killed[name], progress=progress)
        else:
            lab.cloud_faults.clear(name)
    return [current[name] for name in wanted]


def end_of_block(lab: RunningLab, text: str) -> str:
    """One end of a blocked path as the fabric knows it: a machine's interface, or the word itself."""
    if text in ("api", "metadata", "internet", "*"):
        return text
    interface = lab.machine(text).interface_id
    if interface is None:
        raise LabError(f"{text} has no interface")
    return interface
