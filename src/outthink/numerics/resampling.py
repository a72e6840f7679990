"""Resampling: which members have children, and how many.

Every scheme has the same form, `scheme(weights, n, rng) -> ancestors`: from m normalised weights, n indices into
them, such that member i has n w_i children on average. They differ in how much chance they add on top of that.

    ancestors = RESAMPLERS["systematic"](normalise(log_w), len(log_w), rng)
    particles = particles.take(ancestors)

Which one: `systematic` if unsure: counts are the floor or the ceiling of n w_i at the price of one uniform. `ssp` has
the same bounds without depending on the order of the members. `residual` and `stratified` lie between those and
`multinomial`, whose draws are independent (what proofs assume and published filters use). `killing` keeps every
survivor in its own slot and needs as many children as members.

Members of weight 0 have no children, ever. What each scheme promises about its counts is in `count_laws`.

Source: Chopin and Papaspiliopoulos, "An Introduction to Sequential Monte Carlo" (2020), chapter 9.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

import numpy as np

from outthink.numerics import checks
from outthink.numerics.shares import split_shares
from outthink.numerics.ssp import ssp
from outthink.numerics.types import FloatArray, IntArray

LAST_POINT = float(np.nextafter(1.0, 0.0))


class Resampler(Protocol):
    """A resampling scheme: indices into `weights`, [m] normalised, for n children; `rng` is consumed."""

    def __call__(self, weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
        """Ancestor indices, [n], E[count_i] = n w_i."""


def multinomial(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Ancestor indices by n independent draws; count_i is Binomial(n, w_i).

    Args:
        weights: normalised weights, [m].
        n: how many children.
        rng: consumed.
    Returns: ascending indices into `weights`, [n]; E[count_i] = n w_i.
    Raises ValueError: weights that are not normalised; n negative.
    """
    w = checks.normalised_weights(weights)
    return _inverse_cdf(w, np.sort(rng.random(checks.size(n))))


def systematic(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Ancestor indices by a comb of n evenly spaced points with one common random shift.

    count_i is the floor or the ceiling of n w_i. Which members have children together depends on their order: keep
    it fixed, or shuffle. Arguments, result (ascending) and errors as `multinomial`.
    """
    w = checks.normalised_weights(weights)
    return _inverse_cdf(w, (rng.random() + np.arange(checks.size(n))) / max(n, 1))


def stratified(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Ancestor indices by one independent point in each of n equal strata of [0, 1).

    count_i lies between floor(n w_i) - 1 and ceil(n w_i) + 1. Arguments, result (ascending) and errors as
    `multinomial`.
    """
    w = checks.normalised_weights(weights)
    return _inverse_cdf(w, (rng.random(checks.size(n)) + np.arange(n)) / max(n, 1))


def residual(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Ancestor indices: floor(n w_i) children for certain, the rest drawn independently in proportion to the fractions.

    Arguments, result (ascending) and errors as `multinomial`. Source: Liu and Chen (1998).
    """
    whole, fraction, left = split_shares(checks.normalised_weights(weights), checks.size(n))
    if left > 0:
        drawn = _inverse_cdf(fraction, rng.random(left))
        whole = whole + np.bincount(drawn, minlength=len(whole))
    return np.repeat(np.arange(len(whole)), whole)


def killing(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Ancestor indices where slot i keeps member i with probability w_i / max w and else draws from all members.

    Survivors stay in place, so the result is not sorted. Unbiased in the number of children, E[count_i] = n w_i,
    but not slot by slot: slot i has member i more often than any other slot does. (Any survival probability c w_i
    with c <= 1 / max w is as unbiased; the largest c leaves the fewest slots to chance.) It is the scheme for
    weights that are nearly equal, as with small time steps.

    Args:
        weights: normalised weights, [n].
        n: must be the number of weights.
        rng: consumed.
    Returns: indices into `weights`, [n].
    Raises ValueError: weights that are not normalised; n other than the number of weights.
    Source: Del Moral (2004), section 2.4.3.
    """
    w = checks.normalised_weights(weights)
    if n != len(w):
        raise ValueError(
            f"killing was asked for {n} children of {len(w)} members, expected as many as members. "
            "Use 'systematic' or 'ssp'."
        )
    ancestors = np.arange(n)
    dead = rng.random(n) >= w / w.max()
    ancestors[dead] = _inverse_cdf(w, rng.random(int(dead.sum())))
    return ancestors


RESAMPLERS: Mapping[str, Resampler] = MappingProxyType(
    {
        "multinomial": multinomial,
        "systematic": systematic,
        "stratified": stratified,
        "residual": residual,
        "killing": killing,
        "ssp": ssp,
    }
)
"""Every scheme by the name that settings use."""


def _inverse_cdf(mass: FloatArray, points: FloatArray) -> IntArray:
    """For each point u in [0, 1], the member whose stretch of the cumulative `mass` (any positive total) holds it.

    Stretches are closed below and open above, so a member without mass is never met; a point that rounding carried
    up to 1 belongs to the last member that has mass.
    """
    cumulative = np.cumsum(mass)
    cumulative /= cumulative[-1]
    return np.searchsorted(cumulative, np.minimum(points, LAST_POINT), side="right")
