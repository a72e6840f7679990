"""What a tuning run looks like: its history, cost against quality with the frontier, and the believed quality along each setting.

Three plain SVG drawings without scripts, readable in light and dark, for files and for the report.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.markup import Markup, join, tag
from outthink.numerics.types import FloatArray
from outthink.tune.ground import Believed, Ground
from outthink.tune.space import Choice, Config, Space, Value
from outthink.tune.tuner import Tuned

WIDTH, HEIGHT = 640.0, 360.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 16.0, 34.0, 46.0
STYLE = Markup(
    "svg{font:12px system-ui,sans-serif;background:#fff;color:#1c2430}"
    ".line{fill:none;stroke:#2563a8;stroke-width:2}.band{fill:#2563a8;opacity:.16}.dot{fill:#2563a8}.pale{fill:#8a94a3;opacity:.55}"
    ".best{fill:#c2410c}.axis{stroke:#c4cad3}.tick{fill:#5b6675}.title{font-weight:600;fill:currentColor}"
    "@media (prefers-color-scheme:dark){svg{background:#14181f;color:#e6e9ee}.line{stroke:#7fb2ea}.band,.dot{fill:#7fb2ea}"
    ".pale{fill:#8a94a3}.best{fill:#fb923c}.axis{stroke:#3a4350}.tick{fill:#a3adba}}"
)


@dataclass(frozen=True)
class Axes:
    """A plot's frame: data to paper. `log`: the horizontal axis in logarithms."""

    low_x: float
    high_x: float
    low_y: float
    high_y: float
    log: bool = False

    def x(self, value: float) -> float:
        """Across."""
        low, high, at = (
            (math.log(v) for v in (self.low_x, self.high_x, value)) if self.log else (self.low_x, self.high_x, value)
        )
        return LEFT + (WIDTH - LEFT - RIGHT) * (at - low) / max(high - low, 1e-12)

    def y(self, value: float) -> float:
        """Down."""
        share = (value - self.low_y) / max(self.high_y - self.low_y, 1e-12)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def frame(self, title: str, across: str, ticks: Sequence[float]) -> list[Markup]:
        """Grid, ticks and words."""
        parts = [tag("text", title, x=LEFT, y=18, class_="title")]
        for value in np.linspace(self.low_y, self.high_y, 5).tolist():
            y = self.y(value)
            parts.append(tag("line", x1=LEFT, x2=WIDTH - RIGHT, y1=y, y2=y, class_="axis"))
            parts.append(tag("text", f"{100 * value:.0f}%", x=LEFT - 8, y=y + 4, class_="tick", text_anchor="end"))
        below: dict[str, str | float] = {"y": HEIGHT - BOTTOM + 18, "class_": "tick", "text_anchor": "middle"}
        parts += [tag("text", short(value), x=self.x(value), **below) for value in ticks]
        parts.append(tag("text", across, x=WIDTH - RIGHT, y=HEIGHT - 8, class_="tick", text_anchor="end"))
        return parts


def history(tokens: Sequence[float], quality: Sequence[float], deviation: Sequence[float]) -> Markup:
    """The best believed quality after each measurement, with two deviations of the belief, against tokens spent."""
    over = [min(q + 2 * d, 1.0) for q, d in zip(quality, deviation, strict=True)]
    under = [max(q - 2 * d, 0.0) for q, d in zip(quality, deviation, strict=True)]
    axes = Axes(0.0, max(tokens), *_span([*over, *under]))
    band = _polygon(axes, tokens, over, under)
    line = " ".join(f"{axes.x(t):.1f},{axes.y(q):.1f}" for t, q in zip(tokens, quality, strict=True))
    ticks = np.linspace(0.0, max(tokens), 5)[1:].tolist()
    return drawn(
        "Best believed quality while tuning",
        *axes.frame("Best believed quality, with two deviations", "tokens spent on measurements", ticks),
        tag("polygon", points=band, class_="band"),
        tag("polyline", points=line, class_="line"),
    )


def front(everything: Sequence[Believed], tuned: Tuned) -> Markup:
    """Believed quality against cost for every measured configuration, the frontier as a line, the chosen one marked."""
    costs = [one.cost for one in everything]
    axes = Axes(0.9 * min(costs), 1.1 * max(costs), *_span([one.quality for one in everything]), log=True)
    dots = [
        tag("circle", tag("title", said(one)), cx=axes.x(one.cost), cy=axes.y(one.quality), r=3.5, class_="pale")
        for one in everything
    ]
    edge = " ".join(f"{axes.x(one.cost):.1f},{axes.y(one.quality):.1f}" for one in tuned.front)
    marked = [
        tag("circle", tag("title", said(one)), cx=axes.x(one.cost), cy=axes.y(one.quality), r=4, class_="dot")
        for one in tuned.front
    ]
    chosen = (
        []
        if tuned.best is None
        else [
            tag(
                "circle",
                tag("title", said(tuned.best)),
                cx=axes.x(tuned.best.cost),
                cy=axes.y(tuned.best.quality),
                r=7,
                class_="best",
            )
        ]
    )
    ticks = np.geomspace(min(costs), max(costs), 4).tolist() if max(costs) > min(costs) else [costs[0]]
    return drawn(
        "Cost and quality of configurations",
        *axes.frame("Quality against cost: the frontier, and the chosen one", "tokens an answer", ticks),
        *dots,
        tag("polyline", points=edge, class_="line"),
        *marked,
        *chosen,
    )


def along(ground: Ground, space: Space, best: Config, name: str) -> Markup:
    """Believed quality along one setting, all others as in the chosen configuration, with two deviations of the belief."""
    beliefs = ground.believe()
    dimension = space.dimensions[name]
    if isinstance(dimension, Choice):
        values: list[Value] = list(dimension.values)
    else:
        values = np.linspace(float(dimension.low), float(dimension.high), 41).tolist()
    points = np.array([_moved(space, best, name, value) for value in values])
    mean, deviation = beliefs.quality.mean(points), np.sqrt(beliefs.quality.variance(points))
    over, under = np.minimum(mean + 2 * deviation, 1.0), np.maximum(mean - 2 * deviation, 0.0)
    span = _span([*over.tolist(), *under.tolist()])
    if isinstance(dimension, Choice):
        axes = Axes(-0.5, len(values) - 0.5, *span)
        parts: list[Markup] = []
        for i, value in enumerate(values):
            parts.append(
                tag(
                    "line",
                    x1=axes.x(i),
                    x2=axes.x(i),
                    y1=axes.y(float(over[i])),
                    y2=axes.y(float(under[i])),
                    class_="line",
                )
            )
            parts.append(
                tag(
                    "circle",
                    cx=axes.x(i),
                    cy=axes.y(float(mean[i])),
                    r=5,
                    class_="best" if value == best.get(name) else "dot",
                )
            )
            parts.append(
                tag("text", str(value), x=axes.x(i), y=HEIGHT - BOTTOM + 18, class_="tick", text_anchor="middle")
            )
        return drawn(f"Believed quality by {name}", *axes.frame(f"Believed quality by {name}", "", []), *parts)
    axes = Axes(float(values[0]), float(values[-1]), *span)
    band = _polygon(axes, [float(value) for value in values], over.tolist(), under.tolist())
    line = " ".join(f"{axes.x(float(v)):.1f},{axes.y(float(m)):.1f}" for v, m in zip(values, mean, strict=True))
    here = (
        []
        if name not in best
        else [
            tag(
                "line",
                x1=axes.x(float(best[name])),
                x2=axes.x(float(best[name])),
                y1=TOP,
                y2=HEIGHT - BOTTOM,
                class_="axis",
            )
        ]
    )
    return drawn(
        f"Believed quality along {name}",
        *axes.frame(
            f"Believed quality along {name}", name, np.linspace(float(values[0]), float(values[-1]), 5).tolist()
        ),
        tag("polygon", points=band, class_="band"),
        *here,
        tag("polyline", points=line, class_="line"),
    )


def drawn(title: str, *parts: Markup) -> Markup:
    """One picture."""
    return tag(
        "svg",
        tag("title", title),
        tag("style", STYLE),
        join(*parts),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH:.0f} {HEIGHT:.0f}",
        role="img",
    )


def said(one: Believed) -> str:
    """A configuration in one line."""
    settings = ", ".join(
        f"{name} = {short(value) if isinstance(value, float) else value}" for name, value in one.config.items()
    )
    return (
        f"{settings}: {100 * one.quality:.1f}% believed, {one.cost:,.0f} tokens an answer, asked {one.asked} questions"
    )


def short(value: float) -> str:
    """A number for a person."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _polygon(axes: Axes, values: Sequence[float], over: Sequence[float], under: Sequence[float]) -> str:
    there = [(float(v), float(o)) for v, o in zip(values, over, strict=True)]
    back = [(float(v), float(u)) for v, u in zip(values, under, strict=True)][::-1]
    return " ".join(f"{axes.x(v):.1f},{axes.y(y):.1f}" for v, y in [*there, *back])


def _moved(space: Space, best: Config, name: str, value: Value) -> FloatArray:
    changed = {**best, name: value}
    known = {one: changed[one] for one in space.dimensions if one in changed and space.active(one, changed)}
    return space.encode(known)


def _span(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    room = max(0.05 * (high - low), 0.01)
    return max(0.0, low - room), min(1.0, high + room)
