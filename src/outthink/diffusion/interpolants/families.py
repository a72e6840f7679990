"""Stochastic interpolants x_t = a x0 + b x1 + g z: what stands between two data sets at each time.

Time runs from the base x0 (t = 0) to the target x1 (t = 1), z is standard normal: the other way round than the clock of denoising paths,
which is 1 - t here.

    interpolant = LinearInterpolant(gamma=BrownianBridge())
    x = interpolant.at(np.array([0.3])).mix(base, target, z)

Where the base is Gaussian noise, `OneSided` counts it as z, so a denoising path is an interpolant without x0 and everything holds for both.
If unsure: `LinearInterpolant()` between two data sets, `OneSided()` for generation, `EncodingDecoding()` where the ends have nothing in
common.

Source: spec 30, table of families; Albergo, Boffi and Vanden-Eijnden 2023, table 8.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import torch

from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Tagged
from outthink.diffusion.interpolants.gammas import AnyGamma, BrownianBridge, Noiseless, SineSquared
from outthink.diffusion.paths import AnyPath, Flow
from outthink.diffusion.tensors import scaled
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Mix:
    """An interpolant at times t, all [n] float64: coefficients of x0, x1 and z, their derivatives by t, and g g'."""

    base: FloatArray
    target: FloatArray
    noise: FloatArray
    base_rate: FloatArray
    target_rate: FloatArray
    noise_rate: FloatArray
    noise_product: FloatArray

    def mix(self, base: torch.Tensor, target: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """x_t, [n, ...], of the two ends and a noise, [n, ...] each."""
        return scaled(self.base, base) + scaled(self.target, target) + scaled(self.noise, z)

    def drift(self, base: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """dI/dt, the part of x_t's own velocity that is not the noise's, [n, ...]."""
        return scaled(self.base_rate, base) + scaled(self.target_rate, target)


class Interpolant(Tagged):
    """Base of all families."""

    @abstractmethod
    def at(self, time: FloatArray) -> Mix:
        """Coefficients at times in [0, 1]."""

    @property
    def blows_up(self) -> bool:
        """Whether g' is infinite at an end, so that plain regression on it has no finite variance."""
        return False

    def backward(self) -> Interpolant:
        """The same path the other way: its base is this one's target."""
        return Backward(of=self)  # type: ignore[arg-type]


class LinearInterpolant(Interpolant):
    """a = 1 - t, b = t.

    Attributes:
        gamma: the noise on the way.
    """

    gamma: AnyGamma = BrownianBridge()

    def at(self, time: FloatArray) -> Mix:
        g, one = self.gamma.at(time), np.ones_like(time)
        return Mix(1.0 - time, time, g.value, -one, one, g.rate, g.product)

    @property
    def blows_up(self) -> bool:
        return self.gamma.blows_up


class TrigonometricInterpolant(Interpolant):
    """a = cos(pi t / 2), b = sin(pi t / 2).

    Attributes:
        gamma: the noise on the way.
        preserving: a and b are multiplied by sqrt(1 - g^2), so that a^2 + b^2 + g^2 = 1 and ends of unit variance keep it on the way.
    """

    gamma: AnyGamma = BrownianBridge()
    preserving: bool = False

    def at(self, time: FloatArray) -> Mix:
        g, turn = self.gamma.at(time), 0.5 * math.pi
        a, b = np.sin(turn * (1.0 - time)), np.sin(turn * time)
        if not self.preserving:
            return Mix(a, b, g.value, -turn * b, turn * a, g.rate, g.product)
        left = np.sqrt(1.0 - g.value**2)
        left_rate = -g.product / left
        rates = -turn * b * left + a * left_rate, turn * a * left + b * left_rate
        return Mix(a * left, b * left, g.value, *rates, g.rate, g.product)

    def check(self) -> None:
        most = float(self.gamma.at(np.array([0.5])).value[0])
        if self.preserving and most >= 1.0:
            raise SettingsError(
                explain(
                    "A variance-preserving path cannot be all noise.",
                    got=f"gamma = {most:.3g} half-way",
                    expected="less than 1",
                    remedy="Use a gamma with a smaller scale (below 4 for a Brownian bridge), or preserving=False.",
                )
            )

    @property
    def blows_up(self) -> bool:
        return self.gamma.blows_up


class EncodingDecoding(Interpolant):
    """From the base to pure noise and from there to the target: cos^2(pi t) of one end at a time, g = sin^2(pi t)."""

    def at(self, time: FloatArray) -> Mix:
        g, first = SineSquared().at(time), time < 0.5
        kept, rate = np.cos(math.pi * time) ** 2, -math.pi * np.sin(2.0 * math.pi * time)
        zero = np.zeros_like(time)
        ends = np.where(first, kept, zero), np.where(first, zero, kept)
        rates = np.where(first, rate, zero), np.where(first, zero, rate)
        return Mix(*ends, g.value, *rates, g.rate, g.product)


class OneSided(Interpolant):
    """From standard normal noise to the target along a denoising path: b = alpha, and the noise z in place of the base, g = sigma.

    Attributes:
        path: `Flow()` is the linear one, `Trigonometric()` and `LinearSignal()` those that keep the variance.
    """

    path: AnyPath = Flow()

    def at(self, time: FloatArray) -> Mix:
        point, zero = self.path.at(1.0 - time), np.zeros_like(time)
        with np.errstate(invalid="ignore"):
            # sigma' is infinite at the data end of paths with alpha^2 + sigma^2 = 1 only, where sigma sigma' = -alpha alpha'.
            slope = np.where(
                np.isinf(point.sigma_rate), -point.alpha * point.alpha_rate, point.sigma * point.sigma_rate
            )
        return Mix(zero, point.alpha, point.sigma, zero, -point.alpha_rate, -point.sigma_rate, -slope)

    @property
    def blows_up(self) -> bool:
        return not bool(np.isfinite(self.path.at(np.zeros(1)).sigma_rate[0]))


class Mirror(Interpolant):
    """From a data set to itself: noise comes and goes, x_t = x1 + g z. Both ends are the same sample.

    Attributes:
        gamma: the noise on the way; not `Noiseless`, which would leave everything as it is.
    """

    gamma: AnyGamma = BrownianBridge()

    def at(self, time: FloatArray) -> Mix:
        g, zero, one = self.gamma.at(time), np.zeros_like(time), np.ones_like(time)
        return Mix(zero, one, g.value, zero, zero, g.rate, g.product)

    def check(self) -> None:
        if isinstance(self.gamma, Noiseless):
            raise SettingsError(
                explain(
                    "A mirror without noise moves nothing.",
                    got="gamma = noiseless",
                    expected="a gamma that is positive between the ends",
                    remedy="Use BrownianBridge().",
                )
            )

    @property
    def blows_up(self) -> bool:
        return self.gamma.blows_up


class Backward(Interpolant):
    """Another interpolant, run from its target to its base.

    Attributes:
        of: the other one.
    """

    of: LinearInterpolant | TrigonometricInterpolant | EncodingDecoding | OneSided | Mirror

    def at(self, time: FloatArray) -> Mix:
        m = self.of.at(1.0 - time)
        rates = {"base_rate": -m.target_rate, "target_rate": -m.base_rate, "noise_rate": -m.noise_rate}
        return replace(m, base=m.target, target=m.base, noise_product=-m.noise_product, **rates)

    @property
    def blows_up(self) -> bool:
        return self.of.blows_up

    def backward(self) -> Interpolant:
        return self.of


AnyInterpolant = LinearInterpolant | TrigonometricInterpolant | EncodingDecoding | OneSided | Mirror | Backward
