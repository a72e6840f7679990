"""Logistic regression with an L2 penalty, by Newton's method: a few steps, no random numbers, the one best answer.

Minimises sum_i [log(1 + exp(z_i)) - y_i z_i] + penalty / 2 * |w|^2 with z = x w + b, on columns brought to mean 0 and deviation 1; the
offset b is not penalised. The scaling is folded into the weights that come back, so they apply to states as they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outthink.core.errors import InputError, explain
from outthink.core.settings import PositiveFloat
from outthink.numerics.types import BoolArray, FloatArray

STEPS, CLOSE = 50, 1e-8
LEAST_DEVIATION = 1e-6
"""Columns that vary less carry nothing and get no weight."""


@dataclass(frozen=True)
class Fitted:
    """Weights [width] and offset for states as they are."""

    weights: FloatArray
    offset: float

    def logits(self, states: FloatArray) -> FloatArray:
        """[n] nats."""
        return np.asarray(states @ self.weights + self.offset)


def fit_logistic(states: FloatArray, right: BoolArray, *, penalty: PositiveFloat = 100.0) -> Fitted:
    """The weights that minimise the penalised loss; `states` [n, width], `right` [n]. Raises `InputError` without both kinds of label."""
    y = np.asarray(right, dtype=np.float64)
    if len(y) == 0 or y.min() == y.max() or penalty <= 0:
        raise InputError(
            explain(
                "There is nothing to tell apart.",
                got=f"{int(y.sum())} of {len(y)} right, penalty {penalty}",
                expected="right and wrong examples, and a positive penalty",
                remedy="Collect more samples, or problems that the model solves sometimes.",
            )
        )
    mean, deviation = states.mean(axis=0), states.std(axis=0)
    used = deviation > LEAST_DEVIATION
    scale = np.where(used, deviation, 1.0)
    x = np.concatenate([np.where(used, (states - mean) / scale, 0.0), np.ones((len(y), 1))], axis=1)
    decay = np.full(x.shape[1], penalty)
    decay[-1] = 0.0
    w = np.zeros(x.shape[1])
    for _ in range(STEPS):
        chance = 0.5 * (1.0 + np.tanh(0.5 * (x @ w)))
        slope = x.T @ (y - chance) - decay * w
        curve = x.T @ (x * (chance * (1.0 - chance))[:, None]) + np.diag(decay + 1e-9)
        step = np.linalg.solve(curve, slope)
        before = _loss(x, y, w, decay)
        # The loss is convex; halving a step that overshoots makes Newton's method certain to arrive.
        while np.abs(step).max() > CLOSE and _loss(x, y, w + step, decay) > before:
            step = step / 2
        w = w + step
        if np.abs(step).max() <= CLOSE:
            break
    weights = np.where(used, w[:-1] / scale, 0.0)
    return Fitted(weights, float(w[-1] - mean @ weights))


def _loss(x: FloatArray, y: FloatArray, w: FloatArray, decay: FloatArray) -> float:
    z = x @ w
    return float((np.logaddexp(0.0, z) - y * z).sum() + 0.5 * (decay * w * w).sum())
