"""The stack's own speed: `python -m bench.stack [--runs N] [--output DIRECTORY]`, or `make bench-stack`.

Three things in one run: the dev stack's preview against that of a bare program with as many resources, the import
time of every pure module, and how preview time and user data grow with the number of web servers. Nothing is deployed:
previews ask a cloud of this process's own. Processor seconds are what to compare on a busy host.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.bare_program import write_bare_project
from bench.fresh_preview import PROJECT, Preview, preview
from bench.imports import Import, import_time, pure_modules
from bench.plot import panel, panels
from lab.cloud.local import local_cloud

STACK = "dev"
WEB_SERVERS = (2, 10, 50, 100, 200)
RATIO, IMPORT_SECONDS, USER_DATA_BYTES = 1.2, 0.1, 16384
# A cost that grows with the square of the number of web servers, and with nothing else, would show as 3 and more.
STEEPENING = 2.0
# Hosts of the default subnet 10.0.0.0/24 that neither AWS nor the stack takes.
TAKEN = {*range(4), 36, 56, 100, 255}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Medians of the dev stack's previews and of the bare program's with `resources` resources each."""

    resources: int
    stack_wall_seconds: float
    bare_wall_seconds: float
    stack_cpu_seconds: float
    bare_cpu_seconds: float

    @property
    def wall_ratio(self) -> float:
        """How many times the bare program's time the stack's preview takes."""
        return self.stack_wall_seconds / self.bare_wall_seconds

    @property
    def cpu_ratio(self) -> float:
        """The same in processor time, which other work on the host hardly changes."""
        return self.stack_cpu_seconds / self.bare_cpu_seconds


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Preview of a stack with so many web servers: medians, and the largest user data of a machine of each kind."""

    web_servers: int
    resources: int
    wall_seconds: float
    cpu_seconds: float
    director_bytes: int
    web_server_bytes: int


def compare(endpoint: str, *, runs: int) -> Comparison:
    """Preview both programs alternately, `runs` times each, after one of each that warms caches up."""
    stack, bare = [], []
    with tempfile.TemporaryDirectory() as directory:
        write_bare_project(Path(directory), STACK, preview(PROJECT, STACK, endpoint).resources)
        wanted = len(preview(Path(directory), STACK, endpoint).resources)
        for _ in range(runs):
            bare.append(preview(Path(directory), STACK, endpoint))
            stack.append(preview(PROJECT, STACK, endpoint))
    assert {len(each.resources) for each in (*stack, *bare)} == {wanted}, "the programs do not declare as many"
    return Comparison(
        resources=wanted,
        stack_wall_seconds=median(each.wall_seconds for each in stack),
        bare_wall_seconds=median(each.wall_seconds for each in bare),
        stack_cpu_seconds=median(each.cpu_seconds for each in stack),
        bare_cpu_seconds=median(each.cpu_seconds for each in bare),
    )


def grow(endpoint: str, web_servers: Sequence[int], *, runs: int) -> list[Growth]:
    """Preview stacks with these numbers of web servers, `runs` rounds through all of them."""
    rounds = [[preview(PROJECT, STACK, endpoint, [_web_servers(n)]) for n in web_servers] for _ in range(runs)]
    return [_growth(n, taken) for n, taken in zip(web_servers, zip(*rounds, strict=True), strict=True)]


def steepening(growth: Sequence[Growth]) -> float:
    """What a further web server costs at the upper end, as a multiple of what it costs below: 1 where it is linear."""
    first, middle, last = growth[0], growth[-2], growth[-1]

    def each(fewer: Growth, more: Growth) -> float:
        return (more.cpu_seconds - fewer.cpu_seconds) / (more.web_servers - fewer.web_servers)

    return each(middle, last) / each(first, middle)


def _growth(number: int, previews: Sequence[Preview]) -> Growth:
    sizes = previews[0].user_data_bytes
    assert len(sizes) == number + 2, "a machine has no user data that a preview knows"
    return Growth(
        web_servers=number,
        resources=len(previews[0].resources),
        # The least: whatever else the host does only adds.
        wall_seconds=min(each.wall_seconds for each in previews),
        cpu_seconds=min(each.cpu_seconds for each in previews),
        director_bytes=max(size for name, size in sizes.items() if name.startswith("director")),
        web_server_bytes=max(size for name, size in sizes.items() if name.startswith("web")),
    )


def _web_servers(number: int) -> str:
    free = [host for host in range(256) if host not in TAKEN][:number]
    return f"webServers={json.dumps([{'address': str(IPv4Address('10.0.0.0') + host)} for host in free])}"


def _show(comparison: Comparison, imports: Sequence[Import], growth: Sequence[Growth]) -> list[str]:
    """Print the tables; answers what misses its target."""
    out = Console(width=120, highlight=False)
    table = Table("seconds (median)", f"{STACK} stack", "bare program", "ratio", title="Preview, one process each")
    for name, stack, bare, ratio in (
        ("wall clock", comparison.stack_wall_seconds, comparison.bare_wall_seconds, comparison.wall_ratio),
        ("processor", comparison.stack_cpu_seconds, comparison.bare_cpu_seconds, comparison.cpu_ratio),
    ):
        table.add_row(name, f"{stack:.2f}", f"{bare:.2f}", f"{ratio:.2f}")
    out.print(table, f"{comparison.resources} resources each; target: at most {RATIO:g}\n")
    table = Table("module", "processor s", title="Imports of pure modules, the slowest ten")
    for each in sorted(imports, key=lambda each: -each.seconds)[:10]:
        table.add_row(each.module, f"{each.seconds:.3f}")
    out.print(table, f"{len(imports)} modules; target: under {IMPORT_SECONDS:g} each\n")
    table = Table(
        "web servers", "resources", "wall s", "processor s", "director, bytes", "web server, bytes", title="Growth"
    )
    for row in growth:
        wall, cpu = f"{row.wall_seconds:.2f}", f"{row.cpu_seconds:.2f}"
        sizes = str(row.director_bytes), str(row.web_server_bytes)
        table.add_row(str(row.web_servers), str(row.resources), wall, cpu, *sizes)
    out.print(table)
    steep = steepening(growth)
    out.print(
        f"a further web server costs {steep:.2f} times as much at the upper end as below (linear: 1, limit "
        f"{STEEPENING:g}); user data may have {USER_DATA_BYTES} bytes"
    )
    missed = [] if comparison.cpu_ratio <= RATIO else [f"preview takes {comparison.cpu_ratio:.2f} times the bare one's"]
    missed += [
        f"importing {each.module} takes {each.seconds:.3f} s" for each in imports if each.seconds >= IMPORT_SECONDS
    ]
    missed += [] if steep <= STEEPENING else [f"preview time is not linear: {steep:.2f}"]
    largest = max(max(row.director_bytes, row.web_server_bytes) for row in growth)
    return missed + ([] if largest <= USER_DATA_BYTES else [f"user data has {largest} bytes"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write stack.json and stack.svg into a directory; 1 where a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="previews of each program, and rounds of growth / 2")
    parser.add_argument("--output", type=Path, default=PROJECT / ".lab" / "bench", help="where the files go")
    parser.add_argument("--web-servers", type=int, nargs="+", default=WEB_SERVERS, help="three numbers or more, rising")
    chosen = parser.parse_args(arguments)
    imports = [import_time(module, tries=3) for module in pure_modules()]
    with local_cloud() as cloud:
        comparison = compare(cloud.endpoint, runs=chosen.runs)
        growth = grow(cloud.endpoint, chosen.web_servers, runs=(chosen.runs + 1) // 2)
    missed = _show(comparison, imports, growth)
    chosen.output.mkdir(parents=True, exist_ok=True)
    document = {
        "preview": {**asdict(comparison), "wall_ratio": comparison.wall_ratio, "cpu_ratio": comparison.cpu_ratio},
        "import_seconds": {each.module: each.seconds for each in imports},
        "growth": [asdict(row) for row in growth],
        "steepening": steepening(growth),
        "missed": missed,
    }
    (chosen.output / "stack.json").write_text(json.dumps(document, indent=1) + "\n")
    largest = [(row.web_servers, max(row.director_bytes, row.web_server_bytes)) for row in growth]
    drawn = [
        panel("Preview, processor seconds, by web servers", [(row.web_servers, row.cpu_seconds) for row in growth]),
        panel("Largest user data, bytes, by web servers", largest, limit=USER_DATA_BYTES),
    ]
    (chosen.output / "stack.svg").write_text(panels(drawn))
    print(f"written: {chosen.output}/stack.json, stack.svg")
    for fault in missed:
        print(f"missed: {fault}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
