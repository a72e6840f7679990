"""What is known of a function after noisy values: a Gaussian process given its evidence at q points.

    known = Posterior(kernel, points, repeated(counts, noise=0.04))
    mean, variance = known.mean(x), known.variance(x)           # [m] each
    known.log_evidence                                          # nats; of all values, repeats included

Cost is cubic in the number of different points, never in the number of values. Variances are those of the function itself, not of a new
value, and not divided by the noise. With S = A A' the work is one Cholesky factor of B = I + A' K A, which stays well conditioned however
large the counts are.

Source: spec 34, part A; spec 33, items 1 and 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import solve_triangular

from outthink.core.errors import InputError, explain
from outthink.numerics.types import FloatArray, IntArray
from outthink.tune.evidence import Evidence
from outthink.tune.kernels import Kernel

RIDGE = 1e-10
"""Added to the diagonal of the evidence, as a share of its largest entry."""
CLOSE = 1e-8
"""Points nearer than this, in scaled distance, are one point; their covariances cannot be told apart."""


@dataclass(frozen=True)
class Posterior:
    """A Gaussian process after its evidence.

    Attributes:
        kernel: prior covariance.
        points: where the evidence is, [q, d].
        evidence: precision and shift at them.
        level: prior mean, everywhere the same.
    """

    kernel: Kernel
    points: FloatArray
    evidence: Evidence
    level: float = 0.0

    def __post_init__(self) -> None:
        q = len(self.points)
        if self.evidence.shift.shape != (q,) or self.evidence.precision.shape != (q, q):
            raise InputError(
                explain(
                    "Evidence and points do not fit together.",
                    got=f"{q} points, evidence at {len(self.evidence.shift)}",
                    expected="evidence at each point",
                    remedy="Count the values by the points that are given.",
                )
            )

    def mean(self, x: FloatArray) -> FloatArray:
        """Posterior mean at x [m, d]: [m]."""
        return np.asarray(self.level + self.kernel(x, self.points) @ self.weights, float)

    def variance(self, x: FloatArray) -> FloatArray:
        """Posterior variance at x [m, d]: [m], at least 0."""
        half = solve_triangular(self._factor, self._root.T @ self.kernel(self.points, x), lower=True)
        return np.asarray(np.maximum(self.kernel.at(x) - (half**2).sum(0), 0.0), float)

    def covariance(self, x: FloatArray, x2: FloatArray) -> FloatArray:
        """Posterior covariances, [m, k]."""
        left = solve_triangular(self._factor, self._root.T @ self.kernel(self.points, x), lower=True)
        right = solve_triangular(self._factor, self._root.T @ self.kernel(self.points, x2), lower=True)
        return np.asarray(self.kernel(x, x2) - left.T @ right, float)

    @cached_property
    def weights(self) -> FloatArray:
        """(I + S K)^-1 r, after the level is taken off: the mean is level + k(x) @ weights. [q]"""
        shift = self.evidence.shift - self.level * self.evidence.precision.sum(1)
        return np.asarray(shift - self.reduced @ (self.prior @ shift), float)

    @cached_property
    def reduced(self) -> FloatArray:
        """(I + S K)^-1 S, [q, q]: what the evidence takes off the prior covariance."""
        half = solve_triangular(self._factor, self._root.T, lower=True)
        return np.asarray(half.T @ half, float)

    @cached_property
    def log_evidence(self) -> float:
        """Log density of all values under the model, in nats."""
        shift = self.evidence.shift - self.level * self.evidence.precision.sum(1)
        moved = (
            self.evidence.constant
            + self.level * self.evidence.shift.sum()
            - 0.5 * self.level**2 * self.evidence.precision.sum()
        )
        log_det = 2.0 * np.log(np.diag(self._factor)).sum()
        return float(moved - 0.5 * log_det + 0.5 * shift @ (self.prior @ self.weights))

    @cached_property
    def prior(self) -> FloatArray:
        """Prior covariance of the points, [q, q]."""
        return self.kernel(self.points, self.points)

    @cached_property
    def _root(self) -> FloatArray:
        """A with A A' = S, [q, q]."""
        precision = self.evidence.precision
        diagonal = np.diag(precision)
        if np.array_equal(precision, np.diag(diagonal)):
            return np.diag(np.sqrt(diagonal))
        # Points measured on one question alone may leave S singular; so little is added that no belief feels it.
        return np.asarray(np.linalg.cholesky(precision + RIDGE * float(diagonal.max()) * np.eye(len(precision))), float)

    @cached_property
    def _factor(self) -> FloatArray:
        q = len(self.points)
        inner = self._root.T @ self.prior @ self._root
        return np.asarray(np.linalg.cholesky(np.eye(q) + 0.5 * (inner + inner.T)), float)


def merged(points: FloatArray, lengths: FloatArray) -> tuple[FloatArray, IntArray]:
    """Points without those that are the same within `CLOSE`, and for each of the given ones its place among them: [q, d], [n]."""
    kept: list[FloatArray] = []
    which = np.empty(len(points), dtype=np.int64)
    for i, point in enumerate(np.asarray(points, float)):
        near = [j for j, one in enumerate(kept) if np.linalg.norm((one - point) / lengths) < CLOSE]
        if not near:
            kept.append(point)
        which[i] = near[0] if near else len(kept) - 1
    return np.array(kept).reshape(len(kept), points.shape[1]), which
