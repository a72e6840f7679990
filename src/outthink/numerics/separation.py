"""How well a number tells right samples from wrong ones: AUC, over all samples and within questions.

    separation(length, right)                          # > 1/2: right samples tend to be shorter
    separation_within(length, right, question)         # the same among the samples of each question

Pooled over questions a feature may only say which questions are hard: hard ones are answered at more length and more often wrongly.
Whether it helps to choose among the samples of one question is what the figure within questions says. Always compute both.

Source: spec 06, response features; Mann and Whitney 1947.
"""

from __future__ import annotations

import math

import numpy as np

from outthink.numerics import checks
from outthink.numerics.intervals import Interval
from outthink.numerics.types import BoolArray, FloatArray, IntArray


def separation(values: FloatArray, right: BoolArray) -> float:
    """Probability that a random right sample has the lower value than a random wrong one, ties 1/2; nan where one kind is missing.

    Args:
        values: the feature, [n], not nan. right: [n].
    Raises ValueError: unequal lengths; nan.
    """
    wins, pairs = _pairs(values, right)
    return wins / pairs if pairs else math.nan


def separation_within(values: FloatArray, right: BoolArray, question: IntArray) -> float:
    """The same over pairs of one question only, all pairs together; nan where no question has both kinds. `question`: [n]."""
    found = [_pairs(np.asarray(values)[at], np.asarray(right)[at]) for at in _members(question).values()]
    pairs = sum(count for _, count in found)
    return math.fsum(wins for wins, _ in found) / pairs if pairs else math.nan


def separation_interval(
    values: FloatArray,
    right: BoolArray,
    question: IntArray,
    rng: np.random.Generator,
    *,
    within: bool = True,
    resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Percentile interval by a bootstrap over questions, whose samples stay together; draws without both kinds are left out.

    Raises ValueError: no draw has both kinds.
    """
    array, marks, places = np.asarray(values, np.float64), np.asarray(right, bool), list(_members(question).values())
    within_each = [_pairs(array[at], marks[at]) for at in places]
    found = []
    for _ in range(checks.size(resamples, "resamples", 1)):
        drawn = rng.integers(0, len(places), len(places)).tolist()
        if within:
            wins, pairs = math.fsum(within_each[i][0] for i in drawn), sum(within_each[i][1] for i in drawn)
        else:
            at = np.concatenate([places[i] for i in drawn])
            wins, pairs = _pairs(array[at], marks[at])
        if pairs:
            found.append(wins / pairs)
    if not found:
        raise ValueError("no question has both right and wrong samples, expected at least one that has.")
    low, high = np.quantile(found, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(low), float(high), level)


def _members(question: IntArray) -> dict[int, IntArray]:
    labels = np.asarray(question)
    return {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}


def _pairs(values: FloatArray, right: BoolArray) -> tuple[float, int]:
    """Pairs that the right sample wins, ties 1/2, and all pairs."""
    array, marks = checks.vector(values, "values"), np.asarray(right, bool)
    if len(array) != len(marks):
        raise ValueError(f"got {len(marks)} marks for {len(array)} values, expected one a sample.")
    checks.refuse_where(np.isnan(array), array, "values", "a number; leave out samples without one")
    good, bad = array[marks], np.sort(array[~marks])
    above = len(bad) - np.searchsorted(bad, good, side="right")
    ties = np.searchsorted(bad, good, side="right") - np.searchsorted(bad, good, side="left")
    return float(above.sum() + 0.5 * ties.sum()), len(good) * len(bad)
