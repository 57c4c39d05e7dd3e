"""Directors that do not hear each other, cables, and a network that follows slowly."""

from __future__ import annotations

import time

from bench.failover_causes import Pair
from lab import machine_faults
from lab.running import RunningLab
from tests.lab.scenarios import deeds
from tests.lab.scenarios.scenario import CRASH_SECONDS, NOTHING_SECONDS, SINGLE_REQUESTS, Deed, Scenario

SLOW_REMAP_SECONDS = 5.0
# Both are MASTER for so long: the address moves a few times, and one of them holds off.
APART_SECONDS = 6.0


def _both_master(lab: RunningLab) -> bool:
    return set(deeds.vrrp(lab).values()) == {"MASTER"}


def _partition(lab: RunningLab, before: Pair) -> None:
    ends = {"first": before.owner.interface_id, "second": before.other.interface_id}
    with deeds.fault(lab, kind="block", protocol="vrrp", **ends):
        deeds.until("both are MASTER", lambda: _both_master(lab))
        time.sleep(APART_SECONDS)


def _deaf(lab: RunningLab, before: Pair) -> None:
    """The other does not hear the owner, and is heard."""
    ends = {"first": before.owner.interface_id, "second": before.other.interface_id}
    began = time.monotonic()
    with deeds.fault(lab, kind="block", protocol="vrrp", both_ways=False, **ends):
        deeds.until("the other claims", lambda: deeds.claims(lab, before.other, began), every=deeds.LOOK_SECONDS)
        time.sleep(APART_SECONDS)


def _unplug(lab: RunningLab, before: Pair) -> None:
    machine_faults.put(lab, before.owner, "unplugged")


def _slowly(deed: Deed) -> Deed:
    """With a network that follows a call only after SLOW_REMAP_SECONDS."""

    def do(lab: RunningLab, before: Pair) -> None:
        with deeds.fault(lab, kind="remap", seconds=SLOW_REMAP_SECONDS):
            deed(lab, before)
            deeds.await_owner(lab, before.other)
            time.sleep(SLOW_REMAP_SECONDS)

    return do


SCENARIOS = (
    Scenario(
        name="partition-and-heal",
        text="the directors do not hear each other (protocol 112), both are MASTER and reach EC2; then they do again",
        act=_partition,
        next_owner="either",
        outage_seconds=CRASH_SECONDS,
        core=True,
    ),
    Scenario(
        name="partition-one-way",
        text="the other does not hear the owner, but is heard; then it does again",
        act=_deaf,
        next_owner="either",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="unplugged",
        text="the owner's network cable is pulled, and plugged in again later",
        act=_unplug,
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="standby-unplugged",
        text=f"the other's network cable is out for {APART_SECONDS:g} s",
        act=lambda lab, before: deeds.for_a_while(lab, before.other, "unplugged", APART_SECONDS),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
    Scenario(
        name="slow-remap-crash",
        text=f"the network follows a call after {SLOW_REMAP_SECONDS:g} s, and the owner's power goes",
        act=_slowly(deeds.kill_owner),
        next_owner="other",
        outage_seconds=CRASH_SECONDS + SLOW_REMAP_SECONDS,
    ),
    Scenario(
        name="slow-remap-switch",
        text=f"the network follows a call after {SLOW_REMAP_SECONDS:g} s, and the owner gets a penalty",
        act=_slowly(deeds.owner_runs(deeds.SWITCH)),
        next_owner="other",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
)
