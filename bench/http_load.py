"""HTTP through the running lab under load, and who pays for it: `python -m bench.http_load [--seconds N] [--json]`.

wrk asks for the page through Elastic IP, director and web servers from the lab's internet; meanwhile the processor time
of the fabric and of each machine is counted. The fabric must not be what limits the others.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.fabric.client import FabricClient
from lab.machines import qemu
from lab.paths import lab_paths
from lab.running import LabError, RunningLab

PROJECT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Load:
    """One run. Shares are of one processor (1.0 = one busy core); `machines` are by name."""

    connections: int
    seconds: float
    requests_per_second: float
    failed: int
    frames_per_second: float
    fabric_share: float
    machines: dict[str, float]


def measure(lab: RunningLab, *, connections: int, seconds: int) -> Load:
    """Put load on the lab for `seconds` and count. Raises LabError where wrk does not run."""
    fabric = FabricClient(lab.paths.fabric_socket)
    pids = {machine.name: lab.require_power(machine) for machine in lab.machines()}
    before, usage, began = {name: cpu_seconds(pid) for name, pid in pids.items()}, fabric.usage(), time.monotonic()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "5s", str(lab.outputs()["url"])]
    done = lab.in_namespace(command, capture_output=True, text=True)
    took = time.monotonic() - began
    if done.returncode:
        raise LabError(f"wrk failed: {done.stderr.strip() or done.stdout.strip()}")
    after = fabric.usage()
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", done.stdout)
    answers = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    refused = answers[1] if answers else "0"
    return Load(
        connections=connections,
        seconds=took,
        requests_per_second=float(rate[1]) if rate else 0.0,
        failed=sum(map(int, (*errors.groups(), refused))) if errors else int(refused),
        frames_per_second=(after["frames"] - usage["frames"]) / took,
        fabric_share=(after["cpu_seconds"] - usage["cpu_seconds"]) / took,
        machines={name: (cpu_seconds(pid) - before[name]) / took for name, pid in pids.items()},
    )


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far (proc(5), stat fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def table(loads: Sequence[Load]) -> str:
    """For people."""
    names = list(loads[0].machines)
    lines = [f"{'connections':>11} {'requests/s':>10} {'failed':>6} {'frames/s':>9} {'fabric':>7} "]
    lines[0] += " ".join(f"{name:>10}" for name in names)
    for load in loads:
        shares = " ".join(f"{load.machines[name]:>10.0%}" for name in names)
        lines.append(
            f"{load.connections:>11} {load.requests_per_second:>10.0f} {load.failed:>6} {load.frames_per_second:>9.0f} "
            f"{load.fabric_share:>7.0%} {shares}"
        )
    return "\n".join([*lines, "(fabric and machines: share of one processor)"])


def main() -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(prog="bench.http_load", description="HTTP through the running lab under load.")
    parser.add_argument("--seconds", type=int, default=5, help="of each run (default: %(default)s)")
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8, 32], metavar="N")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    lab = RunningLab(project=PROJECT, paths=lab_paths(PROJECT))
    try:
        lab.require_up()
        loads = [measure(lab, connections=number, seconds=options.seconds) for number in options.connections]
    except LabError as error:
        print(f"bench.http_load: {error}", file=sys.stderr)
        return 1
    print(json.dumps([asdict(load) for load in loads], indent=2) if options.json else table(loads))
    return 0


if __name__ == "__main__":
    sys.exit(main())
