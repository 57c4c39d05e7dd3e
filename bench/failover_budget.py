"""What a failover's time went into, of what was seen from outside; percentiles, and the targets. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.client_session import Outage
from bench.clients import PROBE_INTERVAL_SECONDS

# How long probes must have gone well before the fault, and how many of those that were due must have been answered.
BASELINE_SECONDS = 3.0
BASELINE_SHARE = 0.5
# Answers that had passed the old owner when its address went still arrive for so long.
ANSWERS_UNDER_WAY_SECONDS = 0.25
FAILURES_KEPT = 5
WRITES = ("AssignPrivateIpAddresses", "AssociateAddress", "UnassignPrivateIpAddresses", "DisassociateAddress")

CRASH_SHARE, CRASH_FACTOR, EVENT_SECONDS, PLANNED_RUNS = 1 / 3, 1.3, 0.02, 10
PLANNED = ("penalty", "stop")


class NoBaselineError(ValueError):
    """Probes were not answered before the fault: whatever came after says nothing."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One fault and what came of it, in seconds. A phase is None where it cannot be told.

    `detect` is from the fault to the claim's request at the API, `claim` from there to the answer, `remap` from there
    until packets go the new way, `first_answer` from there to the first probe answered. `event_to_request` is from the
    agent's reading of Keepalived's word to the API's receipt of the request, the answer's way back included: an
    upper bound. `waited` is the part of it until the agent hands the request over to be sent, `slowest` how long the
    slowest of the answers took. `writes` are calls that EC2 carried out,
    `calls` those that it received, `failed` the probes that failed; `failures` says of some when after the fault they
    began, and why they failed.
    """

    system: str
    cause: str
    number: int
    outage: float
    failed: int
    probes: int
    detect: float | None = None
    claim: float | None = None
    remap: float | None = None
    first_answer: float | None = None
    event_to_request: float | None = None
    waited: float | None = None
    slowest: float = 0.0
    calls: int = 0
    writes: int = 0
    failures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class AgentsCall:
    """What an agent measured of a call: from Keepalived's word until it hands it over, and from there to the answer."""

    waited: float
    seconds: float


def require_baseline(probes: Mapping[str, Any], fault: float) -> None:
    """Raise NoBaselineError unless probes were answered up to the fault (monotonic seconds)."""
    window = fault - BASELINE_SECONDS
    good = [end for _, end in probes["succeeded"] if window <= end <= fault]
    # What began shortly before the fault may have failed because of it.
    bad = [why for began, why in probes["failed"] if window <= began < fault - 1.0]
    due = BASELINE_SECONDS / PROBE_INTERVAL_SECONDS
    if bad or len(good) < due * BASELINE_SHARE:
        raise NoBaselineError(
            f"in the {BASELINE_SECONDS:g} s before the fault {len(good)} probes of {due:.0f} were answered, "
            f"{len(bad)} failed{f' ({bad[0]})' if bad else ''}"
        )


def split(
    *,
    system: str,
    cause: str,
    number: int,
    fault: float,
    probes: Mapping[str, Any],
    journal: Mapping[str, Sequence[Mapping[str, Any]]],
    virtual_ip: str,
    interface: str,
    agents_call: AgentsCall | None = None,
) -> Run:
    """One run, of the cloud's journal and the probes; `interface` is the new owner's. Raises NoBaselineError.

    `agents_call` is the new owner's first.
    """
    require_baseline(probes, fault)
    # Earlier successes would hide nothing, but a gap before the fault is none of its doing.
    relevant = [(began, end) for began, end in probes["succeeded"] if end >= fault - BASELINE_SECONDS]
    failed = [each for each in probes["failed"] if each[0] >= fault - 1.0]
    outage = Outage.of({"succeeded": relevant, "failed": failed})
    calls = [call for call in journal["calls"] if call["action"] in WRITES and not call["dry_run"]]
    done = [call for call in calls if call["status"] == 200]
    claims = [call for call in calls if (call["action"], call["interface"]) == (WRITES[0], interface)]
    requested = claims[0]["received"] if claims else None
    granted = next((call["answered"] for call in claims if call["status"] == 200), None)
    # Each of the two is a duration by one clock, so that the machines' clocks need not agree.
    served = claims[0]["answered"] - claims[0]["received"] if claims else None
    moves = [
        move["at"]
        for move in journal["moves"]
        if (move["address"], move["interface"]) == (virtual_ip, interface) and move["public"] is not None
    ]
    moved = moves[-1] if moves else None
    answered = None if moved is None else _answered(moved, outage, relevant)
    return Run(
        system=system,
        cause=cause,
        number=number,
        outage=outage.seconds,
        failed=outage.failed,
        probes=len(probes["succeeded"]) + len(probes["failed"]),
        detect=_between(fault, requested),
        claim=_between(requested, granted),
        remap=_between(granted, moved),
        first_answer=_between(moved, answered),
        event_to_request=_between(served, None if agents_call is None else agents_call.waited + agents_call.seconds),
        waited=None if agents_call is None else agents_call.waited,
        slowest=max((end - began for began, end in relevant), default=0.0),
        calls=len(calls),
        writes=len(done),
        failures=tuple(f"{began - fault:+.3f} s: {why}" for began, why in failed[:FAILURES_KEPT]),
    )


def _answered(moved: float, outage: Outage, succeeded: Sequence[tuple[float, float]]) -> float | None:
    """When service began after the move: at the end of the outage, where that was one of the move."""
    end = outage.began + outage.seconds
    if outage.began <= moved + ANSWERS_UNDER_WAY_SECONDS and end >= moved:
        return end
    return min((end for _, end in succeeded if end >= moved), default=None)


def _between(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that at least this share of all is not above (nearest rank). ValueError where there is none."""
    if not values:
        raise ValueError("no values, no percentile")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, kw_only=True)
class Summary:
    """All runs of one cause: outage in seconds, the phases' medians, and what was the most of failures and writes."""

    system: str
    cause: str
    runs: int
    p50: float
    p95: float
    max: float
    failed: int
    writes: int
    phases: dict[str, float | None]


PHASES = ("detect", "claim", "remap", "first_answer")


def summaries(runs: Sequence[Run]) -> list[Summary]:
    """One a system and cause, in the order of their first runs."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.system, run.cause), []).append(run)
    return [_summary(system, cause, group) for (system, cause), group in groups.items()]


def _summary(system: str, cause: str, runs: Sequence[Run]) -> Summary:
    outages = [run.outage for run in runs]

    def median(phase: str) -> float | None:
        known = [value for run in runs if (value := getattr(run, phase)) is not None]
        return percentile(known, 0.5) if known else None

    return Summary(
        system=system,
        cause=cause,
        runs=len(runs),
        p50=percentile(outages, 0.5),
        p95=percentile(outages, 0.95),
        max=max(outages),
        failed=sum(run.failed for run in runs),
        writes=max(run.writes for run in runs),
        phases={phase: median(phase) for phase in PHASES},
    )


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a crash has to take at most, by the settings in force: detection's bound, one call, the remap; seconds."""

    detection: float
    call: float
    remap: float

    @property
    def seconds(self) -> float:
        """Their sum."""
        return self.detection + self.call + self.remap


def detection_bound(*, interval: float, priority: int) -> float:
    """From an owner's death to the other's MASTER at most: three intervals and the skew (RFC 5798, section 6.1)."""
    return 3 * interval + (256 - priority) / 256 * interval


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One target: None in `held` where nothing was measured that could tell."""

    target: str
    found: str
    held: bool | None


def verdicts(runs: Sequence[Run], bounds: Bounds) -> list[Verdict]:
    """Every target of the bench against the runs."""
    ours = [run for run in runs if run.system == "ours"]
    crash = [run.outage for run in ours if run.cause == "crash"]
    original = [run.outage for run in runs if (run.system, run.cause) == ("original", "crash")]
    planned = [run for run in ours if run.cause in PLANNED]
    events = [run.event_to_request for run in ours if run.event_to_request is not None]
    waited = [run.waited for run in ours if run.waited is not None]
    # A call that EC2 throttled was carried out by nobody: only the others are counted.
    writes = [run.writes for run in ours]
    p50 = percentile(crash, 0.5) if crash else None
    theirs = percentile(original, 0.5) if original else None
    limit = CRASH_FACTOR * bounds.seconds
    failed = sum(run.failed for run in planned)
    p95 = percentile(events, 0.95) if events else None
    return [
        Verdict(
            target="crash, p50: at most a third of the original's",
            found="not measured" if p50 is None or theirs is None else f"{p50:.2f} s against {theirs:.2f} s",
            held=None if p50 is None or theirs is None else p50 <= theirs * CRASH_SHARE,
        ),
        Verdict(
            target=f"crash, p50: at most {CRASH_FACTOR:g} x ({bounds.detection:.2f} + {bounds.call:g} + "
            f"{bounds.remap:g} s) = {limit:.2f} s",
            found="not measured" if p50 is None else f"{p50:.2f} s",
            held=None if p50 is None else p50 <= limit,
        ),
        Verdict(
            target=f"planned switches: no failed request in {PLANNED_RUNS}",
            found=f"{failed} failed in {len(planned)} switches, {sum(run.probes for run in planned)} requests",
            held=False if failed else None if len(planned) < PLANNED_RUNS else True,
        ),
        Verdict(
            target=f"from event to request: at most {EVENT_SECONDS * 1000:g} ms, p95",
            found="not measured"
            if p95 is None
            else f"{p95 * 1000:.0f} ms of {len(events)} with the answer's way back"
            + (f"; {percentile(waited, 0.95) * 1000:.0f} ms until it is handed over" if waited else ""),
            held=None if p95 is None else p95 <= EVENT_SECONDS,
        ),
        Verdict(
            target="one EC2 write a failover",
            found="not measured" if not writes else f"{min(writes)} to {max(writes)} in {len(writes)} failovers",
            held=None if not writes else set(writes) == {1},
        ),
    ]


def document(runs: Sequence[Run], verdict: Sequence[Verdict], **more: Any) -> dict[str, Any]:
    """What the JSON file holds."""
    return {
        **more,
        "summaries": [asdict(each) for each in summaries(runs)],
        "verdicts": [asdict(each) for each in verdict],
        "runs": [asdict(run) for run in runs],
    }
