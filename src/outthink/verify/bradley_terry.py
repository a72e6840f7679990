"""Strengths from comparisons, by the model of Bradley and Terry: P(i beats j) = 1 / (1 + exp(theta_j - theta_i)).

One tie of each player with an average one (theta = 0) is added, so that the strengths exist and are unique whatever was compared: who has
won everything is strong, not infinitely strong, and groups that never met meet there.

Sources: Bradley and Terry 1952; Hunter 2004, MM algorithms for generalized Bradley-Terry models, for when a maximum exists.
"""

from __future__ import annotations

import numpy as np

from outthink.numerics.types import FloatArray

STEPS, CLOSE = 100, 1e-10


def strengths(wins: FloatArray, *, prior: float = 1.0) -> FloatArray:
    """The most likely theta, [n] nats, given how often each row has beaten each column, [n, n]; a tie is half a win for both.

    Args:
        prior: how many ties with an average player are added for each, more than 0.
    """
    n = len(wins)
    met = wins + wins.T
    won = wins.sum(axis=1) + prior / 2
    theta = np.zeros(n)
    for _ in range(STEPS):
        chance = _expit(theta[:, None] - theta[None, :])
        average = _expit(theta)
        slope = won - (met * chance).sum(axis=1) - prior * average
        spread = met * chance * (1 - chance)
        curve = np.diag(spread.sum(axis=1) + prior * average * (1 - average)) - spread
        step = np.linalg.solve(curve, slope) if n else slope
        # The log-likelihood is concave; halving a step that overshoots makes Newton's method certain to arrive.
        while np.abs(step).max(initial=0.0) > CLOSE and _log_likelihood(theta + step, wins, prior) < _log_likelihood(
            theta, wins, prior
        ):
            step = step / 2
        theta = theta + step
        if np.abs(step).max(initial=0.0) <= CLOSE:
            break
    return theta


def _log_likelihood(theta: FloatArray, wins: FloatArray, prior: float) -> float:
    """nats, the added ties included."""
    pairs = -np.logaddexp(0.0, theta[None, :] - theta[:, None])
    own = -(np.logaddexp(0.0, -theta) + np.logaddexp(0.0, theta))
    return float((wins * pairs).sum() + prior / 2 * own.sum())


def _expit(x: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))
