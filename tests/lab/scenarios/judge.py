"""Whether what was seen of a scenario is within its bounds. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.client_session import Outage
from bench.failover_budget import BASELINE_SECONDS, NoBaselineError, require_baseline
from tests.lab.scenarios.agreement import Seen, disagreements
from tests.lab.scenarios.scenario import Scenario


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One run; times in monotonic seconds. From `acted` on the end state had been there for the quiet seconds.

    `owners` are those whom the scenario allows, `restless` the moves of addresses in quiet times, `probes` what the
    clients saw from before `fault` until after `returned`.
    """

    owners: tuple[str, ...]
    fault: float
    acted: float
    returned: float
    after: Seen
    back: Seen
    probes: Mapping[str, Any]
    restless: tuple[str, ...] = ()

    @property
    def outage(self) -> Outage:
        """Of what was done."""
        return between(self.probes, self.fault, self.acted)

    @property
    def outage_back(self) -> Outage:
        """Of the repair and the return of whoever was away."""
        return between(self.probes, self.acted, self.returned)


def between(probes: Mapping[str, Any], began: float, ended: float) -> Outage:
    """The longest time without an answer in a span, and the requests begun in it that failed. An end is an answer."""
    ends = sorted(end for _, end in probes["succeeded"] if began - BASELINE_SECONDS <= end <= ended)
    first = next((end for end in reversed(ends) if end <= began), began)
    points = [first, *(end for end in ends if end > first), ended]
    failed = sum(began - 1.0 <= at < ended - 1.0 for at, _ in probes["failed"])
    return Outage.longest(points, failed=failed)


def judge(scenario: Scenario, evidence: Evidence) -> list[str]:
    """Everything that is wrong; nothing where the scenario holds."""
    try:
        require_baseline(evidence.probes, evidence.fault)
    except NoBaselineError as error:
        return [f"nothing was measured: {error}"]
    found = []
    if evidence.after.owner not in evidence.owners:
        found.append(f"{evidence.after.owner or 'nobody'} owns, not {' or '.join(evidence.owners)}")
    found += disagreements(evidence.after)
    found += _clients(evidence.outage, scenario.outage_seconds, scenario.failed, "")
    found += [f"back: {text}" for text in disagreements(evidence.back, all_well=True)]
    if scenario.back_stays and evidence.back.owner != evidence.after.owner:
        found.append(f"back: the owner changed from {evidence.after.owner} to {evidence.back.owner}")
    found += _clients(evidence.outage_back, scenario.back_seconds, scenario.back_failed, "back: ")
    return found + [f"while nothing was done: {text}" for text in evidence.restless]


def _clients(outage: Outage, seconds: float, failed: int | None, prefix: str) -> Sequence[str]:
    found = []
    if outage.seconds > seconds:
        found.append(f"{prefix}no answer for {outage.seconds:.2f} s, allowed are {seconds:g} s")
    if failed is not None and outage.failed > failed:
        found.append(f"{prefix}{outage.failed} requests failed, allowed are {failed}")
    return found
