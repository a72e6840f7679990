"""Noise paths x = alpha x0 + sigma e: how much data and how much noise there is at each time, and how fast both change.

Every path has a clock of its own, t from 1 (noise) to 0 (data), in float64 and with closed-form rates; half the log-SNR,
log(alpha / sigma), is the one clock that all share, so a model trained on one path can be sampled on another (`network.OnPath`).

    Flow().at(np.array([0.3]))       # Point(alpha=0.7, sigma=0.3, alpha_rate=-1, sigma_rate=1)

If unsure: the path that the model was trained on, as its scheduler's table says (`outthink.diffusion.schedules`).

Source: shared vocabulary of the diffusion sheets; spec 20, item 3, for the continuous variance-preserving path (Song et al. 2021); spec 30
for the trigonometric one.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from outthink.core.settings import PositiveFloat, Tagged
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Point:
    """A path at times t: coefficients and their derivatives by t, all of the shape of t, float64."""

    alpha: FloatArray
    sigma: FloatArray
    alpha_rate: FloatArray
    sigma_rate: FloatArray


class Path(Tagged):
    """Base of all paths. t = 1 is the noisiest time, t = 0 the data."""

    @abstractmethod
    def at(self, time: FloatArray) -> Point:
        """Coefficients and rates at times in [0, 1]."""

    @abstractmethod
    def time_of(self, half_log_snr: FloatArray) -> FloatArray:
        """The times at which log(alpha / sigma) has these values; inf gives 0."""


class Flow(Path):
    """Optimal-transport (rectified) flow: alpha = 1 - t, sigma = t. Its velocity is e - x0."""

    def at(self, time: FloatArray) -> Point:
        ones = np.ones_like(time)
        return Point(1.0 - time, time, -ones, ones)

    def time_of(self, half_log_snr: FloatArray) -> FloatArray:
        return 1.0 / (1.0 + np.exp(half_log_snr))


class VariancePreserving(Path):
    """alpha^2 + sigma^2 = 1 with noise added at a rate that grows linearly from `least` to `most`: log alpha = -T/2."""

    least: PositiveFloat = 0.1
    most: PositiveFloat = 20.0

    def at(self, time: FloatArray) -> Point:
        total = self._total(time)
        rate = time * (self.most - self.least) + self.least
        alpha, sigma = np.exp(-0.5 * total), np.sqrt(-np.expm1(-total))
        with np.errstate(divide="ignore"):
            # At t = 0 sigma leaves 0 like a square root: its rate is infinite there, and is said to be.
            sigma_rate = rate * np.exp(-total) / (2.0 * sigma)
        return Point(alpha, sigma, -0.5 * rate * alpha, sigma_rate)

    def time_of(self, half_log_snr: FloatArray) -> FloatArray:
        total = np.logaddexp(0.0, -2.0 * half_log_snr)
        span = self.most - self.least
        if span == 0.0:
            return total / self.least
        return (-self.least + np.sqrt(self.least**2 + 2.0 * span * total)) / span

    def _total(self, time: FloatArray) -> FloatArray:
        return 0.5 * time**2 * (self.most - self.least) + time * self.least


class VarianceExploding(Path):
    """alpha = 1, sigma = `largest` * t: the scale of k-diffusion and EDM."""

    largest: PositiveFloat = 80.0

    def at(self, time: FloatArray) -> Point:
        ones = np.ones_like(time)
        return Point(ones, self.largest * time, np.zeros_like(time), self.largest * ones)

    def time_of(self, half_log_snr: FloatArray) -> FloatArray:
        return np.exp(-half_log_snr) / self.largest


class Trigonometric(Path):
    """alpha = cos(pi t / 2), sigma = sin(pi t / 2): variance-preserving with a flow-like time; its velocity is pi / 2 times v."""

    def at(self, time: FloatArray) -> Point:
        # The sine of the complement, so that nothing of the data is left at t = 1: the cosine of pi / 2 rounds to 6e-17.
        alpha, sigma = np.sin(0.5 * math.pi * (1.0 - time)), np.sin(0.5 * math.pi * time)
        return Point(alpha, sigma, -0.5 * math.pi * sigma, 0.5 * math.pi * alpha)

    def time_of(self, half_log_snr: FloatArray) -> FloatArray:
        return (2.0 / math.pi) * np.arctan(np.exp(-half_log_snr))


class LinearSignal(Path):
    """alpha = 1 - t, sigma = sqrt(1 - alpha^2): variance-preserving with a signal that grows evenly."""

    def at(self, time: FloatArray) -> Point:
        alpha, sigma = 1.0 - time, np.sqrt(time * (2.0 - time))
        with np.errstate(divide="ignore"):
            # As for every variance-preserving path whose signal does not start level, sigma leaves 0 like a square root.
            return Point(alpha, sigma, -np.ones_like(time), alpha / sigma)

    def time_of(self, half_log_snr: FloatArray) -> FloatArray:
        return np.asarray(-np.expm1(-0.5 * np.logaddexp(0.0, -2.0 * half_log_snr)))


AnyPath = Flow | VariancePreserving | VarianceExploding | Trigonometric | LinearSignal
