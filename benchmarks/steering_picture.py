"""Pictures of `benchmarks/steering.py` as SVG: a value against cost on a log axis, one line a method; and a sheet of answers."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from html import escape

import torch
from search_picture import BOTTOM, COLOURS, HEIGHT, LEFT, RIGHT, TOP, WIDTH

from outthink.diffusion.pictures import contact_sheet

SCALE = 4
"""How often a pixel is repeated on a sheet of answers."""

ROW, NAMES = 42, 200


def lines_of(
    title: str, axis: str, lines: Mapping[str, Sequence[tuple[float, float]]], *, logarithmic: bool = False
) -> str:
    """Lines through (cost, value) points; the value's axis is logarithmic on demand."""
    lines = {name: points for name, points in lines.items() if points}
    height = (lambda value: math.log10(value)) if logarithmic else (lambda value: value)
    costs = [math.log10(cost) for points in lines.values() for cost, _ in points]
    values = [height(value) for points in lines.values() for _, value in points]
    low, high, floor, top = min(costs) - 0.05, max(costs) + 0.05, min(values), max(values)
    margin = 0.04 * (top - floor or 1.0)
    floor, top = floor - margin, top + margin

    def at(cost: float, value: float) -> tuple[float, float]:
        x = LEFT + (cost - low) / (high - low) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - (value - floor) / (top - floor) * (HEIGHT - BOTTOM - TOP)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">',
        '<rect width="100%" height="100%" fill="#ffffff"/><g font-family="sans-serif" font-size="12">',
        f'<text x="{LEFT}" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
        f'<text x="{LEFT}" y="{HEIGHT - 10}">evaluations and reward calls (log scale); upwards: {escape(axis)}</text>',
    ]
    for value in _ticks(floor, top, logarithmic):
        _, y = at(low, height(value))
        drawn.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#e3e7ea"/>')
        drawn.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.3g}</text>')
    for cost in (200, 800, 3_200, 12_800):
        if low <= math.log10(cost) <= high:
            x, _ = at(math.log10(cost), floor)
            drawn.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{cost:,}</text>')
    # Names stand in the order in which the lines end.
    for place, name in enumerate(sorted(lines, key=lambda name: -lines[name][-1][1])):
        colour = COLOURS[list(lines).index(name) % len(COLOURS)]
        points = [at(math.log10(cost), height(value)) for cost, value in lines[name]]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
        y = TOP + 10 + 20 * place
        drawn.append(f'<rect x="{WIDTH - RIGHT + 18}" y="{y - 9}" width="14" height="4" fill="{colour}"/>')
        drawn.append(f'<text x="{WIDTH - RIGHT + 38}" y="{y - 2}">{escape(name)}</text>')
    return "".join([*drawn, "</g></svg>\n"])


def sheet(title: str, rows: Mapping[str, torch.Tensor]) -> str:
    """One row a method, [digits, 1, 8, 8] each."""
    columns = max(len(images) for images in rows.values())
    width, height = NAMES + columns * 9 * SCALE + 30, 40 + ROW * len(rows)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        '<rect width="100%" height="100%" fill="#ffffff"/><g font-family="sans-serif" font-size="12">',
        f'<text x="10" y="22" font-size="15" font-weight="bold">{escape(title)}</text>',
    ]
    for place, (name, images) in enumerate(rows.items()):
        picture = contact_sheet(images, columns=columns, scale=SCALE)
        file = io.BytesIO()
        picture.save(file, "PNG", optimize=True)
        shown = base64.b64encode(file.getvalue()).decode()
        y = 34 + ROW * place
        drawn.append(f'<text x="10" y="{y + ROW // 2}">{escape(name)}</text>')
        drawn.append(
            f'<image x="{NAMES}" y="{y}" width="{picture.width}" height="{picture.height}" '
            f'href="data:image/png;base64,{shown}"/>'
        )
    return "".join([*drawn, "</g></svg>\n"])


def _ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    if logarithmic:
        found = [m * 10.0**e for e in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
        return [value for value in found if low <= math.log10(value) <= high]
    step = 10.0 ** math.floor(math.log10((high - low) / 3))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= 7)
    return [step * i for i in range(math.ceil(low / step), math.floor(high / step) + 1)]
