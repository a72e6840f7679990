"""Which methods are worth their cost: the points that no other one beats in both cost and accuracy.

A point is dominated if another costs no more and is right no less often, one of the two strictly. On few questions the frontier is
noisy, so a point is called "on the frontier" with the share of bootstrap draws, over questions, in which it is.

Source: spec 06, Pareto frontier.
"""

from __future__ import annotations

import numpy as np

from outthink.numerics import checks
from outthink.numerics.types import FloatArray, IntArray


def pareto_frontier(cost: FloatArray, accuracy: FloatArray) -> IntArray:
    """Indices of the points on the frontier, by ascending cost, so by strictly ascending accuracy; of equal points the first.

    Args:
        cost: any unit, [k], finite. accuracy: [k], finite, higher is better.
    Raises ValueError: unequal lengths; nan or infinite.
    """
    costs, gains = checks.finite_vector(cost, "cost"), checks.finite_vector(accuracy, "accuracy")
    if len(costs) != len(gains):
        raise ValueError(f"got {len(gains)} accuracies for {len(costs)} costs, expected one a point.")
    order = np.lexsort((-gains, costs))  # cost ascending, then accuracy descending; a stable sort
    best = np.maximum.accumulate(gains[order])
    rises = np.concatenate([np.ones(min(1, len(order)), bool), best[1:] > best[:-1]])
    return np.asarray(order[rises], np.int64)


def frontier_share(
    cost: FloatArray, right: FloatArray, rng: np.random.Generator, *, resamples: int = 1000
) -> FloatArray:
    """Share of bootstrap draws over questions in which each point is on the frontier, [k].

    Args:
        cost, right: what each point spent on each question, and how right it was, [k, questions]; the same questions for all points.
    Raises ValueError: shapes that differ, no questions, nan or infinite.
    """
    costs, gains = np.asarray(cost, np.float64), np.asarray(right, np.float64)
    if costs.shape != gains.shape or costs.ndim != 2 or costs.shape[1] == 0:
        raise ValueError(
            f"cost has shape {costs.shape} and right {gains.shape}, expected [points, questions] for both."
        )
    on = np.zeros(len(costs))
    for _ in range(checks.size(resamples, "resamples", 1)):
        at = rng.integers(0, costs.shape[1], costs.shape[1])
        on[pareto_frontier(costs[:, at].mean(axis=1), gains[:, at].mean(axis=1))] += 1
    return on / resamples
