"""Two Gaussian mixtures and the path between them, every field in closed form: the truth that samplers and training are checked against.

    pair = MixturePair(Mixture([1], [[0]], [1]), Mixture([0.4, 0.6], [[-2], [1.5]], [0.2, 0.4]), LinearInterpolant())
    pair.means(x, time)                                   # E[x0|x], E[x1|x], E[z|x]

At time t each pair (i, j) of components is one component N(a m_i + b n_j, (a^2 c_i + b^2 d_j + g^2) I) of weight p_i q_j, and

    s = - sum r (x - m) / C,    velocity = sum r [a' m_i + b' n_j + (a a' c_i + b b' d_j + g g') (x - m) / C],

which need no division by g and hold at both ends. Only C = 0 has no density, as for a point mass at its own end.

Source: spec 30, "Closed form".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from outthink.diffusion.interpolants.families import Interpolant, Mix
from outthink.diffusion.levels import Level
from outthink.diffusion.mixtures import Mixture
from outthink.diffusion.network import Condition, FieldNetwork, Fields
from outthink.diffusion.tensors import spread
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Means:
    """E[x0 | x], E[x1 | x] and E[z | x], [n, d] each."""

    base: torch.Tensor
    target: torch.Tensor
    noise: torch.Tensor


class MixturePair(FieldNetwork):
    """The exact network between two mixtures in d dimensions, drawn independently of each other.

    Args:
        base, target: the ends; a one-sided interpolant takes no base, and a mirror starts from the target itself.
    Attributes:
        asked: samples asked about so far. scored: always.
    """

    def __init__(self, base: Mixture, target: Mixture, interpolant: Interpolant) -> None:
        self.base, self.target, self.interpolant = base, target, interpolant
        self.asked, self.scored = 0, True

    def fields(self, x: torch.Tensor, level: Level, condition: Condition) -> Fields:
        self.asked += len(x)
        flat, mix = x.reshape(len(x), -1).double(), self.interpolant.at(1.0 - level.time)
        at = self._at(flat, mix)
        found = at.means(mix).target, -at.velocity(mix), at.score()
        return Fields(*(one.reshape(x.shape).to(x.dtype) for one in found))

    def velocity(self, x: torch.Tensor, time: FloatArray) -> torch.Tensor:
        """E[dx_t/dt | x], [n, d], at times t [n]."""
        mix = self.interpolant.at(time)
        return self._at(x, mix).velocity(mix)

    def score(self, x: torch.Tensor, time: FloatArray) -> torch.Tensor:
        """Gradient of the log density at t, [n, d]."""
        return self._at(x, self.interpolant.at(time)).score()

    def means(self, x: torch.Tensor, time: FloatArray) -> Means:
        """What the ends and the noise were, on average, given x [n, d] at t [n]."""
        mix = self.interpolant.at(time)
        return self._at(x, mix).means(mix)

    def log_density(self, x: torch.Tensor, time: FloatArray) -> torch.Tensor:
        """Log density of x_t at x [n, d], nats, [n]."""
        at = self._at(x, self.interpolant.at(time))
        terms = at.log_weight - 0.5 * (at.away**2).sum(dim=2) / at.variance
        return torch.logsumexp(terms - 0.5 * x.shape[1] * torch.log(2 * np.pi * at.variance), dim=1)

    def _at(self, x: torch.Tensor, mix: Mix) -> _Components:
        # k = (i, j) runs over all pairs.
        i, j = (side.ravel() for side in np.indices((len(self.base.log_weights), len(self.target.log_weights))))
        log_weight = x.new_tensor(self.base.log_weights[i] + self.target.log_weights[j])
        base_mean, target_mean = x.new_tensor(self.base.means[i]), x.new_tensor(self.target.means[j])
        base_variance, target_variance = x.new_tensor(self.base.variances[i]), x.new_tensor(self.target.variances[j])
        variance = (
            spread(mix.base**2, x) * base_variance
            + spread(mix.target**2, x) * target_variance
            + spread(mix.noise**2, x)
        )
        away = x[:, None, :] - _times(mix.base, base_mean[None]) - _times(mix.target, target_mean[None])
        terms = log_weight - 0.5 * (away**2).sum(dim=2) / variance - 0.5 * x.shape[1] * torch.log(variance)
        share, pull = torch.softmax(terms, dim=1), away / variance[:, :, None]
        return _Components(
            log_weight, share, away, variance, pull, base_mean, target_mean, base_variance, target_variance
        )


@dataclass(frozen=True)
class _Components:
    """The pairs k of components at n samples: weights [k], shares r [n, k], x - m [n, k, d], C [n, k], (x - m) / C; the ends' own."""

    log_weight: torch.Tensor
    share: torch.Tensor
    away: torch.Tensor
    variance: torch.Tensor
    pull: torch.Tensor
    base_mean: torch.Tensor
    target_mean: torch.Tensor
    base_variance: torch.Tensor
    target_variance: torch.Tensor

    def velocity(self, mix: Mix) -> torch.Tensor:
        x = self.away[:, 0]
        slope = (
            spread(mix.base * mix.base_rate, x) * self.base_variance
            + spread(mix.target * mix.target_rate, x) * self.target_variance
            + spread(mix.noise_product, x)
        )
        drift = _times(mix.base_rate, self.base_mean) + _times(mix.target_rate, self.target_mean)
        return self._averaged(drift + slope[:, :, None] * self.pull)

    def score(self) -> torch.Tensor:
        return -self._averaged(self.pull)

    def means(self, mix: Mix) -> Means:
        x = self.away[:, 0]
        base = self.base_mean + (spread(mix.base, x) * self.base_variance)[:, :, None] * self.pull
        target = self.target_mean + (spread(mix.target, x) * self.target_variance)[:, :, None] * self.pull
        return Means(*(self._averaged(each) for each in (base, target, _times(mix.noise, self.pull))))

    def _averaged(self, each: torch.Tensor) -> torch.Tensor:
        return (self.share[:, :, None] * each).sum(dim=1)


def _times(coefficient: FloatArray, each: torch.Tensor) -> torch.Tensor:
    """A coefficient of each sample, [n], times what each pair has, [k, d] or [n, k, d]."""
    return spread(coefficient, each[None] if each.ndim == 2 else each) * each
