"""Which samples a smaller run would have had: subsets of a pool, in the order in which its samples were drawn.

    subsets(8, 3, rng)            # all 56 of them, exact
    subsets(64, 16, rng)          # 500 of very many
    orders(64, 32, rng)           # 32 whole orders, for rules that stop on the way

The samples of a question are exchangeable, so each subset is what a run of that size might have drawn, and their average has no bias. The
same subsets serve every question of that many samples: questions are independent of one another, so sharing them costs no accuracy.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from outthink.numerics import checks
from outthink.numerics.subsets import DRAWN, ENUMERATED
from outthink.numerics.types import IntArray


def subsets(pool: int, size: int, rng: np.random.Generator, *, most: int = DRAWN) -> IntArray:
    """Ascending indices, [subsets, size]: all of them where there are at most 2,000, else `most` drawn independently.

    Raises ValueError: unless 1 <= size <= pool.
    """
    if not 1 <= size <= pool:
        raise ValueError(f"size is {size}, expected between 1 and the {pool} samples there are.")
    if is_exact(pool, size):
        return np.array(list(itertools.combinations(range(pool), size)), np.int64)
    return np.sort(orders(pool, most, rng)[:, :size], axis=1)


def is_exact(pool: int, size: int) -> bool:
    """Whether `subsets` takes all of them."""
    return math.comb(pool, size) <= ENUMERATED


def orders(pool: int, many: int, rng: np.random.Generator) -> IntArray:
    """Orders of the whole pool, [many, pool], drawn independently."""
    checks.size(pool, "pool", least=1)
    return np.asarray(np.argsort(rng.random((checks.size(many, "many", least=1), pool)), axis=1), np.int64)
