"""Accuracy against cost on a log axis, one line a method: the picture of `benchmarks/search.py`, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 820, 460, 60, 50, 40, 250
COLOURS = (
    "#1b6ca8",
    "#c0392b",
    "#1e8449",
    "#8e44ad",
    "#b9770e",
    "#117a65",
    "#7f8c8d",
    "#d35400",
    "#2c3e50",
    "#e84393",
    "#6c5c00",
    "#00b3c6",
)

Points = Sequence[tuple[float, float]]
"""(tokens a problem, share solved), cheapest first."""


def curves(title: str, lines: Mapping[str, Points]) -> str:
    """The picture. Every line has at least one point with a positive cost."""
    costs = [cost for points in lines.values() for cost, _ in points]
    low, high = math.log10(min(costs)) - 0.05, math.log10(max(costs)) + 0.05
    floor = math.floor(10 * min(value for points in lines.values() for _, value in points)) / 10

    def at(cost: float, value: float) -> tuple[float, float]:
        x = LEFT + (math.log10(cost) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - (value - floor) / (1.0 - floor) * (HEIGHT - BOTTOM - TOP)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        '<rect width="100%" height="100%" fill="#ffffff"/><g font-family="sans-serif" font-size="12">',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 10}">tokens a problem (log scale)</text>',
    ]
    for tenth in range(round(10 * floor), 11):
        _, y = at(10**low, tenth / 10)
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e7ea"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10 * tenth}%</text>')
    for cost in (30, 50, 100, 200, 500, 1000, 2000, 5000):
        if low <= math.log10(cost) <= high:
            x, _ = at(cost, floor)
            drawn.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{cost:,}</text>')
    # Names stand in the order in which the lines end, far enough apart to be read.
    ends = sorted(lines, key=lambda name: -lines[name][-1][1])
    for place, name in enumerate(ends):
        colour = COLOURS[sorted(lines).index(name) % len(COLOURS)]
        points = [at(*point) for point in lines[name]]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        y = TOP + 10 + 20 * place
        drawn.append(f'<rect x="{WIDTH - RIGHT + 18}" y="{y - 9}" width="14" height="4" fill="{colour}"/>')
        drawn.append(f'<text x="{WIDTH - RIGHT + 38}" y="{y - 2}">{escape(name)}</text>')
    return "".join([*drawn, "</g></svg>\n"])
