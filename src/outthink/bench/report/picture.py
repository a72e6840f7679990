"""The curves and frontiers of all sets as one PNG, for slides and messages. Needs matplotlib (`pip install 'outthink[bench]'`)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from outthink.bench.report import plot
from outthink.bench.report.page import style
from outthink.bench.report.study import Row, SetStudy, Study
from outthink.bench.statistics import is_plain, sees_answers
from outthink.numerics.pareto import pareto_frontier
from outthink.verify.extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES, DOTS = (6.0, 4.2), 110


def write_picture(study: Study, path: Path) -> bool:
    """Write the picture; False where there is nothing to draw. Raises `Incompatible` without matplotlib."""
    require("matplotlib", extra="bench", needed_by="reports as PNG")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sets = [one for one in study.sets if plot.drawable(one)]
    if not sets:
        return False
    figure = Figure(figsize=(2 * INCHES[0], len(sets) * INCHES[1]), dpi=DOTS, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(sets), 2, squeeze=False)
    for (left, right), one in zip(axes, sets, strict=True):
        _curves(left, one)
        _frontier(right, one)
        for axis in (left, right):
            _framed(axis, one)
        right.legend(
            *left.get_legend_handles_labels(), fontsize=8, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5)
        )
    figure.savefig(path, format="png", metadata={"Software": "outthink"})
    return True


def _curves(axis: Axes, study: SetStudy) -> None:
    for method in study.methods:
        own = [row for row in plot.drawable(study) if row.entry.method == method]
        if not own:
            continue
        own.sort(key=_cost)
        x, y = [_cost(row) for row in own], [100 * row.entry.accuracy for row in own]
        low, high = [100 * row.interval.low for row in own], [100 * row.interval.high for row in own]
        colour = _colour(study, method)
        line = "--" if is_plain(method) else "-"
        axis.plot(x, y, line, color=colour, marker="o", markersize=4, label=plot.named(method))
        axis.fill_between(x, low, high, color=colour, alpha=0.1, linewidth=0)
    axis.set_title(f"{study.name}: each method over its sizes, 95% bands", fontsize=10, loc="left")


def _frontier(axis: Axes, study: SetStudy) -> None:
    rows = plot.drawable(study)
    for row in rows:
        colour, at = _colour(study, row.entry.method), 100 * row.entry.accuracy
        axis.vlines(_cost(row), 100 * row.interval.low, 100 * row.interval.high, color=colour, alpha=0.4, linewidth=1.2)
        filled = "white" if is_plain(row.entry.method) else colour
        axis.plot(_cost(row), at, "o", color=colour, markerfacecolor=filled, markersize=5)
    honest = [row for row in rows if not sees_answers(row.entry.method)]
    if honest:
        best = pareto_frontier(np.array([_cost(row) for row in honest]), np.array([r.entry.accuracy for r in honest]))
        on = [honest[i] for i in best.tolist()]
        axis.step([_cost(row) for row in on], [100 * row.entry.accuracy for row in on], where="post", color="0.35")
        for i, row in enumerate(on):
            place, beside = (_cost(row), 100 * row.entry.accuracy), (4, 6) if i == 0 else (-5, 6)
            side = "left" if i == 0 else "right"
            axis.annotate(row.entry.label, place, beside, textcoords="offset points", ha=side, fontsize=8)
    axis.set_title(f"{study.name}: the Pareto frontier", fontsize=10, loc="left")


def _framed(axis: Axes, study: SetStudy) -> None:
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel("tokens a question")
    axis.set_ylabel("right, %")
    axis.grid(visible=True, which="major", color="0.9")
    axis.spines[["top", "right"]].set_visible(False)
    if study.constant.answer is not None:
        axis.axhline(100 * study.constant.share, color="0.5", linestyle=":", linewidth=1.2)


def _cost(row: Row) -> float:
    return float(row.entry.tokens.mean())


def _colour(study: SetStudy, method: str) -> str:
    """The colour that the page has for it on light paper."""
    found = re.search(rf"--{plot.series(study, method)}: (#\w+);", style("plot.css"))
    return "0.3" if found is None else found.group(1)
