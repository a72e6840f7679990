"""Do stated probabilities come true? Calibration of scores and of vote shares against what was right.

    calibration(share, right)          # of 100 answers with a vote share near 0.7, are 70 right?

`error` is the mean gap between stated and true over the bins, weighted by their sizes; a small sample has some by chance alone, which
`noise`, the error that a perfectly calibrated source would show on average, makes visible. `brier` is the mean squared gap to 0 or 1, which
also rewards telling right from wrong.

Source: Brier (1950); the binned error as in Naeini et al. 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning".
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from outthink.numerics import checks
from outthink.numerics.types import FloatArray

BINS = 10


@dataclass(frozen=True)
class Bin:
    """Samples whose stated probability lies between low and high: how many, what was stated on average, and the share that was right."""

    low: float
    high: float
    count: int
    stated: float
    right: float


@dataclass(frozen=True)
class Calibration:
    """How well stated probabilities come true.

    Attributes:
        bins: those that hold samples, ascending.
        error: the mean absolute gap over the bins, weighted by size. noise: what it would be by chance alone.
        brier: mean squared gap to the outcome. n: samples.
    """

    bins: tuple[Bin, ...]
    error: float
    noise: float
    brier: float
    n: int


def calibration(stated: FloatArray, right: FloatArray, bins: int = BINS) -> Calibration:
    """Calibration over bins of equal width.

    Args:
        stated: probabilities, [n], in [0, 1]. right: outcomes, [n], 0 or 1, or shares of such.
    Raises ValueError: no samples, unequal lengths, a value outside [0, 1].
    """
    p, outcome = checks.unit_interval(stated, "stated"), checks.unit_interval(np.asarray(right, float), "right")
    n = checks.size(len(p), "the number of samples", least=1)
    if len(outcome) != n:
        raise ValueError(f"got {len(outcome)} outcomes for {n} probabilities, expected one each.")
    place = np.minimum((p * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    sums, hits = np.bincount(place, p, bins), np.bincount(place, outcome, bins)
    spread = np.bincount(place, p * (1.0 - p), bins)
    found = tuple(
        Bin(i / bins, (i + 1) / bins, int(counts[i]), float(sums[i] / counts[i]), float(hits[i] / counts[i]))
        for i in np.flatnonzero(counts).tolist()
    )
    # A sum of independent outcomes strays from its mean by sqrt(2 / pi) standard deviations on average.
    noise = float(np.sqrt(2.0 / math.pi * spread).sum() / n)
    error = float(np.abs(sums - hits).sum() / n)
    return Calibration(found, error, noise, float(np.mean((p - outcome) ** 2)), n)
