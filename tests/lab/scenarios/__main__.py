"""`python -m tests.lab.scenarios [NAME...]`: failover scenarios on a lab of its own; exit code 1 where one fails."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.on_machines import PROJECT, own_lab
from lab.running import LabError
from tests.lab.scenarios.run import Result, as_json, run
from tests.lab.scenarios.table import BY_NAME, SCENARIOS


def options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.scenarios", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, if left out")
    parser.add_argument("--core", action="store_true", help="only those of `make test`")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--home", type=Path, default=PROJECT / ".lab" / "scenarios", help="a lab up there stays up")
    parser.add_argument("--seconds", type=float, default=None, help="begin no scenario after so long")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.names if name not in BY_NAME]:
        parser.error(f"no scenario {', '.join(unknown)}; --list says what there is")
    return chosen


def table(results: Sequence[Result]) -> Table:
    """For people; outages are seconds."""
    made = Table("scenario", "verdict", "outage", "failed", "back: outage", "failed", "took", title="Scenarios")
    for each in results:
        seen = [
            word
            for outage in (each.outage, each.outage_back)
            for word in ((f"{outage.seconds:.2f}", str(outage.failed)) if outage else ("-", "-"))
        ]
        made.add_row(each.name, "FAILED" if each.faults else "holds", *seen, f"{each.seconds:.0f} s")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Run those that are asked for, one after the other, whatever becomes of each."""
    chosen = options(arguments)
    wanted = [each for each in SCENARIOS if not chosen.names or each.name in chosen.names]
    wanted = [each for each in wanted if each.core or not chosen.core]
    if chosen.list:
        for each in wanted:
            print(f"{each.name:26}{'core  ' if each.core else '      '}{each.text}")
        return 0
    out = Console(width=140, highlight=False)
    began = time.monotonic()
    results: list[Result] = []
    try:
        with own_lab(chosen.home) as lab:
            for each in wanted:
                if chosen.seconds is not None and time.monotonic() - began > chosen.seconds:
                    out.print(f"not begun, for want of time: {each.name}")
                    continue
                results.append(run(lab, each))
                out.print(str(results[-1]), markup=False, soft_wrap=True)
                with (chosen.home / "results.jsonl").open("a") as kept:
                    kept.write(as_json(results[-1]) + "\n")
    except (LabError, KeyboardInterrupt) as error:
        out.print(f"ended early: {error!r}", markup=False)
    out.print(table(results))
    return 0 if len(results) == len(wanted) and not any(each.faults for each in results) else 1


if __name__ == "__main__":
    sys.exit(main())
