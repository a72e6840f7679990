"""Accuracy with its interval for each method, as one SVG that is readable at the width of a phone."""

from __future__ import annotations

from outthink.core.markup import Markup, tag
from outthink.demo import wording
from outthink.demo.scoring import Row, Summary

WIDTH = 360.0
LEFT, RIGHT = 8.0, 12.0
ROW = 46.0
TOP = 6.0
TICKS = (0, 25, 50, 75, 100)


def accuracy_chart(summary: Summary) -> Markup:
    """A dot for the share solved, a line for its 95% interval; the dashed line is the best constant answer."""
    height = TOP + ROW * len(summary.rows) + 34
    bottom = TOP + ROW * len(summary.rows)
    grid = [tag("line", x1=_x(t / 100), x2=_x(t / 100), y1=TOP, y2=bottom, class_="grid") for t in TICKS]
    ticks = [
        tag("text", f"{t}%", x=_x(t / 100), y=bottom + 14, class_="tick", text_anchor="middle") for t in TICKS[1:-1]
    ]
    ends = [
        tag("text", "0", x=LEFT, y=bottom + 14, class_="tick"),
        tag("text", "100%", x=WIDTH - RIGHT, y=bottom + 14, class_="tick", text_anchor="end"),
    ]
    share = summary.constant.right / summary.n
    constant = [
        tag("line", x1=_x(share), x2=_x(share), y1=TOP, y2=bottom, class_="constant"),
        tag("text", f"┆ always answering {summary.constant.answer}", x=LEFT, y=bottom + 28, class_="tick"),
    ]
    rows = [_row(row, TOP + ROW * i) for i, row in enumerate(summary.rows)]
    return tag(
        "svg",
        tag("title", f"Accuracy on {wording.heading(summary)}, with 95% intervals"),
        *grid,
        *ticks,
        *ends,
        *constant,
        *rows,
        viewBox=f"0 0 {WIDTH:.0f} {height:.0f}",
        role="img",
        class_="chart",
    )


def _x(share: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * share


def _row(row: Row, top: float) -> Markup:
    y = top + 30
    return tag(
        "g",
        tag("title", f"{row.title}: {row.right} of {row.n}, 95% interval {wording.span(row.interval)}"),
        tag("text", row.title, x=LEFT, y=top + 16, class_="name"),
        tag("text", f"{row.right} of {row.n}", x=WIDTH - RIGHT, y=top + 16, class_="value", text_anchor="end"),
        tag("line", x1=_x(row.interval.low), x2=_x(row.interval.high), y1=y, y2=y, class_="interval"),
        tag("circle", cx=_x(row.accuracy), cy=y, r=5.5, class_="dot"),
        data_method=row.method.name,
    )
