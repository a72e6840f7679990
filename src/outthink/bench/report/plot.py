"""Accuracy against tokens on a logarithmic axis as one SVG: lines with bands over sizes, or points with the Pareto frontier.

Drawn 480 units wide, so that its letters can be read at the width of a phone; the page's style fills the colours, light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.bench.report.study import Row, SetStudy
from outthink.bench.statistics import is_plain, sees_answers
from outthink.core.markup import Markup, tag
from outthink.numerics.pareto import pareto_frontier

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480.0, 344.0, 40.0, 12.0, 26.0, 40.0
COLOURS = 12
MANTISSAS = (1, 2, 5)
LETTER, LINE = 7.3, 14.0
"""Width of a letter and height of a line of the names, about."""


@dataclass(frozen=True)
class Frame:
    """From tokens and shares to places in the picture."""

    low: float
    high: float
    floor: float
    ceiling: float

    @classmethod
    def around(cls, study: SetStudy) -> Frame:
        """A frame that holds all points with their intervals."""
        rows = drawable(study)
        costs = [float(row.entry.tokens.mean()) for row in rows]
        lows = [row.interval.low for row in rows] + ([] if study.constant.answer is None else [study.constant.share])
        highs = [row.interval.high for row in rows]
        floor, ceiling = math.floor(10 * min(lows)) / 10, math.ceil(10 * max(highs)) / 10
        if ceiling - floor < 0.2:
            floor, ceiling = max(0.0, floor - 0.1), min(1.0, ceiling + 0.1)
        return cls(math.log10(min(costs)) - 0.08, math.log10(max(costs)) + 0.08, floor, ceiling)

    def x(self, tokens: float) -> float:
        """Place of a cost."""
        return LEFT + (math.log10(tokens) - self.low) / (self.high - self.low) * (WIDTH - LEFT - RIGHT)

    def y(self, share: float) -> float:
        """Place of a share."""
        inside = (min(max(share, self.floor), self.ceiling) - self.floor) / (self.ceiling - self.floor)
        return HEIGHT - BOTTOM - inside * (HEIGHT - BOTTOM - TOP)

    def ticks(self) -> list[float]:
        """Costs to name on the axis: 1, 2 and 5 times a power of ten, thinned out to at most 7."""
        decades = range(math.floor(self.low), math.ceil(self.high) + 1)
        found = [m * 10.0**d for d in decades for m in MANTISSAS if self.low <= math.log10(m * 10.0**d) <= self.high]
        while len(found) > 7:
            found = found[::2]
        return found


def pictures(study: SetStudy) -> list[tuple[Markup | None, str]]:
    """Both pictures with their captions."""
    return [
        (curves(study), "Each method over its sizes, with 95% bands; dashed: plain baselines."),
        (pareto(study), "Every method and size with its interval; the line is the frontier. Hollow: plain baselines."),
    ]


def drawable(study: SetStudy) -> list[Row]:
    """The rows that cost something."""
    return [row for row in study.rows if row.entry.tokens.mean() > 0]


def series(study: SetStudy, method: str) -> str:
    """The class that colours a method."""
    return f"s{study.of_run.index(method) % COLOURS}"


def curves(study: SetStudy) -> Markup | None:
    """Each method's line over its sizes with the band of its intervals; None where nothing costs anything."""
    rows = drawable(study)
    if not rows:
        return None
    frame = Frame.around(study)
    drawn = []
    for method in study.methods:
        own = sorted(
            (row for row in rows if row.entry.method == method), key=lambda row: float(row.entry.tokens.mean())
        )
        at = [(frame.x(float(row.entry.tokens.mean())), row) for row in own]
        kind = f"{series(study, method)}{' dashed' if is_plain(method) else ''}"
        parts = []
        if len(at) > 1:
            edge = [(x, frame.y(row.interval.high)) for x, row in at]
            edge += [(x, frame.y(row.interval.low)) for x, row in reversed(at)]
            parts.append(tag("polygon", points=_path(edge), class_="band"))
            parts.append(
                tag("polyline", points=_path([(x, frame.y(row.entry.accuracy)) for x, row in at]), class_="line")
            )
        parts += [_dot(frame, row, own_band=len(at) == 1) for row in own]
        drawn.append(tag("g", *parts, class_=kind))
    return _svg(f"Accuracy against tokens on {study.name}", frame, study, drawn)


def pareto(study: SetStudy) -> Markup | None:
    """Every method and size as a point with its interval, and the frontier of those that know no answers."""
    rows = drawable(study)
    honest = [row for row in rows if not sees_answers(row.entry.method)]
    if not honest:
        return None
    frame = Frame.around(study)
    best = pareto_frontier(
        np.array([row.entry.tokens.mean() for row in honest]), np.array([row.entry.accuracy for row in honest])
    )
    on = [honest[i] for i in best.tolist()]
    steps: list[tuple[float, float]] = []
    for row in on:
        x, y = frame.x(float(row.entry.tokens.mean())), frame.y(row.entry.accuracy)
        steps += [(x, steps[-1][1]), (x, y)] if steps else [(x, y)]
    steps.append((WIDTH - RIGHT, steps[-1][1]))
    drawn = [tag("polyline", points=_path(steps), class_="frontier")]
    for row in rows:
        dot = _dot(frame, row, own_band=True)
        drawn.append(tag("g", dot, class_=f"{series(study, row.entry.method)} {'on' if row in on else 'off'}"))
    drawn += _names(frame, on)
    return _svg(f"Pareto frontier on {study.name}", frame, study, drawn)


def legend(study: SetStudy) -> Markup:
    """What the colours mean, as a list."""
    items = [
        tag("li", tag("span", "", class_=f"key {series(study, method)}"), named(method)) for method in study.methods
    ]
    return tag("ul", *items, class_="legend")


def named(method: str) -> str:
    """A method as legends have it."""
    return f"{method}{' (plain)' if is_plain(method) else ' (sees the answers)' if sees_answers(method) else ''}"


def _names(frame: Frame, rows: Sequence[Row]) -> list[Markup]:
    """Names of the points of the frontier, to the upper left, where its line does not run; moved up where they would lie on one another."""
    found, taken = [], list[tuple[float, float, float]]()
    for row in rows:
        wide = LETTER * len(row.entry.label)
        x, y = frame.x(float(row.entry.tokens.mean())) - 6.0, frame.y(row.entry.accuracy) - 8.0
        left = max(x - wide, LEFT + 2.0)
        while any(left < b and a < left + wide and abs(y - at) < LINE for a, b, at in taken):
            y -= LINE
        y = max(y, TOP + 8.0)
        taken.append((left, left + wide, y))
        found.append(tag("text", row.entry.label, x=left + wide, y=y, text_anchor="end", class_="name"))
    return found


def _dot(frame: Frame, row: Row, *, own_band: bool) -> Markup:
    x, e = frame.x(float(row.entry.tokens.mean())), row.entry
    said = (
        f"{e.label}: {100 * e.accuracy:.1f}% ({100 * row.interval.low:.1f} to {100 * row.interval.high:.1f}), "
        f"{e.tokens.mean():,.0f} tokens"
    )
    parts = [tag("title", said)]
    if own_band:
        parts.append(tag("line", x1=x, x2=x, y1=frame.y(row.interval.low), y2=frame.y(row.interval.high), class_="bar"))
    kind = "dot plain" if is_plain(e.method) else "dot"
    parts.append(tag("circle", cx=x, cy=frame.y(e.accuracy), r=4.0, class_=kind))
    return tag("g", *parts)


def _svg(title: str, frame: Frame, study: SetStudy, drawn: Sequence[Markup]) -> Markup:
    bottom = HEIGHT - BOTTOM
    parts = [tag("title", title)]
    tenths = range(round(10 * frame.floor), round(10 * frame.ceiling) + 1)
    every = 2 if len(tenths) > 6 else 1
    for tenth in tenths:
        y = frame.y(tenth / 10)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="grid"))
        if tenth % every == 0:
            parts.append(tag("text", f"{10 * tenth}%", x=LEFT - 5, y=y + 4, text_anchor="end", class_="tick"))
    for tokens in frame.ticks():
        x = frame.x(tokens)
        parts.append(tag("line", x1=x, x2=x, y1=TOP, y2=bottom, class_="grid"))
        parts.append(tag("text", f"{tokens:,.0f}", x=x, y=bottom + 15, text_anchor="middle", class_="tick"))
    parts.append(tag("text", "right", x=LEFT - 5, y=TOP - 12, text_anchor="end", class_="tick"))
    parts.append(
        tag(
            "text",
            "tokens a question, log scale",
            x=(LEFT + WIDTH) / 2,
            y=HEIGHT - 6,
            text_anchor="middle",
            class_="tick",
        )
    )
    if study.constant.answer is not None:
        y = frame.y(study.constant.share)
        parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="constant"))
        parts.append(
            tag(
                "text",
                f"always {study.constant.answer[:20]}",
                x=WIDTH - RIGHT - 2,
                y=y - 4,
                text_anchor="end",
                class_="tick",
            )
        )
    return tag(
        "svg",
        *parts,
        *drawn,
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
        class_="plot",
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
