"""Prior covariances of an unknown function over points of the unit cube: Gaussian and Matérn, one length-scale a coordinate.

    kernel = Matern(lengths=np.array([0.3, 0.5]), variance=1.0, nu=2.5)
    kernel(x, x2)                                              # [n, m]

Lengths are in units of the coordinates: the Gaussian kernel is variance * exp(-r^2 / 2) with r^2 = sum_i ((x_i - x2_i) / length_i)^2.

Source: spec 33, item 1; Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), chapter 4 and section 9.4.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist

from outthink.core.errors import SettingsError, explain
from outthink.numerics.types import FloatArray

SAME = 1e-9
"""Scaled distance below which two points are one."""


@dataclass(frozen=True)
class Kernel(ABC):
    """A stationary covariance.

    Attributes:
        lengths: one for each coordinate, [d], positive.
        variance: of the function at a point.
        constant: variance of an unknown level that all points share; it stands for a prior mean that is not known.
        own: variance of what each point has for itself, however near its neighbours are: no setting acts quite smoothly.
    """

    lengths: FloatArray
    variance: float = 1.0
    constant: float = 0.0
    own: float = 0.0

    def __call__(self, x: FloatArray, x2: FloatArray) -> FloatArray:
        """Covariances of the function at x [n, d] and at x2 [m, d]: [n, m]."""
        distance = self.distance(x, x2)
        smooth = self.constant + self.variance * self.shape(distance)
        return smooth + self.own * (distance < SAME) if self.own > 0.0 else smooth

    def at(self, x: FloatArray) -> FloatArray:
        """Variances at x [n, d]: [n]."""
        return np.full(len(x), self.constant + self.variance + self.own)

    def distance(self, x: FloatArray, x2: FloatArray) -> FloatArray:
        """Scaled distances, [n, m]."""
        return np.asarray(cdist(np.asarray(x, float) / self.lengths, np.asarray(x2, float) / self.lengths), float)

    @abstractmethod
    def shape(self, distance: FloatArray) -> FloatArray:
        """Correlation at a scaled distance; 1 at 0."""

    @abstractmethod
    def slope_ratio(self, distance: FloatArray) -> FloatArray:
        """-shape'(r) / r, finite at 0: the derivative by log length_i is variance * slope_ratio * ((x_i - x2_i) / length_i)^2."""


@dataclass(frozen=True)
class Gaussian(Kernel):
    """Smooth functions: exp(-r^2 / 2)."""

    def shape(self, distance: FloatArray) -> FloatArray:
        return np.exp(-0.5 * distance**2)

    def slope_ratio(self, distance: FloatArray) -> FloatArray:
        return np.exp(-0.5 * distance**2)


@dataclass(frozen=True)
class Matern(Kernel):
    """Functions with nu - 1/2 derivatives: exp(-r) at nu = 1/2, and 3/2 and 5/2 with sqrt(2 nu) r in closed form."""

    nu: float = 2.5

    def __post_init__(self) -> None:
        if self.nu not in (0.5, 1.5, 2.5):
            raise SettingsError(
                explain(
                    "This Matérn kernel has no closed form.",
                    got=self.nu,
                    expected="0.5, 1.5 or 2.5",
                    remedy="Choose one.",
                )
            )

    def shape(self, distance: FloatArray) -> FloatArray:
        r = math.sqrt(2.0 * self.nu) * distance
        if self.nu == 0.5:
            return np.exp(-r)
        if self.nu == 1.5:
            return (1.0 + r) * np.exp(-r)
        return (1.0 + r + r**2 / 3.0) * np.exp(-r)

    def slope_ratio(self, distance: FloatArray) -> FloatArray:
        r = math.sqrt(2.0 * self.nu) * distance
        if self.nu == 0.5:
            # Not differentiable at 0; there the distance by any coordinate is 0 too, and so is the product.
            return np.exp(-r) / np.maximum(distance, 1e-12)
        if self.nu == 1.5:
            return 3.0 * np.exp(-r)
        return (5.0 / 3.0) * (1.0 + r) * np.exp(-r)
