"""`lab fault ...` and `lab clear`: what goes wrong, on demand."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated

import typer

from lab import fault_control, machine_faults
from lab.progress import Progress
from lab.running import RunningLab
from lab.status import FaultLine
from lab.verbs import MachineName, app, out, running_lab, verb

faults = typer.Typer(
    help="Make something go wrong. `lab status` shows what does, `lab clear` ends it.", no_args_is_help=True
)
app.add_typer(faults, name="fault")

OfMachine = Annotated[str | None, typer.Option("--machine", help="only for this machine; all, if left out")]


class ApiEffect(StrEnum):
    """What happens to calls; see lab/cloud/faults.py."""

    SLOW = "slow"
    THROTTLED = "throttled"
    DENIED = "denied"
    ERROR = "error"
    LYING = "lying"
    SILENT = "silent"
    UNREACHABLE = "unreachable"


class MetadataEffect(StrEnum):
    """What happens to requests for metadata."""

    SLOW = "slow"
    GONE = "gone"


@verb("api", faults)
def api(
    effect: Annotated[
        ApiEffect,
        typer.Argument(
            help="slow; throttled, denied or error (refused so); lying (done, then answered 500); "
            "silent (accepted, never answered); unreachable"
        ),
    ],
    seconds: Annotated[float | None, typer.Option(help="with slow: how much longer a call takes")] = None,
    action: Annotated[
        list[str] | None, typer.Option(help="only this call, or pattern with * (repeatable)", metavar="NAME")
    ] = None,
    machine: OfMachine = None,
    times: Annotated[int | None, typer.Option(help="so many calls, then it is over")] = None,
) -> None:
    """Calls of machines to the AWS API go wrong; those of this host never do."""
    lab = running_lab()
    fault = {"kind": "api", "effect": effect.value, "seconds": seconds, "times": times, "actions": action or None}
    _told(fault_control.add(lab, fault | {"machine": _instance(lab, machine)}))


@verb("metadata", faults)
def metadata(
    effect: Annotated[MetadataEffect, typer.Argument(help="slow, or gone: no answer at all")],
    seconds: Annotated[float | None, typer.Option(help="with slow: how much longer a request takes")] = None,
    machine: OfMachine = None,
) -> None:
    """Instance metadata goes wrong."""
    lab = running_lab()
    fault = {"kind": "metadata", "effect": effect.value, "seconds": seconds, "machine": _instance(lab, machine)}
    _told(fault_control.add(lab, fault))


@verb("remap", faults)
def remap(seconds: Annotated[float, typer.Argument(help="until the network follows a moved address", min=0)]) -> None:
    """A moved address takes so long to arrive."""
    _told(fault_control.add(running_lab(), {"kind": "remap", "seconds": seconds}))


@verb("block", faults)
def block(
    first: Annotated[str, typer.Argument(help="machine, or *", metavar="FROM")],
    second: Annotated[str, typer.Argument(help="machine, api, metadata, internet, or *", metavar="TO")],
    protocol: Annotated[str, typer.Option(help="all, tcp, udp, icmp, vrrp, or a number")] = "all",
    port: Annotated[int | None, typer.Option(help="with tcp and udp: source or destination port")] = None,
    one_way: Annotated[bool, typer.Option("--one-way", help="only from FROM to TO")] = False,
) -> None:
    """Packets between two ends are lost, as by a network ACL."""
    lab = running_lab()
    ends = {"first": fault_control.end_of_block(lab, first), "second": fault_control.end_of_block(lab, second)}
    fault = {"kind": "block", **ends, "protocol": protocol, "port": port, "both_ways": not one_way}
    _told(fault_control.add(lab, fault))


@verb("pause", faults)
def pause(
    machine: MachineName,
    duration: Annotated[
        float | None, typer.Option("--for", help="go on after so many seconds; the command waits for it", min=0)
    ] = None,
) -> None:
    """Stop a machine's processor: it is there and does nothing."""
    lab = running_lab()
    fault = machine_faults.put(lab, lab.machine(machine), "paused")
    _told(fault)
    if duration is not None:
        try:
            time.sleep(duration)
        finally:
            machine_faults.undo(lab, fault)
        out.print(f"{fault.machine} goes on")


@verb("unplug", faults)
def unplug(machine: MachineName) -> None:
    """Pull a machine's network cable: its card has no link."""
    lab = running_lab()
    _told(machine_faults.put(lab, lab.machine(machine), "unplugged"))


@verb("clock", faults)
def clock(machine: MachineName, by: Annotated[float, typer.Option(help="seconds; behind, where negative")]) -> None:
    """Set a machine's clock wrong."""
    lab = running_lab()
    _told(machine_faults.put(lab, lab.machine(machine), "clock", seconds=by))


@verb("clear")
def clear(
    ids: Annotated[list[str] | None, typer.Argument(help="as `lab status` names them; all, if left out")] = None,
) -> None:
    """End faults, all or some: also a machine without power gets it back."""
    cleared = fault_control.clear(running_lab(), ids or [], progress=Progress(console=out))
    for fault in cleared:
        out.print(f"ended {fault.id}: {fault.text}", markup=False)
    if not cleared:
        out.print("nothing was wrong")


def _instance(lab: RunningLab, machine: str | None) -> str | None:
    return None if machine is None else lab.machine(machine).instance_id


def _told(fault: FaultLine | machine_faults.MachineFault) -> None:
    out.print(f"{fault.id}: {fault.text}; end it with: lab clear {fault.id}", markup=False)
