"""Euler and Heun steps: along sigma / alpha as k-diffusion takes them, or along a path's own clock.

`euler` moves x / alpha along sigma / alpha with slope e, which is DDIM without noise by other means. `heun` averages the slopes of both
ends: second order for two evaluations a step (Karras et al. 2022, algorithm 1). `flow-euler` moves x along the path's clock with its
velocity; for a flow it is the same map again, for others another first-order one. `flow-heun` averages the velocities of both ends.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from outthink.core.errors import Incompatible, explain
from outthink.diffusion.conversions import noise_from_data
from outthink.diffusion.levels import NO_SIGNAL
from outthink.diffusion.solvers.solver import Here, Move, Solver
from outthink.diffusion.tensors import chosen, scaled
from outthink.numerics.types import FloatArray


class Euler(Solver):
    """First order along sigma / alpha."""

    def move(self, here: Here) -> Move:
        _need_signal(here)
        return Move(_along(here, here.noise), np.zeros(len(here.level)))


class Heun(Solver):
    """Second order along sigma / alpha; the last step, into clean data, is an Euler step."""

    between: ClassVar[int] = 1

    def move(self, here: Here) -> Move:
        _need_signal(here)
        slope = here.noise
        x = _along(here, slope)
        # Where nothing of the noise is left there is no slope at the end, and the Euler step stands; nobody asks there.
        noisy = np.flatnonzero(here.next.sigma > 0)
        if len(noisy):
            at = torch.as_tensor(noisy).to(x.device)
            level = here.next.take(noisy)
            end = noise_from_data(here.ask(x[at], level), x[at], level)
            both = slope.clone()
            both[at] = 0.5 * (slope[at] + end)
            x = chosen(here.next.sigma > 0, _along(here, both), x)
        return Move(x, np.zeros(len(here.level)))


class FlowEuler(Solver):
    """First order along the path's own clock with its velocity. Needs a grid on a path."""

    along_slopes: ClassVar[bool] = True

    def move(self, here: Here) -> Move:
        return Move(here.x + scaled(here.next.time - here.level.time, here.velocity), np.zeros(len(here.level)))


class FlowHeun(Solver):
    """Second order along the path's own clock; the last step, into clean data, is an Euler step. Needs a grid on a path."""

    between: ClassVar[int] = 1
    along_slopes: ClassVar[bool] = True

    def move(self, here: Here) -> Move:
        length = here.next.time - here.level.time
        slope = here.velocity
        x = here.x + scaled(length, slope)
        noisy = np.flatnonzero(here.next.sigma > 0)
        if len(noisy):
            at = torch.as_tensor(noisy).to(x.device)
            mean = slope.clone()
            mean[at] = 0.5 * (slope[at] + here.velocity_at(x[at], here.next.take(noisy)))
            x = here.x + scaled(length, mean)
        return Move(x, np.zeros(len(here.level)))


def _along(here: Here, slope: torch.Tensor) -> torch.Tensor:
    """alpha1 (x / alpha + (ratio1 - ratio) slope), [n, ...]."""
    change: FloatArray = here.next.alpha * (here.next.ratio - here.level.ratio)
    return scaled(here.next.alpha / here.level.alpha, here.x) + scaled(change, slope)


def _need_signal(here: Here) -> None:
    if (here.level.alpha <= NO_SIGNAL).any():
        raise Incompatible(
            explain(
                "A step along sigma / alpha cannot begin in pure noise.",
                got="alpha = 0",
                expected="alpha > 0",
                remedy="Use ddim, dpm-solver, unipc or flow-euler, or begin a little below the top.",
            )
        )
