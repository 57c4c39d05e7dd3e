"""Advert interval against false failovers, under contention for processors: `python -m bench.advert_sweep`.

Nothing is broken here: who takes over, does so in error. The shorter the interval, the sooner a crash is noticed, and
the sooner a machine that only waits for its processor is taken for dead. On a lab of its own, or one given.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.failover_budget import detection_bound
from bench.failover_causes import settle
from bench.on_machines import PROJECT, in_parallel, must_run, of_role, own_lab
from lab.running import LabError, RunningLab
from lab.status import Machine

INTERVALS = (0.1, 0.2, 0.5, 1.0)
CONFIGURATION = "/etc/lvs-aws/keepalived.conf"
BUSY = "nohup timeout {seconds:.0f} sh -c 'while :; do :; done' >/dev/null 2>&1 &"
# What else wants the processor: in each director, and beside the directors on the host they share (the web servers).
CONTENTION: Mapping[str, tuple[int, int]] = {
    "none": (0, 0),
    "in the directors": (2, 0),
    "on their host too": (2, 2),
}
# Long enough for Keepalived to follow a new interval, and for those who start at a change to have had their say.
SETTLE_SECONDS = 5.0
LOWER_PRIORITY = 253


@dataclass(frozen=True, kw_only=True)
class Count:
    """How often a director became MASTER in `seconds` with nothing broken, and how often the virtual IP moved."""

    interval: float
    contention: str
    seconds: float
    took_over: int
    moved: int


def sweep(
    lab: RunningLab, intervals: Sequence[float], contentions: Sequence[str], *, seconds: float, out: Console
) -> Iterator[Count]:
    """Count for each interval and each contention. Raises LabError."""
    directors, others = of_role(lab, "director"), of_role(lab, "web-server")
    settle(lab)
    for interval in intervals:
        with advert_interval(lab, directors, interval):
            for contention in contentions:
                time.sleep(SETTLE_SECONDS)  # not until all is well: with too short an interval it never is
                found = _count(lab, directors, others, interval, contention, seconds)
                out.print(f"interval {interval:g} s, contention {contention}: {found.took_over} false", markup=False)
                yield found


@contextmanager
def advert_interval(lab: RunningLab, directors: Sequence[Machine], seconds: float) -> Iterator[None]:
    """Directors with another interval meanwhile: the rendered file's one line, and a reload."""
    keep = f"cp -n {CONFIGURATION} {CONFIGURATION}.kept"
    change = f"sed -i 's/advert_int .*/advert_int {seconds:g}/' {CONFIGURATION}"
    reload = "systemctl reload keepalived"
    try:
        in_parallel(lambda machine: must_run(lab, machine, f"{keep}; {change} && {reload}"), directors)
        yield
    finally:
        back = f"mv -f {CONFIGURATION}.kept {CONFIGURATION} && {reload}"
        in_parallel(lambda machine: must_run(lab, machine, back), directors)


def _count(
    lab: RunningLab,
    directors: Sequence[Machine],
    others: Sequence[Machine],
    interval: float,
    contention: str,
    seconds: float,
) -> Count:
    before = _masters(lab, directors)
    inside, beside = CONTENTION[contention]
    for group, loops in ((directors, inside), (others, beside)):
        busy = " ".join([BUSY.format(seconds=seconds)] * loops)
        if loops:
            in_parallel(lambda machine, busy=busy: must_run(lab, machine, busy), group)  # type: ignore[misc]
    began = time.monotonic()
    time.sleep(seconds)
    moves = lab.journal(since=began)["moves"]
    # Only now: whoever looks also wants the processor.
    time.sleep(2)
    return Count(
        interval=interval,
        contention=contention,
        seconds=seconds,
        took_over=_masters(lab, directors) - before,
        moved=sum(move["address"] == lab.outputs()["virtualIp"] for move in moves),
    )


def _masters(lab: RunningLab, directors: Sequence[Machine]) -> int:
    """How often the directors' Keepalived became MASTER since their boots."""
    shown = "journalctl -u keepalived -b -o cat --no-pager | grep -c 'Entering MASTER STATE' || true"
    return sum(int(must_run(lab, machine, shown)) for machine in directors)


def recommended(counts: Sequence[Count]) -> float | None:
    """The least interval that is free of false failovers under all contention, as every longer one is; None: none."""
    found = None
    for interval in sorted({count.interval for count in counts}, reverse=True):
        if any(count.took_over for count in counts if count.interval == interval):
            break
        found = interval
    return found


def table(counts: Sequence[Count]) -> Table:
    """For people: a row an interval, a column a contention."""
    contentions = list(dict.fromkeys(count.contention for count in counts))
    made = Table("interval, s", "detects a crash in at most, s", *contentions, title="False failovers")
    for interval in dict.fromkeys(count.interval for count in counts):
        row = {count.contention: count for count in counts if count.interval == interval}
        cells = [f"{row[each].took_over} in {row[each].seconds:g} s" if each in row else "-" for each in contentions]
        bound = detection_bound(interval=interval, priority=LOWER_PRIORITY)
        made.add_row(f"{interval:g}", f"{bound:.2f}", *cells)
    return made


def conclusion(counts: Sequence[Count]) -> str:
    """The recommended default, in a sentence."""
    found = recommended(counts)
    if found is None:
        return "no interval was free of false failovers: recommended is more than the longest that was tried"
    return f"recommended default: {found:g} s, the least interval without a false failover, as all longer ones"


def main(arguments: Sequence[str] | None = None) -> int:
    """Sweep, print, and write advert-sweep.json; 1 where the lab failed."""
    parser = argparse.ArgumentParser(
        prog="bench.advert_sweep", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--intervals", type=float, nargs="+", default=list(INTERVALS), metavar="SECONDS")
    parser.add_argument("--contention", nargs="+", choices=list(CONTENTION), default=list(CONTENTION))
    parser.add_argument("--seconds", type=float, default=60.0, help="of each count (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=PROJECT / ".lab" / "bench", help="where the file goes")
    parser.add_argument("--home", type=Path, default=None, help="the lab's home; a lab that is up there stays up")
    chosen = parser.parse_args(arguments)
    out = Console(width=140, highlight=False)
    counts: list[Count] = []
    failed = False
    try:
        with own_lab(chosen.home or chosen.out / "failover-lab") as lab:
            for count in sweep(lab, chosen.intervals, chosen.contention, seconds=chosen.seconds, out=out):
                counts.append(count)
    except LabError as error:
        print(f"bench.advert_sweep: {error}", file=sys.stderr)
        failed = True
    except KeyboardInterrupt:
        out.print("interrupted: what was counted until here is reported")
    chosen.out.mkdir(parents=True, exist_ok=True)
    made = {"recommended": recommended(counts), "counts": [asdict(count) for count in counts]}
    (chosen.out / "advert-sweep.json").write_text(json.dumps(made, indent=1) + "\n")
    out.print(table(counts))
    out.print(conclusion(counts))
    out.print(f"written: {chosen.out}/advert-sweep.json", soft_wrap=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
