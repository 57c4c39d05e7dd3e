"""What is done to directors, web servers and the account in scenarios, and waiting for what comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.failover_causes import QUIET, Pair
from bench.on_machines import must_run
from lab import fault_control, lifecycle, machine_faults
from lab.running import LabError, RunningLab
from lab.status import Machine
from tests.lab.scenarios.agreement import holders
from tests.lab.scenarios.scenario import Deed

# To ask the account costs no machine anything, to ask a machine its processor.
LOOK_SECONDS, ASK_SECONDS = 0.25, 1.0
# An emulated machine boots in 20 s, on a busy host in two minutes.
BOOT_SECONDS = 240.0
SWITCH = "echo -254 > /run/lvs-aws/penalty"
# Measured: an agent is ready 3 s after its start on a quiet machine, 50 s on a busy one.
RESTART_SECONDS = 150.0
CLAIM = "AssignPrivateIpAddresses"


def until(what: str, condition: Callable[[], object], *, seconds: float = 60.0, every: float = ASK_SECONDS) -> None:
    """Wait for it; LabError after `seconds`. Looked at so seldom, because it may cost a machine's processor."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)


def in_turn(*deeds: Deed) -> Deed:
    """One after the other."""

    def do(lab: RunningLab, before: Pair) -> None:
        for deed in deeds:
            deed(lab, before)

    return do


def owner_runs(command: str) -> Deed:
    """A command on the owner."""
    return lambda lab, before: _ran(lab, before.owner, command)


def other_runs(command: str) -> Deed:
    """A command on the other director."""
    return lambda lab, before: _ran(lab, before.other, command)


def web_runs(name: str, command: str) -> Deed:
    """A command on a web server."""
    return lambda lab, _: _ran(lab, lab.machine(name), command)


def _ran(lab: RunningLab, machine: Machine, command: str) -> None:
    must_run(lab, machine, command)


def kill_owner(lab: RunningLab, before: Pair) -> None:
    """Take the owner's power."""
    lifecycle.kill(lab, before.owner)


def kill(lab: RunningLab, name: str) -> None:
    """Take a machine's power."""
    lifecycle.kill(lab, lab.machine(name))


def start(lab: RunningLab, name: str) -> None:
    """Give it back, and wait until the machine runs commands."""
    lifecycle.start(lab, lab.machine(name), progress=QUIET)


def for_a_while(lab: RunningLab, machine: Machine, kind: machine_faults.Kind, seconds: float) -> None:
    """A fault of a machine for so long."""
    fault = machine_faults.put(lab, machine, kind)
    time.sleep(seconds)
    machine_faults.undo(lab, fault)


@contextmanager
def fault(lab: RunningLab, **document: Any) -> Iterator[None]:
    """A fault of the cloud's (lab/cloud/faults.py) for as long as the block lasts."""
    line = fault_control.add(lab, document)
    try:
        yield
    finally:
        if line.id in {each["id"] for each in lab.cloud_faults.current()}:  # one of so many times ends itself
            lab.cloud_faults.clear(line.id)


def owned_by(lab: RunningLab, *names: str) -> bool:
    """Whether EC2 says that the virtual IP is one of them's, and nobody else's."""
    return holders(lab, str(lab.outputs()["virtualIp"])) in [(name,) for name in names]


def await_owner(lab: RunningLab, machine: Machine, *, seconds: float = 60.0) -> None:
    """Until EC2 says that the virtual IP is that director's."""
    until(
        f"the virtual IP is {machine.name}'s", lambda: owned_by(lab, machine.name), seconds=seconds, every=LOOK_SECONDS
    )


def claims(lab: RunningLab, machine: Machine, since: float) -> list[dict[str, Any]]:
    """The director's claims that EC2 has answered since a time of the monotonic clock."""
    called = lab.journal(since=since)["calls"]
    return [call for call in called if (call["action"], call["interface"]) == (CLAIM, machine.interface_id)]


def await_refusals(lab: RunningLab, machine: Machine, since: float, *, count: int = 1) -> None:
    """Until EC2 has refused so many of the director's claims."""

    def refused() -> bool:
        return len([call for call in claims(lab, machine, since) if call["status"] != 200]) >= count

    until(f"{count} refused claims of {machine.name}", refused, every=LOOK_SECONDS)


def vrrp(lab: RunningLab) -> dict[str, str | None]:
    """Every director's state by its agent's word."""
    return {each.name: each.vrrp for each in lab.status().machines if each.role == "director"}


def unit(lab: RunningLab, machine: Machine, name: str) -> tuple[str, str]:
    """A unit's main process ("0": none) and its state."""
    text = must_run(lab, machine, f"systemctl show {name} --property=MainPID,ActiveState")
    shown = dict(line.split("=", 1) for line in text.splitlines())
    return shown["MainPID"], shown["ActiveState"]


def renewed(name: str, command: str, *, on: str = "owner", seconds: float = RESTART_SECONDS) -> Deed:
    """Run a command that ends a unit's main process ($pid in it), and wait until another one is active."""

    def do(lab: RunningLab, before: Pair) -> None:
        machine = before.owner if on == "owner" else before.other
        process, _ = unit(lab, machine, name)
        must_run(lab, machine, f"pid={process}; {command}")

        def another() -> bool:
            now, state = unit(lab, machine, name)
            return bool(state == "active" and now not in ("0", process))

        until(f"another {name} on {machine.name}", another, seconds=seconds)

    return do


def healthy(lab: RunningLab, name: str) -> bool:
    """Whether the owner's checks say so of a web server."""
    return any(each.name == name and each.health == "healthy" for each in lab.status().machines)


def await_health(name: str, *, well: bool, seconds: float = 60.0) -> Deed:
    """Until a web server is healthy, or is not."""

    def do(lab: RunningLab, _: Pair) -> None:
        until(f"{name} {'well' if well else 'ill'}", lambda: healthy(lab, name) == well, seconds=seconds)

    return do


def rebooted(lab: RunningLab, machine: Machine, how: Callable[[], object]) -> None:
    """Let `how` reboot it, and wait until the machine runs commands again and the boot is another one."""
    asked = "cat /proc/sys/kernel/random/boot_id"
    boot = must_run(lab, machine, asked)
    how()

    def other_boot() -> bool:
        try:
            return lab.run(machine, asked, timeout_seconds=10).stdout not in ("", boot)
        except LabError:
            return False

    until(f"{machine.name} has booted anew", other_boot, seconds=BOOT_SECONDS)
