"""A picture of the page as an SVG file of its own: with its style and legend inside, light or dark as the reader's system is."""

from __future__ import annotations

from outthink.bench.report import plot
from outthink.bench.report.page import style
from outthink.bench.report.study import SetStudy
from outthink.core.markup import Markup, tag

KEY, GAP, LINE = 18.0, 12.0, 18.0


def as_file(study: SetStudy, picture: Markup) -> str:
    """The whole file. `picture`: one of `plot.pictures(study)`."""
    keys, x, y = list[Markup](), plot.LEFT, plot.HEIGHT + 8.0
    for method in study.methods:
        name = plot.named(method)
        wide = KEY + plot.LETTER * len(name) + GAP
        if x > plot.LEFT and x + wide > plot.WIDTH:
            x, y = plot.LEFT, y + LINE
        mark = tag("rect", x=x, y=y - 9.0, width=12, height=9, rx=2, fill="currentColor")
        keys.append(tag("g", mark, class_=plot.series(study, method)))
        keys.append(tag("text", name, x=x + KEY, y=y))
        x += wide
    height = y + 10.0
    parts = [
        tag("style", Markup(style("plot.css"))),
        tag("rect", width="100%", height="100%", rx=6, style="fill: var(--paper)"),
        picture,
        tag("g", *keys, class_="plot"),
    ]
    box = f"0 0 {plot.WIDTH:.0f} {height:.0f}"
    return tag("svg", *parts, xmlns="http://www.w3.org/2000/svg", viewBox=box, width=960, height=2 * height) + "\n"
