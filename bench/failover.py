"""How long a failover takes a client, for each cause, and where the time goes: `python -m bench.failover`.

The lab is brought up for it, in a home of its own. Each run: both directors are well, a client asks 50 times a second,
a fault comes, the virtual IP moves, the client is answered again. The design this project began with (bench/original)
is measured the same way in the same run. Ctrl-C ends it, and keeps what was measured. Nothing is reported for a run in
which the client was not answered before the fault.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.client_session import ClientSession, clients
from bench.failover_budget import (
    BASELINE_SECONDS,
    PHASES,
    PLANNED,
    AgentsCall,
    Bounds,
    NoBaselineError,
    Run,
    Verdict,
    detection_bound,
    document,
    split,
    summaries,
    verdicts,
)
from bench.failover_causes import CAUSES, ORIGINAL_CAUSES, QUIET, Pair, heal, settle, settle_original
from bench.on_machines import PROJECT, must_run, of_role, own_lab
from bench.original import original
from bench.plot import panels
from bench.timeline import timeline
from lab import lifecycle
from lab.cloud.options import API_DELAY_SECONDS, REMAP_DELAY_SECONDS
from lab.machines.channel import ChannelError
from lab.machines.errors import MachineError
from lab.running import LabError, RunningLab

# After the virtual IP has moved and the client is answered, so long nothing else may happen.
QUIET_SECONDS = 4.0
# The original's web servers may look for the virtual IP in vain for 50 s; an emulated machine's boot takes 40 s.
PATIENCE_SECONDS = 150.0
REFUSALS = 3


@dataclass(kw_only=True)
class Bench:
    """The lab, what was measured in it, and what was refused."""

    lab: RunningLab
    out: Console
    keep: Callable[[Bench], object] = lambda _: None
    runs: list[Run] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def measure(self, system: str, cause: str, number: int, before: Pair, begin: Callable[[], object]) -> None:
        """One run, kept or refused; the next owner is `before.other`."""
        try:
            run = _run(self.lab, system, cause, number, before, begin)
        except NoBaselineError as error:
            self.refused.append(f"{system} {cause} {number}: {error}")
            self.say(f"refused: {self.refused[-1]}")
            return
        self.runs.append(run)
        self.keep(self)
        phases = ", ".join(f"{phase} {_shown(getattr(run, phase))}" for phase in PHASES)
        seen = f"outage {run.outage:.2f} s, {run.failed} failed, slowest answer {run.slowest:.2f} s"
        self.say(f"{system} {cause} {number}: {seen}; {phases}")
        if run.failures and run.cause in PLANNED:
            self.say(f"  failed: {'; '.join(run.failures)}")

    def count(self, system: str, cause: str) -> int:
        """How many runs there are."""
        return sum((run.system, run.cause) == (system, cause) for run in self.runs)

    def say(self, text: str) -> None:
        """A line of progress."""
        self.out.print(f"{time.monotonic() - self.began:6.0f} s  {text}", markup=False)


def measure_ours(bench: Bench, causes: Sequence[str], runs: int) -> None:
    """Every cause, so often; a run that is refused is made again, a few times. Raises LabError."""
    for name in causes:
        cause = CAUSES[name]
        for _ in range(runs + REFUSALS):
            number = bench.count("ours", name) + 1
            if number > runs:
                break
            before = settle(bench.lab)
            cause.prepare(bench.lab, before)
            bench.measure("ours", name, number, before, partial(cause.begin, bench.lab, before))
    settle(bench.lab)


def measure_original(bench: Bench, causes: Sequence[str], runs: int) -> None:
    """The same for the original. Its fail-back comes of itself when what failed returns. Raises LabError."""
    for name in [each for each in causes if each != "fail-back"]:
        for _ in range(runs + REFUSALS):
            number = bench.count("original", name) + 1
            if number > runs:
                break
            before = settle_original(bench.lab)
            bench.measure("original", name, number, before, partial(CAUSES[name].begin, bench.lab, before))
            if name == "crash" and "fail-back" in causes:
                after = Pair(owner=before.other, other=before.owner)
                give_power = partial(lifecycle.start, bench.lab, before.owner, progress=QUIET)
                bench.measure("original", "fail-back", number, after, give_power)


def _run(lab: RunningLab, system: str, cause: str, number: int, before: Pair, begin: Callable[[], object]) -> Run:
    virtual_ip, interface = str(lab.outputs()["virtualIp"]), str(before.other.interface_id)
    with clients(lab, str(lab.outputs()["elasticIp"])) as session:
        session("probe")
        time.sleep(BASELINE_SECONDS + 1)
        fault = time.monotonic()
        begin()
        _await_answers(lab, session, fault, virtual_ip, interface)
        probes = session("probed")
    return split(
        system=system,
        cause=cause,
        number=number,
        fault=fault,
        probes=probes,
        journal=lab.journal(since=fault),
        virtual_ip=virtual_ip,
        interface=interface,
        agents_call=_agents_call(lab, before) if system == "ours" else None,
    )


def _await_answers(lab: RunningLab, session: ClientSession, fault: float, virtual_ip: str, interface: str) -> None:
    """Until the virtual IP is the other's and the client has been answered since, for a while. Raises LabError."""
    moved = steady = None
    while time.monotonic() < fault + PATIENCE_SECONDS:
        time.sleep(0.25)
        moves = lab.journal(since=fault)["moves"]
        here = [move["at"] for move in moves if (move["address"], move["interface"]) == (virtual_ip, interface)]
        moved = here[-1] if here else None
        answered = session("answered")
        now = time.monotonic()
        if moved is None or answered is None or answered < moved or now - answered > 1.0:
            steady = None
        elif steady is None:
            steady = now
        elif now - steady > QUIET_SECONDS:
            return
    raise LabError(
        f"the client was not answered within {PATIENCE_SECONDS:.0f} s of the fault; the virtual IP "
        f"{'did not move' if moved is None else 'had moved'}"
    )


def _agents_call(lab: RunningLab, before: Pair) -> AgentsCall | None:
    """The claim's first call, by the new owner's agent."""
    said = must_run(lab, before.other, "journalctl -u lvs-agent -o cat --no-pager -n 60")
    return agents_call(said.splitlines())


def agents_call(lines: Sequence[str]) -> AgentsCall | None:
    """The same of the agent's journal: the first call after the last time it became MASTER."""
    took: AgentsCall | None = None
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            continue  # systemd's own lines
        if told.get("event") == "detected":
            took = None
        elif told.get("event") == "call" and took is None:
            took = AgentsCall(waited=float(told["waited"]), seconds=float(told["seconds"]))
    return took


def _shown(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


def tables(runs: Sequence[Run], verdict: Sequence[Verdict]) -> Iterator[Table]:
    """For people."""
    table = Table("system", "cause", "n", "p50", "p95", "max", "failed", *PHASES, "writes", title="Outage, seconds")
    for row in summaries(runs):
        outage = (f"{seconds:.2f}" for seconds in (row.p50, row.p95, row.max))
        phases = (_shown(row.phases[phase]) for phase in PHASES)
        table.add_row(row.system, row.cause, str(row.runs), *outage, str(row.failed), *phases, str(row.writes))
    yield table
    table = Table("target", "measured", "verdict", title="Targets")
    for each in verdict:
        table.add_row(each.target, each.found, {True: "held", False: "MISSED", None: "not judged"}[each.held])
    yield table


def bounds_of(lab: RunningLab) -> Bounds:
    """What a crash may take at most with the settings in force, which the machines' own configuration tells."""
    said = [must_run(lab, machine, "cat /etc/lvs-aws/keepalived.conf") for machine in of_role(lab, "director")]
    words = [dict(line.split()[:2] for line in text.splitlines() if len(line.split()) == 2) for text in said]
    # The one that takes over later is the one with the lower priority.
    detection = max(
        detection_bound(interval=float(each["advert_int"]), priority=int(each["priority"])) for each in words
    )
    return Bounds(detection=detection, call=API_DELAY_SECONDS, remap=REMAP_DELAY_SECONDS)


def write(bench: Bench, directory: Path, bounds: Bounds) -> list[Verdict]:
    """failover.json and failover.svg; the verdicts."""
    directory.mkdir(parents=True, exist_ok=True)
    verdict = verdicts(bench.runs, bounds)
    made = document(bench.runs, verdict, refused=bench.refused, call_seconds=bounds.call, remap_seconds=bounds.remap)
    (directory / "failover.json").write_text(json.dumps(made, indent=1) + "\n")
    by_system = {name: [run for run in bench.runs if run.system == name] for name in ("ours", "original")}
    drawn = [timeline(title, by_system[name]) for name, title in TITLES.items() if by_system[name]]
    (directory / "failover.svg").write_text(panels(drawn))
    return verdict


TITLES = {"ours": "Failovers of this project", "original": "The original, repaired: another scale"}


@contextmanager
def interruptible(bench: Bench) -> Iterator[None]:
    """Ctrl-C, and a lab that fails, end the measuring and not the report."""
    try:
        yield
    except KeyboardInterrupt:
        bench.say("interrupted: what was measured until here is reported")
    except (LabError, MachineError, ChannelError, OSError) as error:
        bench.refused.append(f"ended early: {error}")
        bench.say(bench.refused[-1])


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="bench.failover", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = "; ".join(f"{name}: {cause.text}" for name, cause in CAUSES.items())
    causes = [*CAUSES, "fail-back"]
    parser.add_argument("--causes", nargs="+", choices=causes, default=causes, metavar="CAUSE", help=known)
    parser.add_argument("--runs", type=int, default=10, help="of each cause (default: %(default)s)")
    parser.add_argument("--original-runs", type=int, default=None, help="of the original, where they are to be fewer")
    parser.add_argument("--system", choices=["ours", "original", "both"], default="both")
    parser.add_argument("--out", type=Path, default=PROJECT / ".lab" / "bench", help="where the files go")
    parser.add_argument("--json", action="store_true", help="print the document, and no tables")
    parser.add_argument("--home", type=Path, default=None, help="the lab's home; a lab that is up there stays up")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; 1 where a target is missed or a run was refused for good."""
    chosen = options(arguments)
    out = Console(width=140, highlight=False, stderr=chosen.json)
    original_runs = chosen.original_runs or chosen.runs
    ours = [cause for cause in chosen.causes if cause in CAUSES] if chosen.system != "original" else []
    theirs = [cause for cause in chosen.causes if cause in ORIGINAL_CAUSES] if chosen.system != "ours" else []
    wanted = {("ours", cause): chosen.runs for cause in ours} | {("original", cause): original_runs for cause in theirs}
    try:
        with own_lab(chosen.home or chosen.out / "failover-lab") as lab:
            heal(lab)
            bounds = bounds_of(lab)
            bench = Bench(lab=lab, out=out, keep=partial(write, directory=chosen.out, bounds=bounds))
            with interruptible(bench):
                measure_ours(bench, ours, chosen.runs)
                with original(lab) if theirs else nullcontext():
                    measure_original(bench, theirs, original_runs)
            verdict = write(bench, chosen.out, bounds)
    except LabError as error:
        print(f"bench.failover: {error}", file=sys.stderr)
        return 1
    return report(bench, verdict, wanted, chosen)


def report(
    bench: Bench,
    verdict: Sequence[Verdict],
    wanted: Mapping[tuple[str, str], int],
    chosen: argparse.Namespace,
) -> int:
    """Print everything; the exit code."""
    out = bench.out
    missing = [f"{system} {cause}" for (system, cause), runs in wanted.items() if bench.count(system, cause) < runs]
    if chosen.json:
        print((chosen.out / "failover.json").read_text(), end="")
    for table in tables(bench.runs, verdict):
        out.print(table)
    out.print(f"written: {chosen.out}/failover.json, failover.svg", soft_wrap=True)
    for each in bench.refused:
        out.print(f"refused: {each}", markup=False)
    if missing:
        out.print(f"fewer runs than asked for: {', '.join(missing)}")
    return 1 if missing or any(each.held is False for each in verdict) else 0


if __name__ == "__main__":
    sys.exit(main())
