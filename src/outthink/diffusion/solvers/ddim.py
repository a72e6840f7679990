"""DDIM and ancestral sampling: first-order steps with exact coefficients, and as much fresh noise as is asked for.

x1 = alpha1 x0 + sqrt(sigma1^2 - q^2) e + q z, with q = eta sigma1 sqrt(1 - e^-2h). eta = 0 is the probability-flow ODE, eta = 1 the
reverse of the noising chain (DDPM, "ancestral"), on any path. If branching is wanted, eta = 1: its step has no memory.

Source: Song, Meng and Ermon 2021, equation 12; shared vocabulary of the diffusion sheets.
"""

from __future__ import annotations

import numpy as np

from outthink.core.settings import Fraction
from outthink.diffusion.solvers.solver import Here, Move, Solver, exact
from outthink.diffusion.tensors import scaled, spread
from outthink.numerics.types import FloatArray


class Ddim(Solver):
    """First order, deterministic or with noise.

    Attributes:
        eta: share of the reverse chain's noise: 0 none, 1 all.
    """

    eta: Fraction = 0.0

    @property
    def stochastic(self) -> bool:
        return self.eta > 0.0

    def move(self, here: Here) -> Move:
        return partly_renewed(here, self.eta * full_noise(here))


class Ancestral(Solver):
    """The reverse of the noising chain: DDIM with all of its noise."""

    @property
    def stochastic(self) -> bool:
        return True

    def move(self, here: Here) -> Move:
        return partly_renewed(here, full_noise(here))


def full_noise(here: Here) -> FloatArray:
    """Deviation of the reverse chain's noise, sigma1 sqrt(1 - e^-2h), [n]."""
    return np.asarray(here.next.sigma * np.sqrt(-np.expm1(-2.0 * here.gap)))


def partly_renewed(here: Here, deviation: FloatArray) -> Move:
    """To the predicted data and noise at the next level, with part of the noise drawn afresh."""
    if not deviation.any():
        return Move(exact(here, here.data), deviation)
    kept = np.sqrt(np.maximum(here.next.sigma**2 - deviation**2, 0.0))
    # alpha1 data + kept e with e = (x - alpha data) / sigma, its terms put together: two passes over the samples in place of four.
    share = kept / here.level.sigma
    data = scaled(here.next.alpha - share * here.level.alpha, here.data)
    return Move(data.addcmul_(spread(share, here.x), here.x), deviation)
