"""What n samples would have given, from a larger pool that is already paid for: the mean over subsets of the pool.

    subset_mean(64, 8, lambda at: float(majority(answers[at]) == right), rng)
    subset_majority(keys, right, size=8, rng=rng)

Every subset of the size counts the same, so the mean is an unbiased estimate of what that many fresh samples give. The first n of the pool
alone would be one subset out of many, and the same samples would stand in every point of the curve. Few subsets are all taken, and the
result is exact; of many, some are drawn. Order means nothing to a subset, so ties cannot go to the answer that was seen first: they are
split evenly.

Source: spec 06, curves from one pool; Chen et al. 2021 for the same estimator of pass@k.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from outthink.numerics import checks
from outthink.numerics.types import BoolArray, IntArray

ENUMERATED = 2000
"""The most subsets that are all taken."""
DRAWN = 500
"""Subsets that are drawn where there are more."""


def subset_mean(pool: int, size: int, value: Callable[[IntArray], float], rng: np.random.Generator) -> float:
    """Mean of `value` over subsets of `size` out of `pool` members, given as ascending indices, [size].

    Exact where there are at most 2,000 of them, else the mean over 500 drawn independently.
    Raises ValueError: unless 1 <= size <= pool.
    """
    if not 1 <= size <= pool:
        raise ValueError(f"size is {size}, expected between 1 and the {pool} members there are.")
    if math.comb(pool, size) <= ENUMERATED:
        found = [value(np.array(at)) for at in itertools.combinations(range(pool), size)]
    else:
        found = [value(np.sort(rng.choice(pool, size, replace=False))) for _ in range(DRAWN)]
    return math.fsum(found) / len(found)


def subset_majority(keys: Sequence[Hashable | None], right: BoolArray, size: int, rng: np.random.Generator) -> float:
    """Probability that a vote among `size` of these samples gives a right answer; ties are split evenly.

    Args:
        keys: the samples' answers, [n]; None abstains. A subset in which everyone abstains is wrong.
        right: whether the sample's answer is right, [n]; samples with one key agree in it.
    Raises ValueError: unequal lengths; a size out of range.
    """
    if len(keys) != len(right):
        raise ValueError(f"got {len(right)} marks for {len(keys)} answers, expected one a sample.")
    is_right = {key: bool(mark) for key, mark in zip(keys, right, strict=True) if key is not None}

    def won(at: IntArray) -> float:
        counts = Counter(keys[i] for i in at.tolist() if keys[i] is not None)
        if not counts:
            return 0.0
        top = max(counts.values())
        winners = [key for key, count in counts.items() if count == top]
        return sum(is_right[key] for key in winners) / len(winners)

    return subset_mean(checks.size(len(keys), "keys", 1), size, won, rng)
