"""Intervals for a rate, a mean, and a mean difference.

A number without an interval is not a result. For right-or-wrong outcomes use `wilson` (and
`outthink.numerics.paired` when two methods answered the same tasks): it is closed form and holds its level at small
n, where the textbook interval, rate +- 1.96 standard errors, does not. For anything else, resample the tasks:
`bootstrap_percentile` if unsure.

    wilson(successes=7, n=10)                                    # Interval(low=0.397, high=0.892, level=0.95)
    paired_bootstrap(accuracy_new, accuracy_old, rng)            # of mean(new - old), tasks drawn in pairs

Resample tasks, never samples of one task: repeats of a task are not independent evidence. Bootstrap intervals of a
mean are a little short below about 30 values (92 to 94% instead of 95%).

Source: Wilson (1927); Brown, Cai and DasGupta, "Interval Estimation for a Binomial Proportion" (2001); Efron and
Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13; Davison and Hinkley (1997), section 5.2, for the
basic interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from outthink.numerics import checks
from outthink.numerics.types import FloatArray

DEFAULT_LEVEL = 0.95
DEFAULT_RESAMPLES = 2000
_DRAWS_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Interval:
    """A closed interval that holds the unknown value in `level` of all repetitions.

    Attributes:
        low, high: its ends, in the unit of what was measured.
        level: confidence, in (0, 1).
    """

    low: float
    high: float
    level: float

    def __contains__(self, value: float) -> bool:
        """Whether low <= value <= high."""
        return self.low <= value <= self.high

    @property
    def width(self) -> float:
        """Length of the interval, high - low."""
        return self.high - self.low


def normal_quantile(level: float) -> float:
    """Number z such that a standard normal lies within +-z with probability `level` (1.96 for 0.95)."""
    return NormalDist().inv_cdf(0.5 + 0.5 * checks.open_unit(level, "level"))


def wilson(successes: int, n: int, level: float = DEFAULT_LEVEL) -> Interval:
    """Wilson's score interval for a success rate; within [0, 1], never of width 0.

    Args:
        successes: how many of the trials succeeded.
        n: how many independent trials, at least 1.
    Raises ValueError: unless 0 <= successes <= n and n >= 1.
    """
    checks.size(n, least=1)
    if not 0 <= successes <= n:
        raise ValueError(f"successes is {successes}, expected between 0 and n = {n}.")
    z2 = normal_quantile(level) ** 2
    centre = (successes + 0.5 * z2) / (n + z2)
    half = math.sqrt(z2 * (successes * (n - successes) / n + 0.25 * z2)) / (n + z2)
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Interval(low, high, level)


def bootstrap_percentile(
    values: FloatArray, rng: np.random.Generator, level: float = DEFAULT_LEVEL, resamples: int = DEFAULT_RESAMPLES
) -> Interval:
    """Percentile bootstrap interval for the mean: the middle `level` of the resampled means.

    Args:
        values: one a task, [n], finite, at least 2.
        rng: consumed.
        resamples: how many means to draw; cost is n times that.
    Raises ValueError: fewer than 2 values; nan or infinite, naming the task.
    """
    low, high = _mean_quantiles(checks.finite_vector(values, "values"), rng, level, resamples)
    return Interval(low, high, level)


def bootstrap_basic(
    values: FloatArray, rng: np.random.Generator, level: float = DEFAULT_LEVEL, resamples: int = DEFAULT_RESAMPLES
) -> Interval:
    """Basic bootstrap interval for the mean: the percentile interval reflected about the sample mean.

    Arguments and errors as `bootstrap_percentile`.
    """
    array = checks.finite_vector(values, "values")
    low, high = _mean_quantiles(array, rng, level, resamples)
    twice = 2.0 * float(array.mean())
    return Interval(twice - high, twice - low, level)


def paired_bootstrap(
    first: FloatArray,
    second: FloatArray,
    rng: np.random.Generator,
    level: float = DEFAULT_LEVEL,
    resamples: int = DEFAULT_RESAMPLES,
) -> Interval:
    """Percentile bootstrap interval for mean(first - second), both measured on the same tasks.

    Drawing tasks and not values keeps what makes a task hard for both out of the difference.

    Args:
        first, second: one a task, [n] each, finite, in the same order.
    Other arguments and errors as `bootstrap_percentile`. Raises ValueError: unequal lengths.
    """
    a, b = checks.finite_vector(first, "first"), checks.finite_vector(second, "second")
    if len(a) != len(b):
        raise ValueError(
            f"got {len(a)} values of the first and {len(b)} of the second, expected the same tasks for both."
        )
    return bootstrap_percentile(a - b, rng, level, resamples)


def _mean_quantiles(values: FloatArray, rng: np.random.Generator, level: float, resamples: int) -> tuple[float, float]:
    checks.open_unit(level, "level")
    n = checks.size(len(values), "the number of values", least=2)
    checks.size(resamples, "resamples", least=1)
    means = np.empty(resamples)
    rows = max(1, _DRAWS_AT_ONCE // n)  # bounds memory at large n
    for start in range(0, resamples, rows):
        stop = min(start + rows, resamples)
        means[start:stop] = values[rng.integers(0, n, size=(stop - start, n))].mean(axis=1)
    low, high = np.quantile(means, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return float(low), float(high)
