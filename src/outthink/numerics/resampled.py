"""Intervals by resampling whole questions: one set of resamples for all columns of a table, so that they can be compared.

    counts = resample_counts(len(right), 2000, rng)          # how often each question stands in each resample
    mean_intervals(right, counts)                            # right: [questions, columns], one interval a column

A question with all its seeds, samples and repeats is one unit: repeats of a question are not independent evidence, and an interval that
takes them for it is too short by far (a test shows it). Percentiles of resampled means are themselves a little short at few units, since
they use the wrong divisor and normal tails; the levels are widened for that, which is exact for normal means.

Source: Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13; the widened levels are those of Hesterberg, "What
Teachers Should Know about the Bootstrap" (2015), section 5.4; Student's quantile by Abramowitz and Stegun 26.7.5.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from outthink.numerics import checks
from outthink.numerics.intervals import DEFAULT_LEVEL, DEFAULT_RESAMPLES, Interval, normal_quantile, wilson
from outthink.numerics.types import FloatArray

_DRAWS_AT_ONCE = 1 << 20


def resample_counts(n: int, resamples: int, rng: np.random.Generator) -> FloatArray:
    """How often each of n units stands in each resample, [resamples, n]; every row sums to n. Raises ValueError: below 1."""
    checks.size(n, "n", least=1)
    checks.size(resamples, "resamples", least=1)
    counts = np.empty((resamples, n))
    rows = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, resamples, rows):
        stop = min(start + rows, resamples)
        drawn = rng.integers(0, n, size=(stop - start, n)) + n * np.arange(stop - start)[:, None]
        counts[start:stop] = np.bincount(drawn.ravel(), minlength=(stop - start) * n).reshape(-1, n)
    return counts


def student_quantile(level: float, degrees: int) -> float:
    """Number t such that a Student variable lies within +-t with probability `level`; within 1% from 3 degrees on."""
    z, v = normal_quantile(level), float(checks.size(degrees, "degrees", least=1))
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / v**power for power, term in enumerate(terms, 1))


def percentile_ends(drawn: FloatArray, n: int, level: float = DEFAULT_LEVEL) -> FloatArray:
    """Ends of the interval for each column of resampled values, [2, columns], at levels widened for `n` units.

    Args:
        drawn: [resamples, columns], finite. n: units resampled.
    """
    tail = 0.5 - 0.5 * checks.open_unit(level, "level")
    if n >= 2:
        tail = NormalDist().cdf(-math.sqrt(n / (n - 1)) * student_quantile(level, n - 1))
    return np.quantile(drawn, [tail, 1.0 - tail], axis=0)


def mean_intervals(values: FloatArray, counts: FloatArray, level: float = DEFAULT_LEVEL) -> list[Interval]:
    """Interval for the mean of each column over units.

    Args:
        values: [units, columns], finite. counts: from `resample_counts`, [resamples, units].
    Raises ValueError: shapes that do not fit.
    """
    array = np.asarray(values, float)
    if array.ndim != 2 or counts.shape[1] != len(array):
        raise ValueError(
            f"got values {array.shape} and counts {counts.shape}, expected [units, columns] and [., units]."
        )
    low, high = percentile_ends(counts @ array / len(array), len(array), level)
    return [Interval(float(a), float(b), level) for a, b in zip(low, high, strict=True)]


def rate_intervals(values: FloatArray, counts: FloatArray, level: float = DEFAULT_LEVEL) -> list[Interval]:
    """Intervals for shares: Wilson's for columns of zeros and ones, resampled units for those with values in between (means over seeds).

    Arguments and errors as `mean_intervals`; values in [0, 1].
    """
    array = np.asarray(values, float)
    found = mean_intervals(array, counts, level)
    for at in np.flatnonzero(((array == 0.0) | (array == 1.0)).all(axis=0)).tolist():
        found[at] = wilson(int(array[:, at].sum()), len(array), level)
    return found


def rate_interval(
    values: FloatArray,
    rng: np.random.Generator,
    level: float = DEFAULT_LEVEL,
    resamples: int = DEFAULT_RESAMPLES,
) -> Interval:
    """`rate_intervals` of one column, [units]."""
    column = checks.finite_vector(values, "values")[:, None]
    return rate_intervals(column, resample_counts(len(column), resamples, rng), level)[0]
