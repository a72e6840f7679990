"""What the tests of this folder share: the sheet's pair of ends, its interpolants, and many independent samples in few rows."""

from __future__ import annotations

import asyncio
from statistics import NormalDist

import numpy as np
import torch

from outthink.core import Allowance, Key
from outthink.diffusion import Mixture, Solver
from outthink.diffusion.interpolants import (
    Bridge,
    BrownianBridge,
    EncodingDecoding,
    Interpolant,
    LinearInterpolant,
    Mirror,
    MixturePair,
    Noiseless,
    OneSided,
    Parabolic,
    Sigmoidal,
    SineSquared,
    TrigonometricInterpolant,
)
from outthink.diffusion.paths import LinearSignal, Trigonometric, VariancePreserving
from outthink.numerics.types import FloatArray

torch.set_num_threads(1)

NORMAL = Mixture([1.0], [[0.0]], [1.0])
TWO = Mixture([0.4, 0.6], [[-2.0], [1.5]], [0.2, 0.4])
"""Spec 30: N(0, 1) to 0.4 N(-2, .2^2) + 0.6 N(1.5, .4^2)."""

LEFT = Mixture([0.5, 0.5], [[-1.0, 0.5], [0.4, -1.0]], [0.5, 0.3])
RIGHT = Mixture([0.3, 0.7], [[1.0, 1.0], [2.0, -0.4]], [0.4, 0.6])
"""Two ends in the plane."""

TWO_SIDED: list[Interpolant] = [
    LinearInterpolant(gamma=Noiseless()),
    LinearInterpolant(),
    LinearInterpolant(gamma=BrownianBridge(scale=2.0)),
    LinearInterpolant(gamma=Parabolic()),
    LinearInterpolant(gamma=Sigmoidal()),
    TrigonometricInterpolant(),
    TrigonometricInterpolant(gamma=SineSquared()),
    TrigonometricInterpolant(preserving=True),
    EncodingDecoding(),
]
ONE_SIDED: list[Interpolant] = [
    OneSided(),
    OneSided(path=Trigonometric()),
    OneSided(path=LinearSignal()),
    OneSided(path=VariancePreserving()),
]
ALL = [*TWO_SIDED, *ONE_SIDED, Mirror(), LinearInterpolant().backward(), OneSided().backward()]


def label(interpolant: Interpolant) -> str:
    """The interpolant and what it is made of, for test names."""
    inner = [getattr(interpolant, name) for name in ("gamma", "path", "of") if hasattr(interpolant, name)]
    return "-".join(type(one).__name__ for one in [interpolant, *inner])


def times(*values: float) -> FloatArray:
    return np.array(values)


def carried(network: MixturePair, x: torch.Tensor, at: FloatArray, solver: Solver, seed: int = 7) -> torch.Tensor:
    """Samples x [n, ...] carried over by a bridge, [n, ...]."""

    async def run() -> torch.Tensor:
        bridge = Bridge(network, x, at, solver, dtype=torch.float64)
        seeds = Key(seed).child("steps").seeds(len(x))
        moved = await bridge.advance(bridge.begun(x), seeds, steps=None, allowance=Allowance())
        assert not moved.failures
        return moved.states.x

    return asyncio.run(run())


class Apart(MixturePair):
    """Every number of a sample is a sample of its own, in one dimension; the draws of a step share one time."""

    def fields(self, x, level, condition):  # type: ignore[no-untyped-def]
        each = level.take(np.repeat(np.arange(len(x)), x[0].numel()))
        found = super().fields(x.reshape(-1, 1), each, condition)
        return type(found)(*(getattr(found, name).reshape(x.shape) for name in ("data", "velocity", "score")))


def normal_quantiles(n: int) -> FloatArray:
    """(i + 1/2) / n quantiles of N(0, 1)."""
    law = NormalDist()
    return np.array([law.inv_cdf((i + 0.5) / n) for i in range(n)])


def distribution(mixture: Mixture, x: FloatArray) -> FloatArray:
    """The mixture's distribution function in one dimension at x, [n]."""
    weights, deviations = np.exp(mixture.log_weights), np.sqrt(mixture.variances)
    parts = [
        w * np.array([NormalDist(float(m[0]), float(d)).cdf(v) for v in x.tolist()])
        for w, m, d in zip(weights, mixture.means, deviations, strict=True)
    ]
    return np.asarray(sum(parts))


def quantiles(mixture: Mixture, n: int) -> FloatArray:
    """(i + 1/2) / n quantiles of the mixture, from its distribution function on a fine grid."""
    x = np.linspace(-6.0, 6.0, 20_001)
    return np.interp((np.arange(n) + 0.5) / n, distribution(mixture, x), x)


def distance(x: FloatArray, mixture: Mixture) -> float:
    """Kolmogorov-Smirnov distance of samples [n] from the mixture's law."""
    ordered = np.sort(x)
    grid = np.linspace(-8.0, 8.0, 8001)
    exact = np.interp(ordered, grid, distribution(mixture, grid))
    n = len(ordered)
    return float(max((np.arange(1, n + 1) / n - exact).max(), (exact - np.arange(n) / n).max()))
