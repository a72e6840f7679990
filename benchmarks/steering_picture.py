"""Pictures of `benchmarks/steering.py` as SVG: a value against cost on a log axis, one line a method; and a sheet of answers."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Mapping
from html import escape

import torch
from cost_picture import Points, Upwards, cost_picture

from outthink.diffusion.pictures import contact_sheet

COSTS = (200, 800, 3_200, 12_800)

SCALE = 4
"""How often a pixel is repeated on a sheet of answers."""

ROW, NAMES = 42, 200


def lines_of(title: str, axis: str, lines: Mapping[str, Points], *, logarithmic: bool = False) -> str:
    """Lines through (cost, value) points; the value's axis is logarithmic on demand."""
    lines = {name: points for name, points in lines.items() if points}
    height: Callable[[float], float] = math.log10 if logarithmic else float
    values = [height(value) for points in lines.values() for _, value in points]
    margin = 0.04 * (max(values) - min(values) or 1.0)
    floor, top = min(values) - margin, max(values) + margin
    marks = [(value, f"{value:.3g}") for value in _ticks(floor, top, logarithmic)]
    below = f"evaluations and reward calls (log scale); upwards: {axis}"
    return cost_picture(title, below, lines, COSTS, Upwards(floor, top, marks, height))


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
