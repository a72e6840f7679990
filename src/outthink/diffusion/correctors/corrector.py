"""The step whose weights make a combination exact: where samples of prod_i q_i^b_i go next, and what each step adds to their log-weights.

Every step is an importance step. Let R_i(x'|x) be the reverse kernel of expert i and F(x|x') the noising kernel; then
    prod_i R_i(x'|x)^b_i F(x|x')^(1 - B)
leads from the product at one level to the product at the next. With R_i normal it is a normal law in x', from which the step draws, and its
mass, a function of x alone, is the weight. Nothing but the shape of R_i is approximated, so combinations of normal laws of one deviation
are exact at any number of steps, and everything else as steps grow.

`deviation` is the data's: R_i = N(y + D s_i, c D) with c = (v + k'^2) / (v + k^2), v = deviation^2. None takes c = 1, which is the
Euler-Maruyama step and the weight as published. If unsure: the deviation that the model's data were scaled to.

Source: spec 22, general product; Skreta et al. 2025 (arXiv 2503.02819), propositions 3.1 to 3.4. Departs from them: the weight of a whole
step in place of its rate, the start is weighed too, and no increment is centred by its batch or clamped: a sample's weight is its own.
"""

# Notation: y = x / alpha, k = sigma / alpha, primes at the step's end, D = k^2 - k'^2; b_i, B -> exponents and their sum
# x0 = sum b_i x0_i / B, r^2 = |x0 - y|^2, V = sum b_i |x0_i - x0|^2; s_i = (x0_i - y) / k^2, S = sum b_i s_i = B (x0 - y) / k^2
# rho = B + c (1 - B):  y' ~ N(y + D S / rho, c D / rho),  log w = D (B (B - 1) r^2 / rho - V / c) / 2 k^4 - d/2 ((B - 1) log c + log rho)
# More or less noise, z = noise: Langevin steps of the target itself, which change no weight: + (z^2 - 1)/2 (c D / rho) S, deviation times z

from __future__ import annotations

import math

import numpy as np
import torch

from outthink.core.settings import NonNegativeFloat, PositiveFloat
from outthink.diffusion.levels import Level
from outthink.diffusion.solvers.solver import Here, Move, Solver
from outthink.diffusion.tensors import scaled
from outthink.numerics.types import BoolArray, FloatArray


class Corrector(Solver):
    """Steps and weights of `CorrectedProcess`.

    Attributes:
        deviation: of the data; None for Euler-Maruyama steps and weights as published.
        noise: times the reverse chain's noise: 1 is the published "target score", 1 / sqrt(beta) its "tempered noise".
        least, most: sigma / alpha between which weights are earned; None for no bound. Weights are frozen outside, which is a bias.
        exponents: of the experts; set by the process.
    """

    deviation: PositiveFloat | None = 1.0
    noise: PositiveFloat = 1.0
    least: NonNegativeFloat = 0.0
    most: PositiveFloat | None = None
    exponents: tuple[float, ...] = (1.0,)

    @property
    def stochastic(self) -> bool:
        return True

    @property
    def sharpness(self) -> float:
        """The sum of the exponents, B."""
        return math.fsum(self.exponents)

    def start_deviation(self, level: Level) -> FloatArray:
        """Of what samples of y = x / alpha start from at their levels, [n]: the law of one expert, narrower by sqrt(B)."""
        return np.asarray(np.hypot(level.ratio, self.deviation or 1.0) / math.sqrt(self.sharpness))

    def move(self, here: Here) -> Move:
        b = self.sharpness
        k, k1 = here.level.ratio, here.next.ratio
        length = k**2 - k1**2
        c = self._shrink(k, k1)
        rho = b + c * (1.0 - b)
        variance = c * length / rho
        # All in y, S = B (x0 - y) / k^2; the path's own drift is the change of scale.
        pull = b * (length / rho + 0.5 * (self.noise**2 - 1.0) * variance) / k**2
        y = scaled(1.0 / here.level.alpha, here.x)
        away = here.data - y
        mean = scaled(here.next.alpha, y + scaled(pull, away))
        return Move(mean, here.next.alpha * self.noise * np.sqrt(variance), self._log_ratio(here, y, away, c, rho))

    def _log_ratio(self, here: Here, y: torch.Tensor, away: torch.Tensor, c: FloatArray, rho: FloatArray) -> FloatArray:
        """What the step adds to the log-weights, [n] nats."""
        if self.exponents == (1.0,):
            return np.zeros(len(y))
        b, k, dimensions = self.sharpness, here.level.ratio, y[0].numel()
        length = k**2 - here.next.ratio**2
        gaps, apart = _squares(away), self.disagreement(here.data, here.slopes)
        weight = 0.5 * length / k**4 * (b * (b - 1.0) * gaps / rho - apart / c)
        weight -= 0.5 * dimensions * ((b - 1.0) * np.log(c) + np.log(rho))
        return np.where(self._weighs(k), weight, 0.0)

    def log_start(self, x: torch.Tensor, data: torch.Tensor, each: torch.Tensor, level: Level) -> FloatArray:
        """Log density of the product over that of the start, at fresh samples x [n, ...] and what is predicted of them, [n] nats.

        Each expert is taken for a normal law of the data's deviation, with the mean that its prediction at y tells; with no deviation the
        experts are taken for the start itself, as published, which leaves only the constant.
        """
        if self.exponents == (1.0,):
            return np.zeros(len(x))
        b, k, dimensions = self.sharpness, level.ratio, x[0].numel()
        y = scaled(1.0 / level.alpha, x)
        start = self.start_deviation(level) ** 2
        constant = np.asarray(0.5 * dimensions * (np.log(2.0 * np.pi * start) - b * np.log(2.0 * np.pi * b * start)))
        if self.deviation is None:
            return constant
        apart, gaps = self.disagreement(data, each), _squares(data - y)
        weight = constant + 0.5 * _squares(y) / start - 0.5 * (b * start / k**4) * (apart + b * gaps)
        return np.where(self._weighs(k), weight, 0.0)

    def disagreement(self, data: torch.Tensor, each: torch.Tensor | None) -> FloatArray:
        """sum_i b_i |x0_i - x0|^2, [n], of x0 [n, ...] and x0_i [n, m, ...]: how far a sample's experts are apart."""
        if each is None or each.shape[1] == 0:
            return np.zeros(len(data))
        squares = (each.double() - data.double()[:, None]).flatten(start_dim=2).square().sum(dim=2)
        return np.asarray(squares.cpu().numpy() @ np.array(self.exponents))

    def _weighs(self, k: FloatArray) -> BoolArray:
        """At which of these sigma / alpha weights are earned, [n]."""
        return np.asarray((k >= self.least) & (k <= (np.inf if self.most is None else self.most)))

    def _shrink(self, k: FloatArray, k1: FloatArray) -> FloatArray:
        """c, [n]: variance of the reverse kernel over that of the noising kernel."""
        if self.deviation is None:
            return np.ones(len(k))
        v = self.deviation**2
        return np.asarray((v + k1**2) / (v + k**2))


def _squares(tensor: torch.Tensor) -> FloatArray:
    """Squared norms, [n], summed in float64: they overflow half precision."""
    return np.asarray(tensor.double().flatten(start_dim=1).square().sum(dim=1).cpu().numpy())
