"""A crash of the owner while EC2, instance metadata or the other's clock are not what they should be."""

from __future__ import annotations

import time
from typing import Any

from bench.failover_causes import Pair
from lab import machine_faults
from lab.running import RunningLab
from tests.lab.scenarios import deeds
from tests.lab.scenarios.scenario import CRASH_SECONDS, Deed, Scenario

# So long a fault outlasts the crash, where it is not of so many calls: detection, and some tries.
TROUBLE_SECONDS = 6.0
# The agent tries again after 2 s at most and a fourth of that, and its patience for one call is 2 s.
RETRY_SECONDS = 4.5


def _with_api(effect: str, **more: Any) -> Deed:
    """A fault of all the other's claims that ends itself after `times`, else after TROUBLE_SECONDS."""
    document = {"kind": "api", "effect": effect, **more}
    if effect != "unreachable":
        document["actions"] = [deeds.CLAIM]

    def do(lab: RunningLab, before: Pair) -> None:
        with deeds.fault(lab, machine=before.other.instance_id, **document):
            deeds.kill_owner(lab, before)
            if "times" in document or effect == "slow":
                deeds.await_owner(lab, before.other)
            else:
                time.sleep(TROUBLE_SECONDS)

    return do


def _metadata(effect: str, **more: Any) -> Deed:
    """The other's metadata fails from the crash until it has claimed."""

    def do(lab: RunningLab, before: Pair) -> None:
        with deeds.fault(lab, kind="metadata", effect=effect, machine=before.other.instance_id, **more):
            deeds.kill_owner(lab, before)
            deeds.await_owner(lab, before.other)
            time.sleep(TROUBLE_SECONDS)

    return do


def _wrong_clock(lab: RunningLab, before: Pair) -> None:
    began = time.monotonic()
    fault = machine_faults.put(lab, before.other, "clock", seconds=3600.0)
    deeds.kill_owner(lab, before)
    deeds.await_refusals(lab, before.other, began)
    machine_faults.undo(lab, fault)


SCENARIOS = (
    Scenario(
        name="api-unreachable",
        text=f"a crash while the other does not reach EC2 for {TROUBLE_SECONDS:g} s",
        act=_with_api("unreachable"),
        next_owner="other",
        outage_seconds=CRASH_SECONDS + TROUBLE_SECONDS + RETRY_SECONDS,
    ),
    Scenario(
        name="api-slow",
        text="a crash while each claim takes 1.5 s more",
        act=_with_api("slow", seconds=1.5),
        next_owner="other",
        outage_seconds=CRASH_SECONDS + 1.5,
    ),
    Scenario(
        name="api-throttled",
        text="a crash while EC2 throttles three claims",
        act=_with_api("throttled", times=3),
        next_owner="other",
        outage_seconds=CRASH_SECONDS + 4.0,
    ),
    Scenario(
        name="api-denied",
        text=f"a crash while the other may not claim for {TROUBLE_SECONDS:g} s",
        act=_with_api("denied"),
        next_owner="other",
        outage_seconds=CRASH_SECONDS + TROUBLE_SECONDS + RETRY_SECONDS,
    ),
    Scenario(
        name="api-silent",
        text="a crash while EC2 accepts a claim and never answers",
        act=_with_api("silent", times=1),
        next_owner="other",
        outage_seconds=CRASH_SECONDS + 3.0,
    ),
    Scenario(
        name="lying-500",
        text="a crash while EC2 does what the claim asks and answers 500",
        act=_with_api("lying", times=1),
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="metadata-gone",
        text="a crash while the other's instance metadata does not answer",
        act=_metadata("gone"),
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="metadata-slow",
        text="a crash while the other's instance metadata takes 0.8 s more a request",
        act=_metadata("slow", seconds=0.8),
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="wrong-clock",
        text="the other's clock is an hour ahead and EC2 refuses its signature; a crash, and the clock is put right",
        act=_wrong_clock,
        next_owner="other",
        outage_seconds=CRASH_SECONDS + 2 * RETRY_SECONDS,
    ),
)
