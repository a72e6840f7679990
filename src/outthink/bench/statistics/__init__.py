"""What a benchmark's outcomes say, and how surely: intervals over questions, paired differences at matched total cost, and warnings.

    entries = entries_of(outcomes, questions)
    for comparison in compared(entries, rng): print(comparison.method, comparison.size, comparison.baseline, comparison.verdict)

The arithmetic stands in `outthink.numerics` (`resampled`, `matched`, `paired`, `reliability`); here it meets outcomes and pools.
"""

from outthink.bench.statistics.against import (
    Comparison,
    baselines_of,
    compared,
    is_plain,
    order_of,
    sees_answers,
    sign_flips,
)
from outthink.bench.statistics.choices import Choices, Gap, choices_of
from outthink.bench.statistics.constant import UNKNOWN, Constant, best_constant
from outthink.bench.statistics.entries import Entry, curve_over, entries_of, unfinished
from outthink.bench.statistics.warnings import warnings_of

__all__ = [
    "UNKNOWN",
    "Choices",
    "Comparison",
    "Constant",
    "Entry",
    "Gap",
    "baselines_of",
    "best_constant",
    "choices_of",
    "compared",
    "curve_over",
    "entries_of",
    "is_plain",
    "order_of",
    "sees_answers",
    "sign_flips",
    "unfinished",
    "warnings_of",
]
