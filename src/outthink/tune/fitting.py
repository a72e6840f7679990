"""Hyperparameters of a Gaussian process from the data: the most probable ones (MAP), by L-BFGS from several starts.

    fitted = fit(points, lambda noises: repeated(counts, noises[0]), level=0.4, noises=np.array([0.05]))

Length-scales have a log-normal prior around `LENGTH` of a coordinate's range. BoTorch's default for many coordinates (Hvarfner et al.
2024) expects lengths of several ranges; with a handful of noisy configurations it is then sure that a setting does not matter before it
was ever varied, and searches stop early. Variances have wide log-normal priors around the data's own. Where the function comes out flat,
the data hold no signal yet, and `signal` says so.

Source: spec 33, item 2; the gradient by the kernel is (a a' - P) / 2 with a = (I + S K)^-1 r and P = (I + S K)^-1 S.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from outthink.core.errors import Failure
from outthink.numerics.types import FloatArray
from outthink.tune.evidence import Evidence
from outthink.tune.kernels import Kernel, Matern
from outthink.tune.posterior import Posterior

EvidenceOf = Callable[[FloatArray], Evidence]
"""Evidence for the variances of the noises, in the order in which they were given."""

LENGTH, LENGTH_WIDTH = 0.6, 0.7
"""Median of the prior of length-scales, and its deviation in nats."""
NATS = 2.0
"""By how much a function that varies must explain the values better than one that does not, to be called a signal."""
NOTHING = 1e-9


@dataclass(frozen=True)
class Fitted:
    """Attributes:
    known: the posterior under the hyperparameters found.
    noise, difficulty: variances of one value's noise and of the questions' difficulty.
    signal: whether the function varies at all as far as the data tell.
    """

    known: Posterior
    noises: FloatArray
    signal: bool


def fit(
    points: FloatArray,
    evidence_of: EvidenceOf,
    *,
    level: float,
    noises: FloatArray,
    kernel: Kernel | None = None,
    learn_noises: bool = True,
) -> Fitted:
    """The most probable kernel and noises.

    Args:
        points: [q, d] in the unit cube. evidence_of: see there.
        level: prior mean. noises: variances of the noises where the search begins, in units of value squared.
        kernel: whose family is used and whose variance the search begins at; None: Matérn 5/2. learn_noises: False leaves them as given.
    """
    d = points.shape[1]
    family = kernel or Matern(np.full(d, 0.5), float(noises[0]) / 4.0, float(noises[0]))

    def unpack(theta: FloatArray) -> tuple[Kernel, FloatArray]:
        grown = np.exp(theta)
        made = replace(family, lengths=grown[:d], variance=float(grown[d]))
        return made, grown[d + 1 :] if learn_noises else noises

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        made, own = unpack(theta)
        known = Posterior(made, points, evidence_of(own), level)
        gradient = np.zeros(len(theta))
        gradient[: d + 1] = _kernel_gradient(known)
        for i in range(d + 1, len(theta)):
            ahead = theta.copy()
            ahead[i] = theta[i] + 1e-5
            over = Posterior(made, points, evidence_of(unpack(ahead)[1]), level).log_evidence
            gradient[i] = (over - known.log_evidence) / 1e-5
        z = (theta - centre) / width
        return -(known.log_evidence - 0.5 * float(z @ z)), -(gradient - z / width)

    others = np.log(noises) if learn_noises else np.zeros(0)
    centre = np.concatenate([np.full(d, math.log(LENGTH)), [math.log(family.variance)], others])
    width = np.concatenate([np.full(d, LENGTH_WIDTH), [2.0], np.ones(len(others))])
    bounds = [(math.log(0.02), math.log(50.0))] * d + [(c - 9.0, c + 6.0) for c in centre[d:]]
    starts = [np.concatenate([np.full(d, math.log(length)), centre[d:]]) for length in (0.3, 2.0)]
    found = [minimize(loss, one, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 40}) for one in starts]
    best = min(found, key=lambda one: float(one.fun))
    made, own = unpack(np.asarray(best.x))
    known = Posterior(made, points, evidence_of(own), level)
    return Fitted(known, own, known.log_evidence > _flat(known, own, evidence_of, learn_noises) + NATS)


def _flat(known: Posterior, noises: FloatArray, evidence_of: EvidenceOf, learn: bool) -> float:
    """Log density of the values if all points had one value, under the noises that make that most probable."""
    kernel = replace(known.kernel, variance=NOTHING * known.kernel.variance, own=0.0)

    def loss(theta: FloatArray) -> float:
        return -Posterior(kernel, known.points, evidence_of(np.exp(theta)), known.level).log_evidence

    start = np.log(noises)
    if not learn:
        return -loss(start)
    found = minimize(loss, start, method="Nelder-Mead", options={"maxfev": 60, "xatol": 0.05, "fatol": 0.05})
    return -float(found.fun)


def _kernel_gradient(known: Posterior) -> FloatArray:
    """Of the log evidence, by log lengths and log variance: [d + 1]."""
    kernel, x = known.kernel, known.points
    outer = 0.5 * (np.outer(known.weights, known.weights) - known.reduced)
    distance = kernel.distance(x, x)
    by_variance = kernel.variance * kernel.shape(distance)
    ratio = outer * kernel.variance * kernel.slope_ratio(distance)
    # A point is no distance from itself; what rounding leaves there would be multiplied up.
    np.fill_diagonal(ratio, 0.0)
    scaled = x / kernel.lengths
    squared = scaled**2
    # sum_ij ratio_ij (x_i - x_j)^2, coordinate by coordinate.
    by_length = 2.0 * (ratio.sum(1) @ squared) - 2.0 * np.einsum("ij,ik,jk->k", ratio, scaled, scaled)
    return np.append(by_length, float((outer * by_variance).sum()))


def nothing_to_tune(values: FloatArray) -> Failure | None:
    """A reason why there is nothing to learn from these values, or None."""
    known = values[~np.isnan(values)]
    if len(known) >= 5 and np.ptp(known) == 0.0:
        return Failure("nothing-to-tune", "All scores are equal so far: there is nothing to tune on yet.")
    return None
