"""DPM-Solver++ of second order: extrapolates the predicted data from one step to the next, for one evaluation a step.

`dpm-solver` is the deterministic 2M; `sde-dpm-solver` its stochastic form, of the reverse SDE. The first step, and the one into clean
data, are of first order.

Source: Lu et al. 2022 (DPM-Solver++), algorithm 2 and its SDE counterpart; shared vocabulary of the diffusion sheets.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from outthink.diffusion.solvers.ddim import full_noise
from outthink.diffusion.solvers.solver import Here, Move, Solver, decay, exact
from outthink.diffusion.tensors import chosen, scaled
from outthink.numerics.types import BoolArray, FloatArray


class DpmSolver(Solver):
    """DPM-Solver++(2M)."""

    remembers: ClassVar[int] = 1

    def move(self, here: Here) -> Move:
        return Move(exact(here, extrapolated(here)), np.zeros(len(here.level)))


class SdeDpmSolver(Solver):
    """SDE-DPM-Solver++(2M): x1 = (sigma1 / sigma) e^-h x + alpha1 (1 - e^-2h) data + sigma1 sqrt(1 - e^-2h) z."""

    remembers: ClassVar[int] = 1

    @property
    def stochastic(self) -> bool:
        return True

    def move(self, here: Here) -> Move:
        shrink = here.next.sigma / here.level.sigma * decay(here)
        drift = here.next.alpha * -np.expm1(-2.0 * here.gap)
        return Move(scaled(shrink, here.x) + scaled(drift, extrapolated(here)), full_noise(here))


def extrapolated(here: Here) -> torch.Tensor:
    """data + (data - earlier) / (2 r), r = earlier gap / gap, where there is an earlier prediction; else data."""
    usable = second_order(here)
    if not usable.any():
        return here.data
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(usable, 0.5 * here.gap / gap_before(here), 0.0)
    return chosen(usable, here.data + scaled(share, here.data - here.past.data[0]), here.data)


def second_order(here: Here) -> BoolArray:
    """Which samples remember a prediction and take a step of finite length, [n]."""
    if not here.past.levels:
        return np.zeros(len(here.level), bool)
    return np.asarray(here.past.has(0) & np.isfinite(here.gap) & np.isfinite(gap_before(here)))


def gap_before(here: Here) -> FloatArray:
    """By how much half the log-SNR has risen since the last prediction remembered, [n]; nan or inf where that means nothing."""
    with np.errstate(invalid="ignore"):
        return np.asarray(here.level.half_log_snr - here.past.levels[0].half_log_snr)
