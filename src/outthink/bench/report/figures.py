"""All figures as tables for other programs: one row a method and size, one a comparison, one a way of choosing from a pool."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence

from outthink.bench.report.study import Study
from outthink.bench.statistics.entries import COLUMNS

METHODS = (
    "set",
    "method",
    "size",
    "questions",
    "seeds",
    "right",
    "low",
    "high",
    *COLUMNS,
    "judging",
    "frontier",
    "failed",
    "cut",
)
COMPARISONS = (
    "set",
    "method",
    "size",
    "baseline",
    "difference",
    "low",
    "high",
    "p",
    "baseline_right",
    "tokens",
    "baseline_tokens",
)
CHOICES = ("set", "verifier", "choice", "size", "questions", "right", "low", "high", "gap", "gap_low", "gap_high")
Value = str | int | float


def figures(study: Study) -> dict[str, str]:
    """CSV text by name. Shares are from 0 to 1, costs are means of one question; an empty cell is unknown."""
    return {
        "methods": _written(METHODS, _methods(study)),
        "comparisons": _written((*COMPARISONS, "verdict"), _comparisons(study)),
        "choices": _written((*CHOICES, "samples", "tokens", "judgements"), _choices(study)),
    }


def _methods(study: Study) -> Iterable[Sequence[Value]]:
    for one in study.sets:
        for row in one.rows:
            e = row.entry
            costs = [float(e.cost[column].mean()) for column in COLUMNS]
            right = (e.accuracy, row.interval.low, row.interval.high)
            rest = (float(e.judged.mean()), row.frontier, e.failed, e.cut)
            yield (one.name, e.method, e.size, len(e.questions), e.seeds, *right, *costs, *rest)
        if one.constant.answer is not None:
            share = one.constant.share
            yield (one.name, f"always {one.constant.answer}", 0, len(one.questions), 0, share)


def _comparisons(study: Study) -> Iterable[Sequence[Value]]:
    for one in study.sets:
        for row in one.rows:
            for c in row.against:
                m = c.matched
                found = (m.difference, m.interval.low, m.interval.high, c.p, m.baseline, m.cost, m.baseline_cost)
                yield (one.name, c.method, c.size, c.baseline, *found, c.verdict)


def _choices(study: Study) -> Iterable[Sequence[Value]]:
    for one in study.sets:
        for pool in one.choices:
            for name, line in pool.lines.items():
                gap = pool.gap.get(name)
                lost = ("", "", "") if gap is None else (gap.gap, gap.interval.low, gap.interval.high)
                right = (line.accuracy, line.interval.low, line.interval.high)
                costs = (line.samples, line.tokens, line.judged)
                yield (one.name, pool.score, name, line.size, line.questions, *right, *lost, *costs)


def _written(heads: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(heads)
    for row in rows:
        whole = [*row, *[""] * (len(heads) - len(row))]
        writer.writerow([_rounded(value) for value in whole])
    return text.getvalue()


def _rounded(value: Value) -> Value:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value
