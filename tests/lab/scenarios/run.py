"""One scenario on a running lab: everything is well, it happens, the end state stays, everything is well again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bench import failover_causes
from bench.client_session import ClientSession, Outage, clients
from bench.failover_budget import BASELINE_SECONDS, WRITES
from bench.failover_causes import Pair
from bench.on_machines import must_run, of_role
from lab.fault_client import FaultRefusedError
from lab.machines.channel import ChannelError
from lab.machines.errors import MachineError
from lab.running import LabError, RunningLab
from lab.status import Machine
from tests.lab.scenarios.agreement import Seen, disagreements, look
from tests.lab.scenarios.deeds import ASK_SECONDS, LOOK_SECONDS, SWITCH, await_owner, owned_by
from tests.lab.scenarios.judge import Evidence, judge
from tests.lab.scenarios.scenario import Scenario

# For so long nothing may move once the end state is there.
QUIET_SECONDS = 3.0
# What came of a repair is there at once, or when metadata and the agents' looks have followed.
AGREEMENT_SECONDS = 60.0
JOURNAL = "journalctl -u lvs-agent -u keepalived --no-pager -o short-precise --since=-{seconds:.0f}s | tail -n 80"
LAB_ERRORS = (LabError, MachineError, ChannelError, FaultRefusedError, OSError, ValueError)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of a scenario: `faults` is empty where it holds; outages are None where it did not come so far."""

    name: str
    faults: tuple[str, ...]
    seconds: float
    outage: Outage | None = None
    outage_back: Outage | None = None
    owner: str | None = None
    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.name}: {'FAILED' if self.faults else 'holds'} ({self.seconds:.0f} s)", *self.lines]
        return "\n  ".join([*lines, *(f"WRONG: {fault}" for fault in self.faults)])


def run(lab: RunningLab, scenario: Scenario) -> Result:
    """Let it happen, and judge. What goes wrong is in the result, the lab's own failures too."""
    began = time.monotonic()
    try:
        before = settle(lab, first_owner=scenario.first_owner)
        evidence = _happened(lab, scenario, before)
        faults = judge(scenario, evidence)
        lines = list(_timeline(lab, scenario, before, evidence))
        if faults:
            lines += _journals(lab, time.monotonic() - evidence.fault + 5)
    except LAB_ERRORS as error:
        lines = list(_journals(lab, time.monotonic() - began))
        return Result(
            name=scenario.name,
            faults=(f"{type(error).__name__}: {error}",),
            seconds=time.monotonic() - began,
            lines=tuple(lines),
        )
    return Result(
        name=scenario.name,
        faults=tuple(faults),
        seconds=time.monotonic() - began,
        outage=evidence.outage,
        outage_back=evidence.outage_back,
        owner=evidence.after.owner,
        lines=tuple(lines),
    )


def settle(lab: RunningLab, *, first_owner: str | None = None) -> Pair:
    """Undo every fault; the owner and the other when both are well and everybody agrees about it. Raises LabError.

    Where another is to own first, it gets the virtual IP by a planned switch.
    """
    found = _settled(lab)
    if first_owner in (None, found.owner.name):
        return found
    must_run(lab, found.owner, SWITCH)
    await_owner(lab, found.other)
    return _settled(lab)


def _settled(lab: RunningLab) -> Pair:
    if not lab.faults(lab.machines()) and not disagreements(look(lab), all_well=True):
        found = failover_causes.pair(lab)
        if found is not None:
            return found
    found = failover_causes.settle(lab)
    deadline = time.monotonic() + AGREEMENT_SECONDS
    while wrong := disagreements(look(lab), all_well=True):
        if time.monotonic() > deadline:
            raise LabError(f"not well within {AGREEMENT_SECONDS:.0f} s: {'; '.join(wrong)}")
        time.sleep(ASK_SECONDS)
    return found


def _happened(lab: RunningLab, scenario: Scenario, before: Pair) -> Evidence:
    owners = scenario.owners(before)
    with clients(lab, str(lab.outputs()["elasticIp"])) as session:
        session("probe")
        time.sleep(BASELINE_SECONDS + 1.0)
        if session("answered") is None:
            raise LabError("no probe was answered before anything was done")
        fault = time.monotonic()
        try:
            scenario.act(lab, before)
            after, acted, moved = _end_state(lab, session, owners, scenario.patience_seconds)
        finally:
            scenario.repair(lab, before)
        settle(lab)
        back, returned, moved_back = _stays(lab, time.monotonic())
        probes = session("probed")
    return Evidence(
        owners=owners,
        fault=fault,
        acted=acted,
        returned=returned,
        after=after,
        back=back,
        probes=probes,
        restless=(*moved, *moved_back),
    )


def _end_state(
    lab: RunningLab, session: ClientSession, owners: Sequence[str], patience: float
) -> tuple[Seen, float, list[str]]:
    """What there is a while after everybody agrees, or the patience ends; when; and what moved in that while."""
    deadline = time.monotonic() + patience
    # Machines are asked only when the account and the clients are content: to answer costs them their processor.
    while time.monotonic() < deadline:
        answered = session("answered")
        content = answered is not None and time.monotonic() - answered < 1.0 and owned_by(lab, *owners)
        if content and not disagreements(look(lab)):
            break
        time.sleep(ASK_SECONDS if content else LOOK_SECONDS)
    return _stays(lab, time.monotonic())


def _stays(lab: RunningLab, since: float) -> tuple[Seen, float, list[str]]:
    time.sleep(QUIET_SECONDS)
    seen, names = look(lab), _names(lab)
    return seen, time.monotonic(), [_move(move, names, since) for move in lab.journal(since=since)["moves"]]


def _timeline(lab: RunningLab, scenario: Scenario, before: Pair, evidence: Evidence) -> Iterator[str]:
    """What happened, in seconds from the fault."""
    yield f"{scenario.text}; {before.owner.name} owned"
    names = _names(lab)
    journal = lab.journal(since=evidence.fault)
    events = [(move["at"], _move(move, names, evidence.fault)) for move in journal["moves"]]
    events += [
        (call["received"], _call(call, names, evidence.fault))
        for call in journal["calls"]
        if call["action"] in WRITES and not call["dry_run"]
    ]
    for at, seen, text in ((evidence.acted, evidence.after, "end"), (evidence.returned, evidence.back, "back")):
        states = ", ".join(f"{each.name} {each.vrrp}" for each in seen.directors)
        events.append((at, f"{at - evidence.fault:+7.2f} s {text}: {seen.owner} owns; {states}"))
    for outage, text in ((evidence.outage, "clients"), (evidence.outage_back, "clients, back")):
        told = f"no answer for {outage.seconds:.2f} s, {outage.failed} requests failed"
        events.append((outage.began, f"{outage.began - evidence.fault:+7.2f} s {text}: {told}"))
    yield from (text for _, text in sorted(events, key=lambda event: event[0]))
    yield from (f"failed: {began - evidence.fault:+.2f} s {why}" for began, why in evidence.probes["failed"][:5])


def _names(lab: RunningLab) -> dict[str | None, str]:
    return {machine.interface_id: machine.name for machine in lab.machines()}


def _move(move: dict[str, Any], names: dict[str | None, str], zero: float) -> str:
    holder = names.get(move["interface"], str(move["interface"])) if move["interface"] else "nobody"
    public = f", {move['public']} leads to it" if move["public"] else ""
    return f"{move['at'] - zero:+7.2f} s {move['address']} is {holder}'s{public}"


def _call(call: dict[str, Any], names: dict[str | None, str], zero: float) -> str:
    about = names.get(call["interface"], str(call["interface"]))
    took = call["answered"] - call["received"]
    return f"{call['received'] - zero:+7.2f} s {call['action']} for {about}: {call['status']} after {took:.2f} s"


def _journals(lab: RunningLab, seconds: float) -> list[str]:
    """The ends of the directors' journals, of those that answer."""

    def of(machine: Machine) -> list[str]:
        try:
            said = lab.run(machine, JOURNAL.format(seconds=seconds), timeout_seconds=60).stdout
        except LAB_ERRORS as error:
            return [f"{machine.name} says nothing: {error}"]
        return [f"{machine.name}: {line}" for line in said.splitlines()]

    return [line for machine in of_role(lab, "director") for line in of(machine)]


def as_json(result: Result) -> str:
    """One line for a file."""
    outages = {"outage": result.outage, "back": result.outage_back}
    told = {
        name: outage and {"seconds": round(outage.seconds, 3), "failed": outage.failed}
        for name, outage in outages.items()
    }
    return json.dumps({"name": result.name, "faults": result.faults, "seconds": round(result.seconds, 1), **told})
