"""Gaussian mixtures as data: every prediction in closed form, so that samplers and searches can be checked against the truth.

    mixture = Mixture(weights=[0.3, 0.7], means=[[-1.5], [1.0]], deviations=[0.3, 0.4])
    network = mixture.network()                           # the exact denoiser
    mixture.tilted(...)                                   # the exact law under a linear-quadratic reward

Source: shared vocabulary of the diffusion sheets, "Exact test model".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from outthink.diffusion.levels import Level
from outthink.diffusion.network import Condition, Network
from outthink.diffusion.tensors import spread
from outthink.numerics.log_weights import log_sum_exp
from outthink.numerics.types import FloatArray


class Mixture:
    """sum of w_k N(m_k, d_k^2 I) in d dimensions.

    Args:
        weights: [k], positive; they are normalised. means: [k, d]. deviations: [k].
    """

    def __init__(self, weights: Sequence[float], means: Sequence[Sequence[float]], deviations: Sequence[float]) -> None:
        w = np.asarray(weights, np.float64)
        self.log_weights = np.log(w / w.sum())
        self.means = np.asarray(means, np.float64)
        self.variances = np.asarray(deviations, np.float64) ** 2

    @property
    def dimensions(self) -> int:
        """d."""
        return int(self.means.shape[1])

    @property
    def mean(self) -> FloatArray:
        """[d]."""
        return np.asarray(np.exp(self.log_weights) @ self.means)

    @property
    def variance(self) -> FloatArray:
        """Of each coordinate, [d]."""
        second = np.exp(self.log_weights) @ (self.variances[:, None] + self.means**2)
        return np.asarray(second - self.mean**2)

    def sample(self, n: int, rng: np.random.Generator) -> FloatArray:
        """n draws, [n, d]."""
        k = rng.choice(len(self.log_weights), size=n, p=np.exp(self.log_weights))
        return np.asarray(
            self.means[k] + np.sqrt(self.variances[k])[:, None] * rng.standard_normal((n, self.dimensions))
        )

    def log_density(self, x: FloatArray, alpha: float = 1.0, sigma: float = 0.0) -> FloatArray:
        """Log density of alpha x0 + sigma e at x [n, d], nats, [n]."""
        total = alpha**2 * self.variances + sigma**2
        squares = ((x[:, None, :] - alpha * self.means[None]) ** 2).sum(axis=2)
        terms = self.log_weights - 0.5 * squares / total - 0.5 * self.dimensions * np.log(2 * np.pi * total)
        return np.array([log_sum_exp(row) for row in terms])

    def tilted(self, reward: FloatArray, strength: float = 1.0) -> tuple[Mixture, float]:
        """The law p(x) exp(strength <reward, x>) / Z of a linear reward [d], and log Z in nats: a mixture again."""
        g = strength * np.asarray(reward, np.float64)
        shift = self.log_weights + self.means @ g + 0.5 * self.variances * float(g @ g)
        log_z = log_sum_exp(shift)
        means = self.means + self.variances[:, None] * g
        return Mixture(np.exp(shift - log_z).tolist(), means.tolist(), np.sqrt(self.variances).tolist()), log_z

    def network(self) -> ExactDenoiser:
        """The exact E[x0 | x] at every level."""
        return ExactDenoiser(self)


class ExactDenoiser(Network):
    """The conditional mean of a mixture's data, for x [n, d] or [n, 1, d, ...] of d numbers a sample.

    Attributes:
        asked: samples asked about so far.
    """

    def __init__(self, mixture: Mixture) -> None:
        self.mixture, self.asked = mixture, 0

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        self.asked += len(x)
        flat = x.reshape(len(x), -1).double()
        alpha, sigma = spread(level.alpha, flat), spread(level.sigma, flat)
        means = torch.from_numpy(self.mixture.means).to(flat.device)
        variances = torch.from_numpy(self.mixture.variances).to(flat.device)
        total = alpha**2 * variances + sigma**2
        away = flat[:, None, :] - alpha[:, :, None] * means
        terms = torch.from_numpy(self.mixture.log_weights).to(flat.device) - 0.5 * (away**2).sum(dim=2) / total
        share = torch.softmax(terms - 0.5 * flat.shape[1] * torch.log(total), dim=1)
        each = means + (alpha * variances / total)[:, :, None] * away
        return (share[:, :, None] * each).sum(dim=1).reshape(x.shape).to(x.dtype)
