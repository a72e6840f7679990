"""Levels: how noisy a sample is, one record a sample, and the grid of levels that a sampler goes down.

A level's `alpha` and `sigma` are what the sample really holds; `model_time` is what the network is told, which may differ. Coefficients
stay on the host in float64; only their product with a latent touches the device (`outthink.diffusion.tensors.scaled`).

    grid = Grid.on(Flow(), np.linspace(1, 0, 11))         # 10 steps of a flow
    grid.at(np.array([0, 3]))                             # a Level for two samples
    grid.between(np.array([3]), np.array([0.5]))          # a level half-way back from level 3 to level 2

If unsure: `Grid.on` with the path that the model was trained on; `outthink.diffusion.schedules.read` for a scheduler of diffusers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.diffusion.paths import Flow, Path, Trigonometric, VarianceExploding
from outthink.numerics.types import FloatArray, IntArray

NO_SIGNAL = 1e-9
"""An alpha below this is rounding error: nothing of the data is there."""

_ON_A_PATH = 1e-5
"""How far tables, which are often float32, may be off alpha^2 + sigma^2 = 1, alpha + sigma = 1 or alpha = 1 and still count as that."""

Told = Callable[[FloatArray], FloatArray]
"""From a path's clock to what the network is told."""


@dataclass(frozen=True)
class Level:
    """How noisy n samples are, all arrays [n] float64.

    Attributes:
        alpha, sigma: x = alpha x0 + sigma e.
        model_time: what the network is told.
        alpha_rate, sigma_rate: derivatives in the path's own clock `time`; nan where only a table is known.
        time: the path's clock; nan where there is none.
    """

    alpha: FloatArray
    sigma: FloatArray
    model_time: FloatArray
    time: FloatArray
    alpha_rate: FloatArray
    sigma_rate: FloatArray

    def __len__(self) -> int:
        return len(self.alpha)

    @classmethod
    def of_table(cls, alpha: FloatArray, sigma: FloatArray, model_time: FloatArray) -> Level:
        """Levels of which only the coefficients are known, [n] each."""
        a, s, told = (np.asarray(column, np.float64) for column in (alpha, sigma, model_time))
        unknown = np.full(len(a), np.nan)
        return cls(a, s, told, unknown, unknown, unknown)

    @property
    def half_log_snr(self) -> FloatArray:
        """log(alpha / sigma), [n]; inf without noise, -inf without data."""
        with np.errstate(divide="ignore"):
            return np.log(self.alpha) - np.log(self.sigma)

    @property
    def angle(self) -> FloatArray:
        """arctan(sigma / alpha), [n]: the log-SNR on a clock that is finite at both ends, 0 for data and pi / 2 for noise."""
        return np.arctan2(self.sigma, self.alpha)

    @property
    def ratio(self) -> FloatArray:
        """sigma / alpha, [n]: "sigma" of k-diffusion; inf without data."""
        with np.errstate(divide="ignore"):
            return self.sigma / self.alpha

    def take(self, index: IntArray) -> Self:
        """The levels at `index`, [m]."""
        return type(self)(
            self.alpha[index],
            self.sigma[index],
            self.model_time[index],
            self.time[index],
            self.alpha_rate[index],
            self.sigma_rate[index],
        )


@dataclass(frozen=True)
class Grid:
    """The levels of a sampler, from the noisiest (0) to the last (`steps`); one more than there are steps.

    `levels` [steps + 1]; log-SNR rises strictly. Steps between neighbours; the network is asked at all levels but one without noise.

    Attributes:
        path: the path that the levels lie on, where it is known; `told`: from its clock to what the network is told.
        fine: the whole table that the levels were taken from, where there is one, noisiest first: it says what the network is told between
            two levels.
    """

    levels: Level
    path: Path | None = None
    told: Told | None = None
    fine: Level | None = None

    def __post_init__(self) -> None:
        level = self.levels
        with np.errstate(invalid="ignore"):
            rising = np.diff(level.half_log_snr)
        if len(level) < 2 or not (rising > 0).all():
            at = int(np.argmin(rising)) if len(rising) else 0
            raise SettingsError(
                explain(
                    "The levels do not go from noise to data.",
                    got=f"{len(level)} levels, log-SNR not rising after level {at}",
                    expected="at least two, each less noisy than the one before",
                    remedy="Order the times from noise (1) to data (0), each of them once.",
                )
            )

    @classmethod
    def on(cls, path: Path, times: FloatArray, *, model_time: FloatArray | Told | None = None) -> Grid:
        """A path at `times`, [steps + 1], falling.

        `model_time`: what the network is told there, as numbers or as a function of the clock; by default the times themselves. Between two
        levels, numbers are interpolated and a function is asked.
        """
        times = np.asarray(times, np.float64)
        if model_time is None or callable(model_time):
            told: Told = np.asarray if model_time is None else model_time
            return cls(on_path(path, times, told), path, told)
        point = path.at(times)
        given = np.asarray(model_time, np.float64)
        return cls(Level(point.alpha, point.sigma, given, times, point.alpha_rate, point.sigma_rate), path)

    @classmethod
    def of_table(
        cls, alpha: FloatArray, sigma: FloatArray, model_time: FloatArray, *, fine: Level | None = None
    ) -> Grid:
        """Levels of which only the coefficients are known, [steps + 1] each."""
        return cls(Level.of_table(alpha, sigma, model_time), fine=fine)

    def placed(self) -> Grid:
        """The same levels with a clock and rates, which velocities and `FlowSde` need: those of the path that the table lies on.

        A table with alpha^2 + sigma^2 = 1 is put on `Trigonometric`, one with alpha + sigma = 1 on `Flow`, one with alpha = 1 on
        `VarianceExploding`; what the network is told stays. Levels that lie on a path already are returned as they are. Raises
        `Incompatible` for any other table.
        """
        if self.path is not None:
            return self
        path = self._own_path()
        time = path.time_of(self.levels.half_log_snr)
        fine = self.levels if self.fine is None else self.fine
        clock = path.time_of(fine.half_log_snr)
        order = np.argsort(clock)
        point = path.at(time)
        levels = replace(self.levels, time=time, alpha_rate=point.alpha_rate, sigma_rate=point.sigma_rate)
        return Grid(levels, path, lambda t: np.interp(t, clock[order], fine.model_time[order]))

    def _own_path(self) -> Path:
        alpha, sigma = self.levels.alpha, self.levels.sigma
        if np.abs(alpha**2 + sigma**2 - 1.0).max() < _ON_A_PATH:
            return Trigonometric()
        if np.abs(alpha + sigma - 1.0).max() < _ON_A_PATH:
            return Flow()
        if np.abs(alpha - 1.0).max() < _ON_A_PATH:
            return VarianceExploding(largest=float(sigma[0]))
        raise Incompatible(
            explain(
                "These levels lie on no path that is known by its coefficients.",
                got=f"alpha from {alpha[0]:.4g} to {alpha[-1]:.4g}, sigma from {sigma[0]:.4g} to {sigma[-1]:.4g}",
                expected="alpha^2 + sigma^2 = 1, alpha + sigma = 1 or alpha = 1 throughout",
                remedy="Use Grid.on(path, times), or a solver that needs no rates (ddim, heun, dpm-solver, unipc).",
            )
        )

    @property
    def steps(self) -> int:
        """How many steps lead from the first level to the last."""
        return len(self.levels) - 1

    def at(self, level: IntArray) -> Level:
        """The levels of n samples, by their numbers [n]."""
        return self.levels.take(level)

    def between(self, level: IntArray, share: FloatArray) -> Level:
        """Levels on the way back from `level` [n], each at least 1, to the one before it: share [n] 0 is the level, 1 the one before.

        On a path these are levels of the path, equally spaced in its clock. In a table they are equally spaced in `Level.angle`; a table
        with alpha^2 + sigma^2 = 1, alpha + sigma = 1 or alpha = 1 throughout keeps that.
        """
        now, before = self.at(level), self.at(level - 1)
        share = np.asarray(share, np.float64)
        told = now.model_time + share * (before.model_time - now.model_time)
        if self.path is not None:
            time = now.time + share * (before.time - now.time)
            return on_path(self.path, time, self.told or (lambda _: told))
        angle = now.angle + share * (before.angle - now.angle)
        radius = self._radius(angle)
        middle = Level.of_table(radius * np.cos(angle), radius * np.sin(angle), told)
        if self.fine is None:
            return middle
        order = np.argsort(self.fine.angle)
        return replace(middle, model_time=np.interp(angle, self.fine.angle[order], self.fine.model_time[order]))

    def _radius(self, angle: FloatArray) -> FloatArray:
        """sqrt(alpha^2 + sigma^2) where the table passes through these angles, [n]."""
        alpha, sigma = self.levels.alpha, self.levels.sigma
        if np.abs(alpha**2 + sigma**2 - 1.0).max() < _ON_A_PATH:
            return np.ones_like(angle)
        if np.abs(alpha + sigma - 1.0).max() < _ON_A_PATH:
            return np.asarray(1.0 / (np.cos(angle) + np.sin(angle)))
        if np.abs(alpha - 1.0).max() < _ON_A_PATH:
            return np.asarray(1.0 / np.cos(angle))
        log_radius = np.log(np.hypot(alpha, sigma))
        return np.exp(np.interp(angle, self.levels.angle[::-1], log_radius[::-1]))

    @property
    def ends_clean(self) -> bool:
        """Whether nothing of the noise is left at the last level, so that the network need not be asked there."""
        return bool(self.levels.sigma[-1] == 0.0)


def on_path(path: Path, time: FloatArray, told: Told) -> Level:
    """The path's levels at these times, [n]."""
    point = path.at(time)
    model_time = np.asarray(told(time), np.float64)
    return Level(point.alpha, point.sigma, model_time, time, point.alpha_rate, point.sigma_rate)
