"""How sure a vote is of its leader: what more votes could still change, from the votes counted so far.

The shares of the answers have a uniform (Dirichlet) prior, so with counts v every share is Dirichlet(v + 1), and between any two answers a
Beta. All of it is exact for two answers; for more, callers add up the pairs, which errs on the careful side (Bonferroni).

Letters: `own` votes of the leader, `other` votes of a rival, `rest` prior weight and votes of everybody else, `left` votes still to come.

Source: Aggarwal et al. 2023, Let's Sample Step by Step: Adaptive-Consistency, for the Beta criterion; Jain et al. 2022, PAC Mode Estimation
using PPR Martingale Confidence Sequences, for `always_valid`. The predictive form is our own derivation.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from outthink.numerics.types import FloatArray


def less_likely(own: int, other: int) -> float:
    """Probability that the answer with `own` votes is in truth less likely than the one with `other`: I_{1/2}(own + 1, other + 1)."""
    n = own + other + 1
    return float(sum(math.comb(n, j) for j in range(other + 1)) / 2**n)


def always_valid(own: int, other: int) -> float:
    """A bound on the probability that votes ever, at any stopping time, favour the wrong one of two answers by this much.

    The density of the posterior of their shares at one half, over the prior's: the inverse of a martingale of mean 1 where both are equally
    likely, so by Ville's inequality it falls to d or below with probability at most d, however often one looks.
    """
    log_martingale = (
        math.lgamma(own + 1) + math.lgamma(other + 1) - math.lgamma(own + other + 2) + (own + other) * math.log(2.0)
    )
    return min(1.0, math.exp(-log_martingale))


@lru_cache(maxsize=1 << 14)
def catching_up(own: int, other: int, rest: int, left: int) -> FloatArray:
    """Probabilities of (votes for the rival) - (votes for the leader) among the next `left`, from -left to left, [2 left + 1].

    Both are predictive: Dirichlet-multinomial over leader, rival and the rest. Do not write into the result, it is remembered.
    """
    # Of `votes` that go to one of the two, x go to the rival: the difference is 2 x - votes.
    votes, x = np.tril_indices(left + 1)
    a, b = other + 1, own + 1
    log_factorial = _log_factorials(left + a + b)
    choose = log_factorial[votes] - log_factorial[x] - log_factorial[votes - x]
    ratio = log_factorial[x + a - 1] + log_factorial[votes - x + b - 1] - log_factorial[votes + a + b - 1]
    norm = log_factorial[a - 1] + log_factorial[b - 1] - log_factorial[a + b - 1]
    chance = _beta_binomial(left, own + other + 2, rest)[votes] * np.exp(choose + ratio - norm)
    result = np.asarray(np.bincount(left + 2 * x - votes, chance, 2 * left + 1), np.float64)
    result.flags.writeable = False
    return result


def overtaken(own: int, other: int, rest: int, left: int, *, wins_ties: bool) -> float:
    """Probability that the rival leads once `left` more votes are in; `wins_ties`: whether equal counts elect the rival."""
    lead = own - other + (0 if wins_ties else 1)
    if lead > left:
        return 0.0
    return float(catching_up(own, other, rest, left)[left + lead :].sum())


def share_gained(own: int, other: int, rest: int, left: int) -> float:
    """By how much `left` more votes raise the expected share of the answer elected after them, in [0, 1].

    The leader's expected share is what it is now; what is gained is what the rival is ahead by where it overtakes.
    """
    differences = np.arange(-left, left + 1) - (own - other)
    ahead = float(np.maximum(differences, 0) @ catching_up(own, other, rest, left))
    return ahead / (own + other + 2 + rest + left)


def _beta_binomial(n: int, a: int, b: int) -> FloatArray:
    """P(X = k), k = 0..n, of n draws with a Beta(a, b) chance each; b = 0: all of them."""
    if b == 0:
        return np.asarray(np.arange(n + 1) == n, np.float64)
    k = np.arange(n + 1)
    log_factorial = _log_factorials(n + a + b)
    choose = log_factorial[n] - log_factorial[k] - log_factorial[n - k]
    ratio = log_factorial[k + a - 1] + log_factorial[n - k + b - 1] - log_factorial[n + a + b - 1]
    norm = log_factorial[a - 1] + log_factorial[b - 1] - log_factorial[a + b - 1]
    return np.asarray(np.exp(choose + ratio - norm))


@lru_cache(maxsize=1024)
def _log_factorials(most: int) -> FloatArray:
    """log k! for k = 0..most, nats."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, most + 1)))])
