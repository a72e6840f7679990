"""What a solver is: a pure function from where a sample stands, and what it remembers, to where it goes next.

A solver keeps nothing. What it needs of the past (earlier predictions and where they were made) is in the sample's own state, so
that forking, dropping, reordering and going back move it along. A step is a Gaussian: a mean and a deviation, 0 for a deterministic one.

    move = solver.move(here)                      # Move(mean [n, ...], deviation [n])
    x = move.mean + scaled(move.deviation, z)

Source of all exact-coefficient steps: shared vocabulary of the diffusion sheets, "Dynamics".
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from outthink.core.settings import Tagged
from outthink.diffusion.conversions import noise_from_data, score_from_data, velocity_from_data
from outthink.diffusion.levels import Level
from outthink.diffusion.tensors import scaled
from outthink.numerics.types import BoolArray, FloatArray, IntArray

Ask = Callable[[torch.Tensor, Level], torch.Tensor]
"""Asks the network for the predicted data of m samples, [m, ...], at their levels [m]: every one counts as an evaluation."""


@dataclass(frozen=True)
class Past:
    """What each sample remembers, newest first.

    Attributes:
        data: earlier predictions of the data, one tensor [n, ...] for each place.
        levels: where they were made, one a place, [n] each.
        known: how many places of each sample hold something, [n].
    """

    data: tuple[torch.Tensor, ...]
    levels: tuple[Level, ...]
    known: IntArray

    def take(self, index: IntArray) -> Past:
        """What the samples at `index`, [m], remember."""
        on = [torch.as_tensor(index).to(d.device) for d in self.data]
        data = tuple(d[i] for d, i in zip(self.data, on, strict=True))
        return Past(data, tuple(level.take(index) for level in self.levels), self.known[index])

    def has(self, place: int) -> BoolArray:
        """Which samples remember that much, [n]."""
        return np.asarray(self.known > place)


@dataclass(frozen=True)
class Here:
    """Where n samples stand, and where they go.

    Attributes:
        x: samples, [n, ...]. data: predicted data there, [n, ...].
        level, next: their levels, and those of the step's end.
        past: what they remember. ask: the network, for solvers that evaluate between.
        slopes: velocity and score there as the network says them itself, [n, 2, ...]; None where they follow from `data`.
        ask_velocity: the same network, asked for its velocity; None where that follows from `data`.
    """

    x: torch.Tensor
    data: torch.Tensor
    level: Level
    next: Level
    past: Past
    ask: Ask
    slopes: torch.Tensor | None = None
    ask_velocity: Ask | None = None

    def take(self, index: IntArray) -> Here:
        """The samples at `index`, [m]."""
        on = torch.as_tensor(index).to(self.x.device)
        levels = self.level.take(index), self.next.take(index)
        slopes = None if self.slopes is None else self.slopes[on]
        return Here(self.x[on], self.data[on], *levels, self.past.take(index), self.ask, slopes, self.ask_velocity)

    @property
    def noise(self) -> torch.Tensor:
        """Predicted noise, [n, ...]."""
        return noise_from_data(self.data, self.x, self.level)

    @property
    def velocity(self) -> torch.Tensor:
        """Of the flow in the path's clock, [n, ...]."""
        return velocity_from_data(self.data, self.x, self.level) if self.slopes is None else self.slopes[:, 0]

    @property
    def score(self) -> torch.Tensor:
        """Gradient of the log density of x, [n, ...]."""
        return score_from_data(self.data, self.x, self.level) if self.slopes is None else self.slopes[:, 1]

    def velocity_at(self, x: torch.Tensor, level: Level) -> torch.Tensor:
        """The velocity at m other places, [m, ...]: the network is asked."""
        if self.ask_velocity is not None:
            return self.ask_velocity(x, level)
        return velocity_from_data(self.ask(x, level), x, level)

    @property
    def gap(self) -> FloatArray:
        """h, by how much half the log-SNR rises, [n]; inf into clean data or out of pure noise."""
        return np.asarray(self.next.half_log_snr - self.level.half_log_snr)


@dataclass(frozen=True)
class Move:
    """A Gaussian step: mean [n, ...] and deviation [n] in every direction.

    `log_ratio`: what the step adds to each sample's log-weight, [n] nats; None where samples are drawn from what they aim at.
    """

    mean: torch.Tensor
    deviation: FloatArray
    log_ratio: FloatArray | None = None


class Solver(Tagged):
    """Base of all solvers. Subclasses are settings.

    `remembers`: how many earlier predictions it uses.
    `between`: evaluations between the ends of a step, besides the one at its end.
    `along_slopes`: it asks for velocity and score alone, so that it can follow paths between any two ends and not only into noise.
    """

    remembers: ClassVar[int] = 0
    between: ClassVar[int] = 0
    along_slopes: ClassVar[bool] = False

    @property
    def stochastic(self) -> bool:
        """Whether two forks of one sample go different ways."""
        return False

    @abstractmethod
    def move(self, here: Here) -> Move:
        """The step's Gaussian."""

    def settle(self, x: torch.Tensor, data: torch.Tensor, here: Here) -> torch.Tensor:
        """The sample at the step's end, [n, ...], corrected by the prediction `data` made at `x` there. Most correct nothing."""
        return x


def decay(here: Here) -> FloatArray:
    """e^-h, [n]; 0 into clean data and out of pure noise."""
    return np.exp(-here.gap)


def exact(here: Here, data: torch.Tensor) -> torch.Tensor:
    """(sigma1 / sigma) x + alpha1 (1 - e^-h) data: the exact step of the probability-flow ODE for a constant prediction `data`."""
    shrink = here.next.sigma / here.level.sigma
    return scaled(shrink, here.x) + scaled(here.next.alpha * (1.0 - decay(here)), data)
