"""Resampling seen as an edit of a batch: who stays where they are, and how many copies must be made.

An engine holds one cache a slot. After resampling, a member that has at least one child can stay in its slot for
nothing; only the surplus children need a fork, into the slots of the members that have none.

    ancestors = in_place(systematic(weights, n, rng))       # ancestors[i] == i wherever i survives
    fork_count(ancestors, n)                                # copies to make

Which child sits in which slot has no meaning for the filter: children of one ancestor are alike until they move.
The order given here depends on the counts only, so two resamplers that agree on the counts agree on the slots.
"""

from __future__ import annotations

import numpy as np

from outthink.numerics import checks
from outthink.numerics.types import IntArray


def fork_count(ancestors: IntArray, n: int) -> int:
    """Copies that n slots need: n minus the number of distinct ancestors.

    Args:
        ancestors: indices of the members that live on, [n].
        n: how many slots.
    Raises ValueError: other than n ancestors; a negative one.
    """
    array = _ancestors(ancestors)
    if len(array) != n:
        raise ValueError(f"got {len(array)} ancestors for {n} slots, expected one a slot.")
    return n - len(np.unique(array))


def in_place(ancestors: IntArray) -> IntArray:
    """The same ancestors, reordered so that survivors keep their slots and as few slots as possible change hands.

    Args:
        ancestors: indices, [n]. An index of n or above (fewer slots than there were members) has no slot to keep.
    Returns: [n], with the same counts; result[i] == i for every i in `ancestors` with i < n; other slots in
    ascending order.
    Raises ValueError: a negative index.
    """
    array = _ancestors(ancestors)
    n = len(array)
    counts = np.bincount(array, minlength=n)
    stays = counts[:n] > 0
    placed = np.arange(n)
    counts[:n] -= stays
    placed[~stays] = np.repeat(np.arange(len(counts)), counts)
    return placed


def _ancestors(ancestors: IntArray) -> IntArray:
    array = np.asarray(ancestors, dtype=np.int64)
    if array.ndim != 1:
        raise ValueError(f"ancestors has shape {array.shape}, expected one dimension, one entry a slot.")
    checks.size(int(array.min(initial=0)), "the smallest ancestor")
    return array
