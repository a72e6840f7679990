"""A value against cost on a log axis, one line a method, as SVG: the frame of the pictures of `search.py` and `steering.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
"""(cost, value), cheapest first."""


@dataclass(frozen=True)
class Upwards:
    """The value's axis.

    Attributes:
        floor, top: its ends, as heights. height: of a value.
        marks: values with a line across, and what stands beside each.
    """

    floor: float
    top: float
    marks: Sequence[tuple[float, str]]
    height: Callable[[float], float] = float


def cost_picture(title: str, below: str, lines: Mapping[str, Points], costs: Sequence[float], axis: Upwards) -> str:
    """The picture. Every line has at least one point, costs are positive; colours go by the order of `lines`.

    Args:
        below: what the costs are.
        costs: those that are written under the axis, where there are lines.
    """
    there = [math.log10(cost) for points in lines.values() for cost, _ in points]
    low, high = min(there) - 0.05, max(there) + 0.05

    def at(cost: float, value: float) -> tuple[float, float]:
        x = LEFT + (math.log10(cost) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
        share = (axis.height(value) - axis.floor) / (axis.top - axis.floor)
        return x, HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        '<rect width="100%" height="100%" fill="#ffffff"/><g font-family="sans-serif" font-size="12">',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 10}">{escape(below)}</text>',
    ]
    for value, said in axis.marks:
        _, y = at(10**low, value)
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e7ea"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{said}</text>')
    for cost in costs:
        if low <= math.log10(cost) <= high:
            x = LEFT + (math.log10(cost) - low) / (high - low) * (WIDTH - LEFT - RIGHT)
            drawn.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{cost:,}</text>')
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(lines)}
    # Names stand in the order in which the lines end, far enough apart to be read.
    for place, name in enumerate(sorted(lines, key=lambda name: -lines[name][-1][1])):
        colour = colours[name]
        points = [at(*point) for point in lines[name]]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        y = TOP + 10 + 20 * place
        drawn.append(f'<rect x="{WIDTH - RIGHT + 18}" y="{y - 9}" width="14" height="4" fill="{colour}"/>')
        drawn.append(f'<text x="{WIDTH - RIGHT + 38}" y="{y - 2}">{escape(name)}</text>')
    return "".join([*drawn, "</g></svg>\n"])
