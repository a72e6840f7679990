"""How benchmarks write the ratio of two costs: "at least" where the smallest size was enough already, "never" where a bound is infinite."""

from __future__ import annotations

import math

from outthink.numerics.cost_ratio import Ratio


def ratio_in_words(ratio: Ratio) -> str:
    """A ratio with its interval; "neither" where neither of the two reached the level."""
    if math.isnan(ratio.ratio):
        return "neither"
    if ratio.ratio == 0.0:
        return f"not reached (0 to {_number(ratio.interval.high)})"
    more = "at least " if ratio.at_most else ""
    return f"{more}{ratio.ratio:.2f} ({_number(ratio.interval.low)} to {_number(ratio.interval.high)})"


def _number(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.2f}"
