"""Where the time of a first boot goes: read off a machine by one command, told as one line a machine."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

UNITS = ("lvs-network", "lvs-agent", "keepalived", "lvs-return-path", "nginx")
UNIT = re.compile(r"Id=(\S+) ActiveEnterTimestampMonotonic=(\d+)")
# One shell line a fact, so that one call tells all. Times of apt's files are their changes: their content has a
# server's times.
PROBE = f"""
date +%s.%N
cut -d ' ' -f 1 /proc/uptime
tr -d '\\n' </run/cloud-init/status.json; echo
stat -c %Z /var/lib/apt/lists/*_Packages* | sort | tail -n 1
stat -c %Z /var/cache/apt/archives/*.deb | sort | tail -n 1
grep -c 'attempt .* failed' /var/log/cloud-init-output.log
systemctl show --property=Id --property=ActiveEnterTimestampMonotonic {" ".join(UNITS)} | paste -s -d ' '
grep -aE ' startup | installed ' /var/log/dpkg.log
"""


@dataclass(frozen=True, kw_only=True)
class FirstBoot:
    """Seconds of each phase of a first boot, in order, and what else is worth a look."""

    phases: dict[str, float]
    failed_attempts: int
    slowest: tuple[tuple[str, int], ...]
    units: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.phases.values())


def first_boot(probe: str, *, launched: float) -> FirstBoot:
    """Read the answer to PROBE of a machine that the cloud gave its power at `launched` (seconds of the epoch)."""
    now, uptime, status, indexed, downloaded, failed, shown, *log = probe.strip().splitlines()
    began = float(now) - float(uptime)
    stages = json.loads(status)["v1"]
    marks = dpkg_marks(log)
    unpacked_from = next(at for at, what, _ in marks if what == "unpack")
    configured_from = next(at for at, what, _ in marks if what == "configure" and at >= unpacked_from)
    configured = max(at for at, what, _ in marks if what == "installed")
    ends = {
        "boot": began + stages["init-local"]["start"],
        "cloud-init": began + stages["modules-final"]["start"],
        "way out, index": float(indexed),
        "download": float(downloaded),
        "unpack": configured_from,
        "configure": configured,
        "start": began + stages["modules-final"]["finished"],
    }
    starts = {unit.partition(".")[0]: int(at) for unit, at in UNIT.findall(shown)}
    steps = zip([launched, *ends.values()], ends.values(), strict=False)
    return FirstBoot(
        phases={name: max(0.0, end - start) for name, (start, end) in zip(ends, steps, strict=True)},
        failed_attempts=int(failed),
        slowest=slowest_configured(marks),
        units={name: began + at / 1e6 - launched for name, at in starts.items() if at},
    )


def dpkg_marks(log: Sequence[str]) -> list[tuple[float, str, str]]:
    """dpkg.log's lines as (seconds of the epoch, "unpack" | "configure" | "installed", package)."""
    marks = []
    for line in log:
        day, clock, *words = line.split()
        at = datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=UTC).timestamp()
        if words[0] == "startup":
            marks.append((at, words[2], ""))
        elif words[:2] == ["status", "installed"]:
            marks.append((at, "installed", words[2].partition(":")[0]))
    return marks


def slowest_configured(marks: Sequence[tuple[float, str, str]], count: int = 4) -> tuple[tuple[str, int], ...]:
    """The packages that took longest to configure, with their seconds: one is done when the next one begins."""
    spans = [
        (package, int(at - before)) for (before, _, _), (at, what, package) in pairwise(marks) if what == "installed"
    ]
    return tuple(sorted(spans, key=lambda span: -span[1])[:count])


def told(name: str, boot: FirstBoot) -> str:
    """One machine's line for people."""
    phases = ", ".join(f"{phase} {seconds:.0f}" for phase, seconds in boot.phases.items())
    slowest = ", ".join(f"{package} {seconds}" for package, seconds in boot.slowest)
    units = ", ".join(f"{unit} at {seconds:.0f}" for unit, seconds in boot.units.items())
    return (
        f"{name}: {boot.total:.0f} s from power to the end of user data = {phases}\n"
        f"  slowest to configure: {slowest}; active: {units}; attempts that failed: {boot.failed_attempts}"
    )
