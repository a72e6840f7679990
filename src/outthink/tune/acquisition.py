"""What the next measurement is worth: rules over a posterior, all as large as better, all exact unless they say otherwise.

    expected_improvement(mean - best, deviation)               # values without noise
    noisy_improvement(known, evaluated, x, noise)              # the gain of the best known mean; re-evaluation counts
    knowledge_gradient(known, grid, x, noise)                  # the same, where any point of the grid may be reported
    knowledge_gradient(..., weights=p)                         # one condition measured, the average over conditions wanted

If unsure: `noisy_improvement` for a few dozen candidates, `knowledge_gradient` where measurements differ in cost (divide by it).

Source: spec 33, items 3 to 7, 10 to 12. The tutorial's printed formula of expected improvement is right only below the incumbent; this is
the formula that its definition gives.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from scipy.special import erfcx, log_ndtr, ndtr

from outthink.numerics.types import FloatArray
from outthink.tune.envelope import expected_gain

_LOG_ROOT_2_PI = 0.5 * float(np.log(2.0 * np.pi))


class Known(Protocol):
    """A surrogate: means and covariances of the function at any points."""

    def mean(self, x: FloatArray) -> FloatArray: ...

    def variance(self, x: FloatArray) -> FloatArray: ...

    def covariance(self, x: FloatArray, x2: FloatArray) -> FloatArray: ...


def expected_improvement(ahead: FloatArray, deviation: FloatArray) -> FloatArray:
    """E[(f - best)+] for f - best ~ N(ahead, deviation^2), elementwise."""
    ahead, deviation = np.broadcast_arrays(np.asarray(ahead, float), np.asarray(deviation, float))
    positive = deviation > 0.0
    scale = np.where(positive, deviation, 1.0)
    z = ahead / scale
    value = ahead * ndtr(z) + scale * np.exp(-0.5 * z**2 - _LOG_ROOT_2_PI)
    return np.where(positive, np.maximum(value, 0.0), np.maximum(ahead, 0.0))


def log_expected_improvement(ahead: FloatArray, deviation: FloatArray) -> FloatArray:
    """Its logarithm, finite far below the incumbent too, where the improvement itself underflows; -inf where it is 0."""
    ahead, deviation = np.broadcast_arrays(np.asarray(ahead, float), np.asarray(deviation, float))
    positive = deviation > 0.0
    scale = np.where(positive, deviation, 1.0)
    z = ahead / scale
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.log(np.exp(-0.5 * z**2 - _LOG_ROOT_2_PI) + z * ndtr(z))
        # density(z) + z distribution(z) = density(z) (1 + z m(z)) with Mills' ratio m(z) = distribution(z) / density(z);
        # for z very far below, 1 + z m(z) -> 1 / z^2.
        below = np.minimum(z, -1.0)
        product = np.log1p(below * np.sqrt(np.pi / 2.0) * erfcx(-below / np.sqrt(2.0)))
        bracket = np.where(
            z > -100.0, product, -2.0 * np.log(np.maximum(-z, 1.0)) + np.log1p(-3.0 / np.maximum(z**2, 9.0))
        )
        far = -0.5 * z**2 - _LOG_ROOT_2_PI + bracket
        certain = np.log(np.maximum(ahead, 0.0))
        return np.where(positive, np.log(scale) + np.where(z > -1.0, near, far), certain)


def noisy_improvement(known: Known, evaluated: FloatArray, x: FloatArray, noise: float | FloatArray) -> FloatArray:
    """The expected rise of the best posterior mean among the evaluated points and x itself, for each x [m, d]: [m].

    noise: variance of the one value that would be measured at x, one or [m]. Can be positive at evaluated points.
    """
    best = float(known.mean(evaluated).max())
    spread = slopes(known, evaluated, x, noise)
    variance = known.variance(x)
    own = variance / np.sqrt(np.maximum(variance + noise, 1e-300))
    means, here = known.mean(evaluated), known.mean(x)
    values = [
        expected_gain(np.append(means, here[j]), np.append(spread[:, j], own[j])) + max(here[j], best) - best
        for j in range(len(x))
    ]
    return np.array(values)


def knowledge_gradient(
    known: Known, grid: FloatArray, x: FloatArray, noise: float | FloatArray, *, weights: FloatArray | None = None
) -> FloatArray:
    """The expected rise of the best posterior mean over the grid [g, d] by one value at x, for each x [m, d]: [m].

    weights: the function wanted is an average of w conditions; then `grid` is [g, w, d], a point under each condition, weights [w].
    """
    if weights is None:
        means, spread = known.mean(grid), slopes(known, grid, x, noise)
    else:
        g, w, d = grid.shape
        flat = grid.reshape(g * w, d)
        means = known.mean(flat).reshape(g, w) @ weights
        spread = np.einsum("gwm,w->gm", slopes(known, flat, x, noise).reshape(g, w, -1), weights)
    return np.array([expected_gain(means, spread[:, j]) for j in range(len(x))])


def slopes(known: Known, at: FloatArray, x: FloatArray, noise: float | FloatArray) -> FloatArray:
    """How far the means at `at` [k] move, in standard deviations of the value measured at x [m]: [k, m]."""
    spread = np.sqrt(np.maximum(known.variance(x) + noise, 1e-300))
    return np.asarray(known.covariance(at, x) / spread, float)


def upper_bound(known: Known, x: FloatArray, beta: float = 2.0) -> FloatArray:
    """mean + beta * deviation."""
    return known.mean(x) + beta * np.sqrt(known.variance(x))


def log_feasible(mean: FloatArray, deviation: FloatArray) -> FloatArray:
    """Log probability that every constraint g_j >= 0 holds, under independent beliefs: mean, deviation [j, m] -> [m]."""
    scale = np.maximum(deviation, 1e-300)
    return np.asarray(log_ndtr(mean / scale).sum(axis=0), float)


def batch_improvement(known: Known, batch: FloatArray, best: float, normals: FloatArray) -> float:
    """E[(max_i f(x_i) - best)+] for points measured side by side, over given standard normals [draws, q]: common ones keep it smooth."""
    covariance = known.covariance(batch, batch)
    scale = float(np.trace(covariance)) / len(batch)
    root = np.linalg.cholesky(covariance + 1e-10 * max(scale, 1e-12) * np.eye(len(batch)))
    values = known.mean(batch) + normals @ root.T
    return float(np.maximum(values.max(axis=1) - best, 0.0).mean())


def knowledge_gradient_slope(
    known: Known, best_of: FloatArray, x: FloatArray, noise: float, normal: float, step: float = 1e-5
) -> FloatArray:
    """One draw's unbiased gradient of the knowledge gradient at x [d]: the maximiser of the moved mean and the normal are frozen.

    best_of: points [g, d] among which the moved mean is maximised. By central differences of the frozen expression: [d].
    """
    moved = known.mean(best_of) + slopes(known, best_of, x[None], noise)[:, 0] * normal
    winner = best_of[[int(np.argmax(moved))]]
    nudges = step * np.eye(len(x))
    both = np.concatenate([x + nudges, x - nudges])
    values = slopes(known, winner, both, noise)[0] * normal
    return np.asarray((values[: len(x)] - values[len(x) :]) / (2.0 * step), float)
