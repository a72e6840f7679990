"""Expected numbers of children, split into the whole part that is certain and the fraction that is left to chance.

Residual and pairwise (SSP) resampling hand out floor(n w_i) children for sure and draw only for the rest. Rounding
makes that delicate: a share of 6 in 24 may come out as 5.999..., which must be six children and not five and a
near-certain draw, or the scheme loses its guarantee on the counts. Shares within a rounding error of a whole number
are therefore taken as that number.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from outthink.numerics.types import FloatArray, IntArray

WHOLE_TOLERANCE = 1e-12
"""How near to a whole number, in units of n, a share n w_i counts as whole."""


class Shares(NamedTuple):
    """n w_i = whole_i + fraction_i.

    Attributes:
        whole: children that are certain, [m].
        fraction: what is left, [m], in [0, 1).
        left: children to be drawn, n - sum(whole).
    """

    whole: IntArray
    fraction: FloatArray
    left: int


def split_shares(weights: FloatArray, n: int) -> Shares:
    """The shares of normalised `weights`, [m], in n children."""
    share = n * weights
    nearest = np.rint(share)
    share = np.where(np.abs(share - nearest) <= WHOLE_TOLERANCE * n, nearest, share)
    whole = np.floor(share)
    counts = whole.astype(np.int64)
    return Shares(counts, share - whole, n - int(counts.sum()))
