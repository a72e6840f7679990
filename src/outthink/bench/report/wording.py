"""Numbers as a reader sees them, the same in the page, in Markdown and on the terminal."""

from __future__ import annotations

import math

from outthink.bench.report.study import Row
from outthink.bench.statistics import Comparison, Constant
from outthink.numerics.intervals import Interval


def shortened(text: str, most: int) -> str:
    """The text in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def counted(number: int, thing: str) -> str:
    """`1 seed`, `1,204 outcomes`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def signed(share: float) -> str:
    """A difference in percentage points, `+8.3`; what rounds to nothing is `0.0`, without a sign."""
    return f"{100 * share:+.1f}" if abs(100 * share) >= 0.05 else "0.0"


def percent(share: float) -> str:
    """`41.7%`."""
    return "–" if math.isnan(share) else f"{100 * share:.1f}%"


def span(interval: Interval) -> str:
    """`24.5 to 61.2`, in percent."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def amount(value: float) -> str:
    """A cost: `1,204`, `0.42`, `–` where unknown."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.2f}".rstrip("0").rstrip(".")


def mark(comparison: Comparison) -> str:
    """`▲` better, `▼` worse, `≈` within the noise; `*` behind it where the baseline was not run at that cost."""
    sign = "≈" if not comparison.matched.shown else "▲" if comparison.matched.difference > 0 else "▼"
    return sign if comparison.at_its_cost else sign + "*"


def constant_line(constant: Constant) -> str:
    """What the best constant answer gives."""
    if math.isnan(constant.share):
        return "Which constant answer would be best is not known: the folder has no record of its tasks."
    if constant.answer is None:
        return "No constant answer is right for more than one question."
    return f"Always answering {constant.answer!r} is right for {percent(constant.share)}."


def frontier(row: Row) -> str:
    """How often resamples of the questions put it on the Pareto frontier."""
    return "–" if math.isnan(row.frontier) else f"{100 * row.frontier:.0f}%"


LEGEND = (
    "Differences are percentage points of accuracy against a plain baseline at the same total cost, with 95% intervals over questions: "
    "▲ better, ▼ worse, ≈ within the noise; * the baseline was not run at that cost, and its nearest size stands in. "
    "Tokens are those that had to be computed, a question, over all roles, judging included. Frontier: the share of resamples of the "
    "questions in which no other method is both as cheap and as accurate."
)
