"""What ends an owner's service, on machines: each cause begins at once and is healed by `settle`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rich.console import Console

from bench.on_machines import must_run, of_role
from lab import fault_control, lifecycle, machine_faults
from lab.machines import qemu
from lab.machines.channel import wait_ready
from lab.progress import Progress
from lab.running import LabError, RunningLab
from lab.status import Machine, owner_of

# Measured: 20 s on a quiet machine, two minutes on a busy one.
RETURN_SECONDS = 300.0
QUIET = Progress(console=Console(quiet=True))
THROTTLED_CALLS = 2
# A machine that is only booting has no run directory yet.
TAKE_PART = "mkdir -p /run/lvs-aws && echo 0 > /run/lvs-aws/penalty; systemctl --no-block start keepalived"


@dataclass(frozen=True, kw_only=True)
class Pair:
    """The director that owns the virtual IP, and the one that is to get it."""

    owner: Machine
    other: Machine


@dataclass(frozen=True, kw_only=True)
class Cause:
    """`begin` puts it in force and returns at once; `prepare` does beforehand what takes its time."""

    text: str
    begin: Callable[[RunningLab, Pair], None]
    prepare: Callable[[RunningLab, Pair], None] = lambda *_: None


def _ordered(command: str) -> Callable[[RunningLab, Pair], None]:
    def begin(lab: RunningLab, pair: Pair) -> None:
        must_run(lab, pair.owner, command)

    return begin


def _kill(lab: RunningLab, pair: Pair) -> None:
    qemu.kill(lab.paths.machines / pair.owner.instance_id)


def _pause(lab: RunningLab, pair: Pair) -> None:
    machine_faults.put(lab, pair.owner, "paused")


def _throttle(lab: RunningLab, pair: Pair) -> None:
    fault_control.add(
        lab,
        {
            "kind": "api",
            "effect": "throttled",
            "machine": pair.other.instance_id,
            "actions": ["AssignPrivateIpAddresses"],
            "times": THROTTLED_CALLS,
        },
    )


def _reboot(lab: RunningLab, pair: Pair) -> None:
    lab.ec2().reboot_instances(InstanceIds=[pair.owner.instance_id])


CAUSES: Mapping[str, Cause] = {
    "crash": Cause(text="the owner's power goes", begin=_kill),
    "hang": Cause(text="the owner's processor stands still", begin=_pause),
    "keepalived": Cause(
        text="Keepalived is killed on the owner, all of it", begin=_ordered("pkill -KILL -x keepalived")
    ),
    "penalty": Cause(
        text="planned switch: the owner's penalty file", begin=_ordered("echo -254 > /run/lvs-aws/penalty")
    ),
    "stop": Cause(
        text="planned switch: systemctl stop keepalived", begin=_ordered("systemctl --no-block stop keepalived")
    ),
    "throttled": Cause(
        text=f"a crash, and EC2 throttles the claim {THROTTLED_CALLS} times", begin=_kill, prepare=_throttle
    ),
    "reboot": Cause(text="RebootInstances of the owner", begin=_reboot),
}
# What the original has, too: its stop is a planned switch, its return another outage by preemption.
ORIGINAL_CAUSES = ("crash", "fail-back", "stop")


def pair(lab: RunningLab) -> Pair | None:
    """Who owns by EC2's word, None where nobody does."""
    machines = lab.machines()
    owner = owner_of(machines, str(lab.outputs()["virtualIp"]))
    others = [machine for machine in machines if machine.role == "director" and machine != owner]
    return Pair(owner=owner, other=others[0]) if owner is not None and others else None


def settle(lab: RunningLab) -> Pair:
    """Undo every fault, let both directors take part, and wait until one owns and the other stands by."""
    heal(lab)
    for machine in of_role(lab, "director"):
        must_run(lab, machine, TAKE_PART)
    deadline = time.monotonic() + RETURN_SECONDS
    while time.monotonic() < deadline:
        status = lab.status()
        vrrp = {machine.name: machine.vrrp for machine in status.machines if machine.role == "director"}
        health = {machine.health for machine in status.machines if machine.role == "web-server"}
        owner = status.owner
        others = [state for name, state in vrrp.items() if name != owner]
        if owner and vrrp[owner] == "MASTER" and set(others) == {"BACKUP"} and health == {"healthy"}:
            found = pair(lab)
            if found is not None and found.owner.name == owner:
                return found
        time.sleep(0.5)
    raise LabError(f"no owner and standby within {RETURN_SECONDS:.0f} s: {lab.status().as_json()}")


def settle_original(lab: RunningLab) -> Pair:
    """The same for the original, whose first director always takes the virtual IP back: it has both addresses then."""
    heal(lab)
    first, second = of_role(lab, "director")
    for machine in (first, second):
        must_run(lab, machine, "systemctl --no-block start keepalived")
    deadline = time.monotonic() + RETURN_SECONDS
    virtual_ip = str(lab.outputs()["virtualIp"])
    shown = f"ip -4 -o address show to {virtual_ip} | grep -c {virtual_ip}; ipvsadm -Ln | grep -c 'Masq *1 '"
    while time.monotonic() < deadline:
        found = pair(lab)
        said = [lab.run(machine, shown, timeout_seconds=30).stdout.split() for machine in (first, second)]
        elastic = lab.ec2().describe_addresses(PublicIps=[str(lab.outputs()["elasticIp"])])["Addresses"][0]
        if (
            found is not None
            and found.owner.name == first.name
            and elastic.get("PrivateIpAddress") == virtual_ip
            and said == [["1", "2"], ["0", "2"]]
        ):
            return found
        time.sleep(0.5)
    raise LabError(f"the original did not settle within {RETURN_SECONDS:.0f} s: {said}, {lab.status().as_json()}")


def heal(lab: RunningLab) -> None:
    """Undo every fault, until every director has power and runs commands. Raises LabError, ChannelError."""
    fault_control.clear(lab, [], progress=QUIET)
    for machine in of_role(lab, "director"):
        if lab.is_alive(machine):
            wait_ready(lab.paths.channel_socket(machine.instance_id), timeout_seconds=RETURN_SECONDS)  # it may reboot
        else:
            lifecycle.start(lab, machine, progress=QUIET)
