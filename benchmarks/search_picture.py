"""Accuracy against cost on a log axis, one line a method: the picture of `benchmarks/search.py`, as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping

from cost_picture import Points, Upwards, cost_picture

COSTS = (30, 50, 100, 200, 500, 1000, 2000, 5000)


def curves(title: str, lines: Mapping[str, Points]) -> str:
    """The picture of (tokens a problem, share solved). Every line has at least one point with a positive cost."""
    floor = math.floor(10 * min(value for points in lines.values() for _, value in points)) / 10
    marks = [(tenth / 10, f"{10 * tenth}%") for tenth in range(round(10 * floor), 11)]
    coloured = {name: lines[name] for name in sorted(lines)}
    return cost_picture(title, "tokens a problem (log scale)", coloured, COSTS, Upwards(floor, 1.0, marks))
