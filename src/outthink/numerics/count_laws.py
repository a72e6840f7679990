"""What each resampling scheme promises about the number of children: exact variance, and bounds that always hold.

All schemes of `resampling` have E[count_i] = n w_i; these two tables say how far a count may stray from that, so
that a filter can choose, a report can say, and a test can check against a number and not against a feeling.

    count_variance("systematic", weights, n)      # [m], never above count_variance("multinomial", weights, n)

The schemes with independent slots (multinomial, stratified, killing) have count_i = a sum of independent
indicators, one a slot, hence variance sum_j p_ji (1 - p_ji). A count that is the floor or the ceiling of its mean
(systematic, ssp) has variance f (1 - f), where f is the fraction of n w_i, the least that a whole-number count can
have. Every one is at most n w_i (1 - w_i), multinomial's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from outthink.numerics import checks
from outthink.numerics.shares import split_shares
from outthink.numerics.types import FloatArray, IntArray


class CountBounds(NamedTuple):
    """The least and the most children that each member can have, [m] each."""

    low: IntArray
    high: IntArray


def count_variance(scheme: str, weights: FloatArray, n: int) -> FloatArray:
    """Var[count_i], [m], exact.

    Args:
        scheme: a name in `resampling.RESAMPLERS`.
        weights: normalised weights, [m].
        n: how many children.
    Raises ValueError: an unknown scheme; weights that are not normalised; n negative, or other than m for killing.
    """
    if scheme not in _VARIANCES:
        raise ValueError(f"no resampling scheme is called {scheme!r}, expected one of {', '.join(_VARIANCES)}.")
    return _VARIANCES[scheme](checks.normalised_weights(weights), checks.size(n))


def count_bounds(scheme: str, weights: FloatArray, n: int) -> CountBounds:
    """Bounds on count_i that hold in every draw. Arguments and errors as `count_variance`."""
    if scheme not in _VARIANCES:
        raise ValueError(f"no resampling scheme is called {scheme!r}, expected one of {', '.join(_VARIANCES)}.")
    w = checks.normalised_weights(weights)
    whole, fraction, left = split_shares(w, checks.size(n))
    ceiling = whole + (fraction > 0.0)
    if scheme in ("systematic", "ssp"):
        return CountBounds(whole, ceiling)
    if scheme == "residual":
        return CountBounds(whole, whole + left * (fraction > 0.0))
    if scheme == "stratified":
        return CountBounds(np.maximum(whole - 1, 0), np.minimum(np.where(w > 0.0, ceiling + 1, 0), n))
    certain = (w == w.max()) if scheme == "killing" else np.zeros(len(w), dtype=np.bool_)
    sure = np.where(w == 1.0, n, certain.astype(np.int64))
    return CountBounds(sure, np.where(w > 0.0, n, 0))


def _multinomial(w: FloatArray, n: int) -> FloatArray:
    return n * w * (1.0 - w)


def _residual(w: FloatArray, n: int) -> FloatArray:
    _, fraction, left = split_shares(w, n)
    return fraction * (1.0 - fraction / max(left, 1))


def _floor_or_ceiling(w: FloatArray, n: int) -> FloatArray:
    fraction = split_shares(w, n).fraction
    return fraction * (1.0 - fraction)


def _stratified(w: FloatArray, n: int) -> FloatArray:
    """Slot j holds member i with the probability that stratum [j, j + 1) gives to i's stretch of length n w_i."""
    end = n * np.cumsum(w)
    start = end - n * w
    stratum = np.arange(n)[:, None]
    in_slot = np.clip(np.minimum(end, stratum + 1) - np.maximum(start, stratum), 0.0, 1.0)
    return np.asarray((in_slot * (1.0 - in_slot)).sum(axis=0))


def _killing(w: FloatArray, n: int) -> FloatArray:
    """Slot j holds member i with probability s_i [i = j] + (1 - s_j) w_i, s = w / max w."""
    if n != len(w):
        raise ValueError(f"killing gives as many children as members: got n = {n} for {len(w)} members.")
    survive = w / w.max()
    in_slot = (1.0 - survive)[:, None] * w[None, :] + np.diag(survive)
    return np.asarray((in_slot * (1.0 - in_slot)).sum(axis=0))


_VARIANCES: Mapping[str, Callable[[FloatArray, int], FloatArray]] = MappingProxyType(
    {
        "multinomial": _multinomial,
        "systematic": _floor_or_ceiling,
        "stratified": _stratified,
        "residual": _residual,
        "killing": _killing,
        "ssp": _floor_or_ceiling,
    }
)
