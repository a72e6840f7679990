"""What best-of-k would have given, from n samples that are already paid for.

Draw n samples of a task once and score them. The average over all subsets of k of them, of the value of the
subset's best-scored sample, is an unbiased estimate of what best-of-k gives, for every k up to n, with far less
noise than drawing k again and again.

    best_of_k(scores, k=4, values=right)        # accuracy of best-of-4 under this scorer
    pass_at_k(n=16, correct=3, k=4)             # the same under a perfect scorer

The probability that a sample is the best of its subset depends on its rank alone, and from one rank to the next it
changes by a ratio of small whole numbers; a running product is exact to rounding at any n, where ratios of
binomials would overflow and their logarithms would cancel.

Source: Chen et al., "Evaluating Large Language Models Trained on Code" (2021), section 2.1, for pass@k.
"""

from __future__ import annotations

import math

import numpy as np

from outthink.numerics import checks
from outthink.numerics.types import FloatArray


def pass_at_k(n: int, correct: int, k: int) -> float:
    """Probability that k of n samples, drawn without replacement, hold one of the `correct`: 1 - C(n-c, k) / C(n, k).

    Raises ValueError: unless 0 <= correct <= n and 1 <= k <= n.
    """
    _check_subset(n, k)
    if not 0 <= correct <= n:
        raise ValueError(f"correct is {correct}, expected between 0 and n = {n}.")
    if n - correct < k:
        return 1.0
    return 1.0 - math.prod((n - correct - j) / (n - j) for j in range(k))


def selection_probabilities(scores: FloatArray, k: int) -> FloatArray:
    """Probability that each sample is the best of a random subset of k, [n], summing to 1; ties to the lowest index.

    The sample of rank r (0 is best) is chosen with C(n-1-r, k-1) / C(n, k).

    Args:
        scores: [n]; infinities are allowed and rank last or first.
        k: size of the subset, between 1 and n.
    Raises ValueError: k out of range; nan, naming the sample.
    """
    array = checks.vector(scores, "scores")
    n = len(array)
    _check_subset(n, k)
    checks.refuse_where(
        np.isnan(array), array, "scores", "a number; give a sample without a score -inf to rank it last"
    )
    rank = np.arange(n - 1)
    ratios = np.maximum(n - k - rank, 0) / (n - 1 - rank)
    by_rank = (k / n) * np.concatenate(([1.0], np.cumprod(ratios)))
    best_first = np.argsort(-array, kind="stable")
    probabilities = np.empty(n)
    probabilities[best_first] = by_rank
    return probabilities


def best_of_k(scores: FloatArray, k: int, values: FloatArray | None = None) -> float:
    """Expected value of the best-scored sample of a random subset of k, in the unit of `values`.

    Args:
        scores: what the choice is made by, [n].
        k: size of the subset, between 1 and n.
        values: what the chosen sample is worth, [n], finite: 1 for right and 0 for wrong gives accuracy. None: the
            scores themselves.
    Raises ValueError: k out of range; unequal lengths; nan; a value that is not finite.
    """
    probabilities = selection_probabilities(scores, k)
    worth = checks.finite_vector(scores if values is None else values, "scores" if values is None else "values")
    if len(worth) != len(probabilities):
        raise ValueError(f"got {len(worth)} values for {len(probabilities)} scores, expected one a sample.")
    return float(probabilities @ worth)


def _check_subset(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ValueError(f"k is {k}, expected between 1 and the {n} samples there are.")
