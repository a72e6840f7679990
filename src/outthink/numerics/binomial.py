"""Probabilities of the binomial distribution: of the number of right answers among n independent ones."""

from __future__ import annotations

import math

import numpy as np

from outthink.numerics import checks
from outthink.numerics.types import FloatArray


def binomial_pmf(n: int, p: float) -> FloatArray:
    """P(X = k) for k = 0..n, [n + 1], X ~ Binomial(n, p); computed in log space, so large n do not overflow.

    Raises ValueError: n negative; p outside [0, 1] or nan.
    """
    checks.size(n)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p is {p}, expected a probability in [0, 1].")
    k = np.arange(n + 1)
    if p in (0.0, 1.0):
        return np.asarray(k == n * p, dtype=np.float64)
    log_factorial = np.array([math.lgamma(j + 1.0) for j in range(n + 1)])
    log_choose = log_factorial[n] - log_factorial - log_factorial[::-1]
    log_pmf: FloatArray = log_choose + k * math.log(p) + (n - k) * math.log1p(-p)
    return np.exp(log_pmf)


def two_sided_half(less: int, more: int, *, mid_p: bool = False) -> float:
    """P-value of `less` against `more` when each of the less + more outcomes falls either way with probability 1/2.

    Exact: the probability of a split at least as uneven. With `mid_p` splits exactly as uneven count half, which
    takes away the test's conservatism at small counts at the price of a guarantee. No outcomes at all: 1.

    Source: Fagerland, Lydersen and Laake (2013), BMC Medical Research Methodology 13:91.
    Raises ValueError: a negative count.
    """
    n = checks.size(less, "less") + checks.size(more, "more")
    fewer = min(less, more)
    term = 1  # C(n, k), kept as a whole number: exact at any n
    tail = 1
    for k in range(1, fewer + 1):
        term = term * (n - k + 1) // k
        tail += term
    both = 2 if less != more else 1
    as_uneven = both * term
    at_least = 2 * tail if less != more else 1 << n
    if mid_p and n > 0:
        return (2 * at_least - as_uneven) / (1 << (n + 1))
    return at_least / (1 << n)
