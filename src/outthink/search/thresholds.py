"""The threshold for the number of samples that one can afford, from scores of held-out questions.

A threshold read as a probability is too hopeful: the best of several noisy scores is an over-estimate. So fit it to what it does.

Source: spec 07, choosing tau.
"""

from __future__ import annotations

import numpy as np

from outthink.numerics.types import FloatArray


def mean_drawn(scores: FloatArray, value: float) -> float:
    """Samples drawn on average when each question stops at its first score of at least `value`.

    Args:
        scores: in the order of drawing, [questions, n]; nan never reaches it. A question without a hit draws all n.
    """
    hit = np.nan_to_num(scores, nan=-np.inf) >= value
    return float(np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, scores.shape[1]).mean())


def threshold_for(scores: FloatArray, mean: float) -> float:
    """The highest threshold that draws at most `mean` samples on average over these questions; arguments as `mean_drawn`.

    Raises ValueError: a mean under 1, or no scores.
    """
    known = np.unique(scores[~np.isnan(scores)])
    if mean < 1.0 or len(known) == 0:
        raise ValueError(f"mean is {mean} over {len(known)} different scores, expected at least 1 of each.")
    low, high = -1, len(known) - 1  # known[low] draws few enough; under all of them everybody stops at the first
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if mean_drawn(scores, float(known[middle])) <= mean else (low, middle - 1)
    return float(known[max(low, 0)])
