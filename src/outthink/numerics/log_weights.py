"""Weights kept as logarithms, in nats: sums, means, normalising, and the maps from scores in [0, 1].

A product of rewards leaves the range of floating point within a few steps; its logarithm never does. So members
carry log-weights, and only two things ever come out in plain scale: normalised weights, to resample or to vote with,
and the effective sample size.

    weights = normalise(np.array([0.0, -1.0, -np.inf]))     # [0.731, 0.269, 0]; a rejected member has -inf and weight 0

If unsure how to turn a score in [0, 1] into a log-weight: `log_odds` is what the published particle filters do,
`log_probability` is the model they write down (accept each step with probability r). They aim at different targets.
Both say how many scores they clipped.

An empty or wholly rejected population has no weights: `normalise`, `log_normalise` and `effective_sample_size`
refuse it, while sums and means, which are evidence and may truly be zero, return -inf.

Source: "A Probabilistic Inference Approach to Inference-Time Scaling of LLMs" (2025), section 3; the shift by the
maximum is folklore.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from outthink.numerics import checks
from outthink.numerics.types import FloatArray

DEFAULT_EPSILON = 1e-7
"""Where scores are clipped: |log odds| <= 16.12 nats, as in its_hub."""

_SMALL = 1e290
"""Less than half of the last digit of the largest number, so that no difference to it leaves the range of floating point."""


class LogScores(NamedTuple):
    """Scores mapped to log space.

    Attributes:
        values: log-weights, [n], nats, all finite.
        clipped: how many scores lay closer to a bound than epsilon and were moved; report it when it is not 0.
    """

    values: FloatArray
    clipped: int


def log_sum_exp(log_w: FloatArray) -> float:
    """log(sum_i exp(log_w_i)), nats; -inf if every entry is -inf or there is none.

    Args:
        log_w: log-weights, [n].
    Raises ValueError: nan or +inf, naming the entry.
    """
    array, peak = checks.log_weights(log_w)
    if peak == -math.inf:
        return -math.inf
    return peak + math.log(float(np.exp(_below(array, peak)).sum()))


def log_mean_exp(log_w: FloatArray) -> float:
    """log(mean_i exp(log_w_i)), nats; -inf if every entry is -inf. The log evidence of one step of a particle filter.

    Args:
        log_w: log-weights, [n], n at least 1.
    Raises ValueError: nan or +inf, naming the entry; no entries.
    """
    if len(log_w) == 0:
        raise ValueError("log_w is empty, expected at least one member to take a mean of.")
    return log_sum_exp(log_w) - math.log(len(log_w))


def normalise(log_w: FloatArray) -> FloatArray:
    """Weights in proportion to exp(log_w), [n], summing to 1.

    Args:
        log_w: log-weights, [n]; adding a constant to all changes nothing.
    Raises ValueError: nan or +inf, naming the entry; every entry -inf.
    """
    scaled = _scaled(log_w)
    return scaled / float(scaled.sum())


def log_normalise(log_w: FloatArray) -> FloatArray:
    """log_w shifted so that the exponentials sum to 1, [n], nats; rejected members stay -inf. Errors as `normalise`."""
    array, peak = _with_survivor(log_w)
    shifted = _below(array, peak)
    return shifted - math.log(float(np.exp(shifted).sum()))


def effective_sample_size(log_w: FloatArray) -> float:
    """(sum_i w_i)^2 / sum_i w_i^2 of w = exp(log_w), in members: between 1 and n. Errors as `normalise`.

    Source: Kong, Liu and Wong (1994). It sees weights only: members copied from one ancestor count as different ones.
    """
    scaled = _scaled(log_w)
    total = float(scaled.sum())
    return min(max(total * total / float(scaled @ scaled), 1.0), float(len(scaled)))


def log_odds(p: FloatArray, eps: float = DEFAULT_EPSILON) -> LogScores:
    """Log odds, log p - log(1 - p), [n], nats, with p clipped to [eps, 1 - eps]; odd about p = 1/2.

    Args:
        p: scores, [n], in [0, 1].
        eps: clipping margin, in (0, 1/2).
    Raises ValueError: a score outside [0, 1] or nan, naming the entry.
    """
    scores = checks.unit_interval(p, "p")
    _check_epsilon(eps)
    values = np.log(np.clip(scores, eps, 1.0 - eps)) - np.log(np.clip(1.0 - scores, eps, 1.0 - eps))
    return LogScores(values, int(((scores < eps) | (scores > 1.0 - eps)).sum()))


def log_probability(p: FloatArray, eps: float = DEFAULT_EPSILON) -> LogScores:
    """Log probability, log p, [n], nats, with p clipped from below to eps. Arguments and errors as `log_odds`."""
    scores = checks.unit_interval(p, "p")
    _check_epsilon(eps)
    return LogScores(np.log(np.maximum(scores, eps)), int((scores < eps).sum()))


def _scaled(log_w: FloatArray) -> FloatArray:
    """exp(log_w - max log_w), [n]: the largest is exactly 1, so sums neither overflow nor vanish."""
    array, peak = _with_survivor(log_w)
    return np.exp(_below(array, peak))


def _with_survivor(log_w: FloatArray) -> tuple[FloatArray, float]:
    array, peak = checks.log_weights(log_w)
    if peak == -math.inf:
        raise ValueError(
            f"every member was rejected: all {len(array)} log-weights are -inf, expected at least one finite. "
            "Use more members, a higher temperature or a softer score, or start again."
        )
    return array, peak


def _below(log_w: FloatArray, peak: float) -> FloatArray:
    """log_w - peak, [n]; a gap beyond the range of floating point is -inf, which is the right limit."""
    if abs(peak) < _SMALL:
        return log_w - peak
    with np.errstate(over="ignore"):
        return log_w - peak


def _check_epsilon(eps: float) -> None:
    if not 0.0 < eps < 0.5:
        raise ValueError(f"eps is {eps}, expected a clipping margin strictly between 0 and 1/2.")
