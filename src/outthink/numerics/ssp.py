"""Resampling by the Srinivasan sampling process: fractions are rounded pair by pair.

Each member has floor(n w_i) children for certain; the fractions left over meet in pairs, in the order of the
members. In each meeting mass flows from one to the other until one of the two is whole (0 or 1), the direction
drawn so that neither expectation moves. The member that is still fractional meets the next. Counts are therefore
floor or ceiling of n w_i, as with systematic resampling, but unlike it the scheme is consistent whatever the order
of the members, since the counts are negatively associated.

Source: Gerber, Chopin and Whiteley, "Negative association, ordering and convergence of resampling methods", Annals
of Statistics (2019), section 3; the rounding is Srinivasan's (2001).
"""

from __future__ import annotations

import numpy as np

from outthink.numerics import checks
from outthink.numerics.shares import split_shares
from outthink.numerics.types import FloatArray, IntArray


def ssp(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Ancestor indices by pairwise rounding; one uniform a member, whether or not it is needed.

    Args:
        weights: normalised weights, [m].
        n: how many children.
        rng: consumed.
    Returns: ascending indices into `weights`, [n]; E[count_i] = n w_i and count_i is the floor or the ceiling of n w_i.
    Raises ValueError: weights that are not normalised; n negative.
    """
    whole, fraction, left = split_shares(checks.normalised_weights(weights), checks.size(n))
    uniforms = rng.random(len(whole)).tolist()
    fractional = np.flatnonzero(fraction).tolist()
    carrier, carried = -1, 0.0
    for member, share in zip(fractional, fraction[fractional].tolist(), strict=True):
        total = carried + share
        if total < 1.0:  # one of the two drops to 0, the other carries both
            if uniforms[member] * total >= carried:
                carrier = member
            carried = total
        else:  # one of the two gets a child, the other carries the rest
            if uniforms[member] * (2.0 - total) < 1.0 - share:
                whole[carrier] += 1
                carrier = member
            else:
                whole[member] += 1
            carried = total - 1.0
            left -= 1
    if left > 0:  # rounding left the last carrier just below 1
        whole[carrier] += left
    return np.repeat(np.arange(len(whole)), whole)
