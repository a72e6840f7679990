"""Two methods on the same tasks: is one better, and by how much?

Only the tasks on which they differ tell them apart. `PairCounts` holds those two numbers and the total; `mcnemar`
tests for any difference, and `difference_interval` says how large it is. For scores that are not right-or-wrong,
`sign_test` asks which is larger, task by task.

    pairs = count_pairs(right_new, right_old)
    difference_interval(pairs), mcnemar(pairs, mid_p=True)

The interval is Tango's: all differences that the score test does not reject. It holds its level at small n, where the
Wald interval is far too short and has width 0 when the methods never differ; with hardly a disagreement it is
cautious (it covers 98% instead of 95% at ten tasks). It is computed by bisection, since its ends have no simple closed form.
Use mid-p for reporting, the exact test where a guarantee is needed (it is conservative).

Source: Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample
design", Statistics in Medicine 17 (1998); recommended by Fagerland, Lydersen and Laake, Statistics in Medicine 33
(2014), and for mid-p BMC Medical Research Methodology 13:91 (2013).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from outthink.numerics import checks
from outthink.numerics.binomial import two_sided_half
from outthink.numerics.intervals import DEFAULT_LEVEL, Interval, normal_quantile
from outthink.numerics.types import BoolArray, FloatArray

_BISECTIONS = 60


@dataclass(frozen=True)
class PairCounts:
    """Outcomes of two methods on n tasks.

    Attributes:
        first_only: tasks that only the first got right.
        second_only: tasks that only the second got right.
        n: all tasks, at least 1.
    Raises ValueError: a negative count, or more disagreements than tasks.
    """

    first_only: int
    second_only: int
    n: int

    def __post_init__(self) -> None:
        checks.size(self.first_only, "first_only")
        checks.size(self.second_only, "second_only")
        checks.size(self.n, "n", least=max(1, self.first_only + self.second_only))

    @property
    def difference(self) -> float:
        """Accuracy of the first minus accuracy of the second."""
        return (self.first_only - self.second_only) / self.n


def count_pairs(first: BoolArray, second: BoolArray) -> PairCounts:
    """Counts from who was right on which task.

    Args:
        first, second: whether each method was right, [n] each, in the same order of tasks.
    Raises ValueError: unequal or zero lengths. TypeError: arrays that are not boolean (a score is not an outcome).
    """
    a, b = np.asarray(first), np.asarray(second)
    if a.dtype != np.bool_ or b.dtype != np.bool_:
        raise TypeError(f"got arrays of {a.dtype} and {b.dtype}, expected booleans: right or wrong, one a task.")
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(
            f"got outcomes of shapes {a.shape} and {b.shape}, expected the same tasks for both, one dimension."
        )
    return PairCounts(int((a & ~b).sum()), int((b & ~a).sum()), len(a))


def mcnemar(pairs: PairCounts, *, mid_p: bool = False) -> float:
    """Two-sided p-value that both methods are equally accurate, given how many tasks they differ on; exact, or mid-p.

    Source: McNemar (1947), exact conditional form.
    """
    return two_sided_half(pairs.first_only, pairs.second_only, mid_p=mid_p)


def sign_test(differences: FloatArray, *, mid_p: bool = False) -> float:
    """Two-sided p-value that a difference is as often positive as negative; zeros are left out.

    Args:
        differences: one a task, [n]; only the signs matter.
    Raises ValueError: nan, naming the task.
    """
    array = checks.vector(differences, "differences")
    checks.refuse_where(np.isnan(array), array, "differences", "a number; leave the task out if one side has none")
    return two_sided_half(int((array < 0.0).sum()), int((array > 0.0).sum()), mid_p=mid_p)


def difference_interval(pairs: PairCounts, level: float = DEFAULT_LEVEL) -> Interval:
    """Tango's score interval for (accuracy of the first) - (accuracy of the second); within [-1, 1].

    Raises ValueError: a level outside (0, 1).
    """
    z = normal_quantile(level)
    return Interval(_end(pairs, z, -1.0), _end(pairs, z, 1.0), level)


def _end(pairs: PairCounts, z: float, bound: float) -> float:
    """The difference between the estimate (never rejected) and `bound` at which the score test starts to reject."""
    kept, rejected = pairs.difference, bound
    if not _rejects(pairs, z, rejected):
        return bound
    for _ in range(_BISECTIONS):
        middle = 0.5 * (kept + rejected)
        if _rejects(pairs, z, middle):
            rejected = middle
        else:
            kept = middle
    return kept


def _rejects(pairs: PairCounts, z: float, delta: float) -> bool:
    """Whether |b - c - n delta| > z sqrt(n (2 q + delta (1 - delta))).

    q is the most likely P(only the second is right) when the difference is delta: the larger root of
    2n q^2 + (delta (2n - b + c) - b - c) q - c delta (1 - delta) = 0.
    """
    b, c, n = pairs.first_only, pairs.second_only, pairs.n
    linear = delta * (2 * n - b + c) - b - c
    q = (math.sqrt(max(linear**2 + 8 * n * c * delta * (1.0 - delta), 0.0)) - linear) / (4 * n)
    variance = max(n * (2.0 * q + delta * (1.0 - delta)), 0.0)
    return abs(b - c - n * delta) > z * math.sqrt(variance)
