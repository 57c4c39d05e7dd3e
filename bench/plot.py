"""A line through measured points as SVG: the few lines that a table of numbers needs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

WIDTH, HEIGHT, MARGIN = 420, 280, 50


def panels(drawn: Sequence[str]) -> str:
    """An SVG document of panels side by side."""
    moved = "".join(f'<g transform="translate({number * WIDTH} 0)">{panel}</g>' for number, panel in enumerate(drawn))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH * len(drawn)}" height="{HEIGHT}" '
        f'font-family="sans-serif" font-size="11">{moved}</svg>\n'
    )


def panel(title: str, points: Sequence[tuple[float, float]], *, limit: float | None = None) -> str:
    """One panel: the points (x, y) from the origin on, each labelled with its y, and a dashed line at `limit`."""
    right = max(x for x, _ in points)
    top = max([*(y for _, y in points), limit or 0]) * 1.1

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = (WIDTH - 2 * MARGIN) * x / right, (HEIGHT - 2 * MARGIN) * y / top
        return round(MARGIN + across, 1), round(HEIGHT - MARGIN - up, 1)

    (left_x, base_y), (right_x, top_y) = at(0, 0), at(right, top)
    parts = [
        f'<text x="{MARGIN}" y="20">{escape(title)}</text>',
        f'<path d="M{left_x} {top_y}V{base_y}H{right_x}" fill="none" stroke="black"/>',
        f'<polyline points="{" ".join(f"{x},{y}" for x, y in (at(*point) for point in points))}" fill="none" '
        'stroke="steelblue" stroke-width="2"/>',
    ]
    for number, (x, y) in enumerate(points):
        px, py = at(x, y)
        parts.append(f'<circle cx="{px}" cy="{py}" r="3" fill="steelblue"/>')
        parts.append(f'<text x="{px}" y="{base_y + 14 + 12 * (number % 2)}" text-anchor="middle">{x:g}</text>')
        parts.append(f'<text x="{px}" y="{py - 8}" text-anchor="middle">{y:.5g}</text>')
    if limit is not None:
        y = at(0, limit)[1]
        parts.append(f'<path d="M{left_x} {y}H{right_x}" stroke="firebrick" stroke-dasharray="4"/>')
        parts.append(f'<text x="{right_x}" y="{y - 4}" text-anchor="end" fill="firebrick">{limit:g}</text>')
    return "".join(parts)
