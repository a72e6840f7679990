"""How much noise an interpolant adds on the way: gamma(t), zero at both ends and positive between them.

    BrownianBridge().at(np.array([0.5]))                  # Amount(value=0.5, rate=0, product=0)

The product gamma gamma' is in closed form, because gamma' alone is infinite at the ends of a Brownian bridge while the product is not. If
unsure: `BrownianBridge()`; without a score to learn, `Noiseless()`.

Source: spec 30, "Other g"; Albergo, Boffi and Vanden-Eijnden 2023, section 3.4.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import numpy as np

from outthink.core.settings import PositiveFloat, Tagged
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Amount:
    """gamma, gamma' and gamma gamma' at times t, all of the shape of t, float64. The rate may be infinite at the ends."""

    value: FloatArray
    rate: FloatArray
    product: FloatArray


class Gamma(Tagged):
    """Base of all choices of gamma."""

    @abstractmethod
    def at(self, time: FloatArray) -> Amount:
        """gamma at times in [0, 1]."""

    @property
    def blows_up(self) -> bool:
        """Whether gamma' is infinite at the ends, so that plain targets made of it have no variance."""
        return False


class Noiseless(Gamma):
    """gamma = 0: a map along straight or curved lines, and no score unless one end is Gaussian."""

    def at(self, time: FloatArray) -> Amount:
        zero = np.zeros_like(time)
        return Amount(zero, zero, zero)


class BrownianBridge(Gamma):
    """gamma = sqrt(scale t (1 - t)).

    Attributes:
        scale: A; 2 keeps the variance of two ends of unit variance on a linear path.
    """

    scale: PositiveFloat = 1.0

    def at(self, time: FloatArray) -> Amount:
        value = np.sqrt(self.scale * time * (1.0 - time))
        product = 0.5 * self.scale * (1.0 - 2.0 * time)
        with np.errstate(divide="ignore"):
            return Amount(value, product / value, product)

    @property
    def blows_up(self) -> bool:
        return True


class Parabolic(Gamma):
    """gamma = t (1 - t)."""

    def at(self, time: FloatArray) -> Amount:
        value, rate = time * (1.0 - time), 1.0 - 2.0 * time
        return Amount(value, rate, value * rate)


class SineSquared(Gamma):
    """gamma = sin^2(pi t)."""

    def at(self, time: FloatArray) -> Amount:
        value, rate = np.sin(math.pi * time) ** 2, math.pi * np.sin(2.0 * math.pi * time)
        return Amount(value, rate, value * rate)


class Sigmoidal(Gamma):
    """gamma = S(f (t - 1/2) + 1) - S(f (t - 1/2) - 1) - S(1 - f/2) + S(-1 - f/2), S the logistic function.

    Attributes:
        steepness: f; the larger, the more the noise is in the middle.
    """

    steepness: PositiveFloat = 10.0

    def at(self, time: FloatArray) -> Amount:
        f = self.steepness
        right, left = _logistic(f * (time - 0.5) + 1.0), _logistic(f * (time - 0.5) - 1.0)
        at_end = _logistic(1.0 - 0.5 * f) - _logistic(-1.0 - 0.5 * f)
        # The plateau's edges: rounding must not leave a negative amount at the ends.
        value = np.maximum(right - left - at_end, 0.0)
        rate = f * (right * (1.0 - right) - left * (1.0 - left))
        return Amount(value, rate, value * rate)


def _logistic(x: FloatArray | float) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-np.asarray(x, np.float64))))


AnyGamma = Noiseless | BrownianBridge | Parabolic | SineSquared | Sigmoidal
