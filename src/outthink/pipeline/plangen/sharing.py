"""REBASE's sharing of a width among nodes: in proportion to exp(score / temperature), rounded so that the shares add up.

Source: spec 09, step 5 (Wu et al. 2024, arXiv 2408.00724, where shares are rounded one by one and need not add up). The method
`outthink.search.Rebase` rounds up from the best on, as its own sheet says; this one leaves what is over to the largest remainders.
"""

from __future__ import annotations

import numpy as np

from outthink.core.errors import SettingsError, explain
from outthink.numerics.types import FloatArray, IntArray


def shared(scores: FloatArray, width: int, temperature: float) -> IntArray:
    """Children of each node, [n], adding up to `width`: more for better scores, none is allowed, ties by place.

    Args:
        scores: [n], in [0, 1].
        temperature: above 0; low gives all to the best, high spreads evenly.
    """
    if temperature <= 0:
        raise SettingsError(
            explain("REBASE shares by a temperature.", got=temperature, expected="a number above 0", remedy="Raise it.")
        )
    weights = np.exp((scores - scores.max()) / temperature)
    share = width * weights / weights.sum()
    counts: IntArray = np.floor(share + 1e-12).astype(np.int64)
    rest = width - int(counts.sum())
    # The better score goes first among equal remainders, so that the counts stay in the order of the scores.
    order = np.lexsort((np.arange(len(scores)), -scores, -(share - counts)))
    counts[order[:rest]] += 1
    return counts
