"""Directors that crash, hang, stop and boot."""

from __future__ import annotations

import time

from bench.failover_causes import Pair
from bench.on_machines import in_parallel
from lab import machine_faults
from lab.running import RunningLab
from tests.lab.scenarios import deeds
from tests.lab.scenarios.scenario import CRASH_SECONDS, NOTHING_SECONDS, SINGLE_REQUESTS, Deed, Scenario

# Longer than any detection: 1.5 s and what a busy machine adds.
LONG_PAUSE_SECONDS = 6.0
# Both directors are down for as long as they boot.
DOWN_SECONDS = 2 * deeds.BOOT_SECONDS


def _panic(lab: RunningLab, before: Pair) -> None:
    # Not at once, so that the order's own answer still leaves.
    order = "(sleep 0.3; echo c > /proc/sysrq-trigger) >/dev/null 2>&1 &"
    deeds.rebooted(lab, before.owner, lambda: lab.run(before.owner, order, timeout_seconds=10))


def _reboot(lab: RunningLab, before: Pair) -> None:
    deeds.rebooted(lab, before.owner, lambda: lab.ec2().reboot_instances(InstanceIds=[before.owner.instance_id]))


def _reboot_both(lab: RunningLab, before: Pair) -> None:
    ids = [before.owner.instance_id, before.other.instance_id]
    deeds.rebooted(
        lab,
        before.owner,
        lambda: deeds.rebooted(lab, before.other, lambda: lab.ec2().reboot_instances(InstanceIds=ids)),
    )


def _stop_instance(lab: RunningLab, before: Pair) -> None:
    lab.ec2().stop_instances(InstanceIds=[before.owner.instance_id])
    deeds.until("the owner is off", lambda: not lab.is_alive(before.owner))
    deeds.until("EC2 says so", lambda: lab.machine(before.owner.instance_id).state == "stopped")


def _hang_for_good(lab: RunningLab, before: Pair) -> None:
    machine_faults.put(lab, before.owner, "paused")


def _powered_on(first: str, second: str) -> Deed:
    """Both lose their power; the second gets it back when the first owns and is MASTER."""

    def do(lab: RunningLab, before: Pair) -> None:
        in_parallel(lambda machine: deeds.kill(lab, machine.name), [before.owner, before.other])
        machine, later = getattr(before, first), getattr(before, second)
        deeds.start(lab, machine.name)
        deeds.await_owner(lab, machine, seconds=deeds.BOOT_SECONDS)
        deeds.until(
            f"{machine.name} is MASTER", lambda: deeds.vrrp(lab)[machine.name] == "MASTER", seconds=deeds.BOOT_SECONDS
        )
        deeds.start(lab, later.name)

    return do


def _power_cut(lab: RunningLab, before: Pair) -> None:
    """Both at once, and both are given power at once."""
    both = [before.owner, before.other]
    in_parallel(lambda machine: deeds.kill(lab, machine.name), both)
    in_parallel(lambda machine: deeds.start(lab, machine.name), both)


def _cascade(lab: RunningLab, before: Pair) -> None:
    began = time.monotonic()
    deeds.kill_owner(lab, before)
    deeds.until("a claim", lambda: deeds.claims(lab, before.other, began), every=0.05)
    deeds.kill(lab, before.other.name)  # EC2 has said yes, the network has not followed yet
    deeds.start(lab, before.owner.name)


def _pauses(lab: RunningLab, before: Pair) -> None:
    """Three hangs in a row, each too short to be one."""
    for _ in range(3):
        deeds.for_a_while(lab, before.owner, "paused", 0.5)
        time.sleep(0.7)


SCENARIOS = (
    Scenario(
        name="crash",
        text="the owner's power goes",
        act=deeds.kill_owner,
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="panic",
        text="the owner's kernel panics, and reboots",
        act=_panic,
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
        patience_seconds=deeds.BOOT_SECONDS,
    ),
    Scenario(
        name="hang-short",
        text="the owner stands still for 0.5 s, shorter than detection takes",
        act=lambda lab, before: deeds.for_a_while(lab, before.owner, "paused", 0.5),
        next_owner="same",
        outage_seconds=0.5 + NOTHING_SECONDS,
    ),
    Scenario(
        name="hang-short-thrice",
        text="the owner stands still for 0.5 s, three times in 4 s",
        act=_pauses,
        next_owner="same",
        outage_seconds=0.5 + NOTHING_SECONDS,
    ),
    Scenario(
        name="hang-long",
        text=f"the owner stands still for {LONG_PAUSE_SECONDS:g} s and goes on; the other has the higher priority",
        act=lambda lab, before: deeds.for_a_while(lab, before.owner, "paused", LONG_PAUSE_SECONDS),
        first_owner="director-2",
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
        core=True,
    ),
    Scenario(
        name="hang-long-highest",
        text=f"the owner stands still for {LONG_PAUSE_SECONDS:g} s and goes on, as MASTER of the higher priority",
        act=lambda lab, before: deeds.for_a_while(lab, before.owner, "paused", LONG_PAUSE_SECONDS),
        first_owner="director-1",
        next_owner="same",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="hang-for-good",
        text="the owner stands still, and goes on when the other has long owned",
        act=_hang_for_good,
        first_owner="director-2",
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="hang-for-good-highest",
        text="the same, and it goes on as MASTER of the higher priority",
        act=_hang_for_good,
        first_owner="director-1",
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
        back_failed=2 * SINGLE_REQUESTS,
        back_stays=False,
    ),
    Scenario(
        name="clean-stop",
        text="systemctl stop keepalived on the owner",
        act=deeds.owner_runs("systemctl --no-block stop keepalived"),
        next_owner="other",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
        core=True,
    ),
    Scenario(
        name="standby",
        text="a planned switch: the owner's penalty file",
        act=deeds.owner_runs(deeds.SWITCH),
        next_owner="other",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
    Scenario(
        name="reboot",
        text="RebootInstances of the owner",
        act=_reboot,
        next_owner="other",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
        patience_seconds=deeds.BOOT_SECONDS,
    ),
    Scenario(
        name="instance-stopped",
        text="StopInstances of the owner, started again later",
        act=_stop_instance,
        next_owner="other",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
    Scenario(
        name="reboot-both",
        text="RebootInstances of both directors",
        act=_reboot_both,
        next_owner="either",
        outage_seconds=DOWN_SECONDS,
        patience_seconds=deeds.BOOT_SECONDS,
    ),
    Scenario(
        name="power-cut",
        text="both directors lose their power, and get it back at once",
        act=_power_cut,
        next_owner="either",
        outage_seconds=DOWN_SECONDS,
        patience_seconds=deeds.BOOT_SECONDS,
    ),
    Scenario(
        name="power-on-owner-first",
        text="both lose their power; the owner has it back first",
        act=_powered_on("owner", "other"),
        next_owner="same",
        outage_seconds=DOWN_SECONDS,
        patience_seconds=deeds.BOOT_SECONDS,
    ),
    Scenario(
        name="power-on-other-first",
        text="both lose their power; the other has it back first",
        act=_powered_on("other", "owner"),
        next_owner="other",
        outage_seconds=DOWN_SECONDS,
        patience_seconds=deeds.BOOT_SECONDS,
    ),
    Scenario(
        name="standby-crash",
        text="the power of the director that does not own goes",
        act=lambda lab, before: deeds.kill(lab, before.other.name),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
    Scenario(
        name="cascade",
        text="the owner crashes, the next one during its claim, and the first one boots",
        act=_cascade,
        next_owner="same",
        outage_seconds=DOWN_SECONDS,
        patience_seconds=deeds.BOOT_SECONDS,
    ),
)
