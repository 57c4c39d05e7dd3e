"""Where an outage's time goes, a bar a cause, as a panel for `bench.plot.panels`."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from bench.failover_budget import PHASES, Run, summaries
from bench.plot import HEIGHT, MARGIN, WIDTH

COLOURS = dict(zip(PHASES, ("steelblue", "goldenrod", "darkseagreen", "firebrick"), strict=True))
LEFT = 110
TOP = 50


def timeline(title: str, runs: Sequence[Run]) -> str:
    """One panel: from the fault to the first answer, each phase's median; a dot for each run's outage."""
    rows = summaries(runs)
    right = max([run.outage for run in runs] + [sum(filter(None, row.phases.values())) for row in rows] + [0.1]) * 1.05
    step = (HEIGHT - TOP - MARGIN) / max(1, len(rows))

    def across(seconds: float) -> float:
        return round(LEFT + (WIDTH - LEFT - 20) * seconds / right, 1)

    parts = [f'<text x="10" y="18">{escape(title)}</text>']
    for number, phase in enumerate(PHASES):
        x = 10 + 100 * number
        parts.append(f'<rect x="{x}" y="26" width="10" height="10" fill="{COLOURS[phase]}"/>')
        parts.append(f'<text x="{x + 14}" y="35">{phase.replace("_", " ")}</text>')
    for number, row in enumerate(rows):
        y = round(TOP + step * number, 1)
        parts.append(
            f'<text x="{LEFT - 6}" y="{y + step / 2:.1f}" text-anchor="end">{_label(row.system, row.cause)}</text>'
        )
        begins = 0.0
        for phase in PHASES:
            seconds = max(0.0, row.phases[phase] or 0.0)
            width = round(across(begins + seconds) - across(begins), 1)
            parts.append(
                f'<rect x="{across(begins)}" y="{y + step * 0.15:.1f}" width="{width}" height="{step * 0.5:.1f}" '
                f'fill="{COLOURS[phase]}"><title>{phase} {seconds:.3f} s</title></rect>'
            )
            begins += seconds
        dots = [run.outage for run in runs if (run.system, run.cause) == (row.system, row.cause)]
        parts += [f'<circle cx="{across(dot)}" cy="{y + step * 0.8:.1f}" r="2.5" fill="black"/>' for dot in dots]
    base = HEIGHT - MARGIN
    parts.append(f'<path d="M{LEFT} {TOP - 4}V{base}H{WIDTH - 20}" fill="none" stroke="black"/>')
    for number in range(5):
        seconds = right * number / 4
        parts.append(f'<text x="{across(seconds)}" y="{base + 14}" text-anchor="middle">{seconds:.3g}</text>')
    parts.append(f'<text x="{LEFT}" y="{base + 30}">seconds; bars: medians from the fault on; dots: outages</text>')
    return "".join(parts)


def _label(system: str, cause: str) -> str:
    return escape(cause if system == "ours" else f"{system}: {cause}")
