"""What the tests of this folder share: spec 20's mixture, its exact denoiser in float64, and many independent samples in few rows."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import torch

from outthink.core import Allowance, Budget, Key, Result, Search, Session, Task
from outthink.diffusion import DenoisingProcess, Grid, Level, Mixture, Network, Path, Solver
from outthink.diffusion.levels import on_path
from outthink.numerics.types import FloatArray

torch.set_num_threads(1)

MIXTURE = Mixture([0.3, 0.7], [[-1.5], [1.0]], [0.3, 0.4])
"""Spec 20: mean 0.25, variance 1.4515, 0.300 of the mass on the left of -0.2."""

PLANE = Mixture([0.5, 0.2, 0.3], [[-1.0, 0.5], [1.0, 1.0], [0.2, -1.4]], [0.5, 0.3, 0.6])


class Apart(Network):
    """Every number of a sample is a sample of its own: thousands of independent one-dimensional samples in a few rows."""

    def __init__(self, mixture: Mixture) -> None:
        self.exact = mixture.network()

    def data(self, x: torch.Tensor, level: Level, condition: Any) -> torch.Tensor:
        each = level.take(np.repeat(np.arange(len(x)), x[0].numel()))
        return self.exact.data(x.reshape(-1, 1), each, condition).reshape(x.shape)


def denoiser(
    solver: Solver, grid: Grid, mixture: Mixture = PLANE, *, network: Network | None = None, **how: Any
) -> DenoisingProcess:
    """A process on the exact denoiser, in float64."""
    shape = how.pop("shape", (mixture.dimensions,))
    return DenoisingProcess(network or mixture.network(), grid, solver, shape, dtype=torch.float64, **how)


def many(solver: Solver, grid: Grid, n: int, mixture: Mixture = MIXTURE, seed: int = 7) -> FloatArray:
    """n independent samples of a mixture in one dimension, [n]."""
    process = denoiser(solver, grid, network=Apart(mixture), shape=(n // 4,))
    return np.asarray(finished(process, 4, seed).reshape(-1).numpy())


def finished(process: DenoisingProcess, n: int, seed: int = 7) -> torch.Tensor:
    """n samples to their end, [n, ...]."""

    async def run() -> torch.Tensor:
        states = await process.start(Key(seed).child("start").seeds(n))
        seeds = Key(seed).child("steps").seeds(n)
        return (await process.advance(states, seeds, steps=None, allowance=Allowance())).states.x

    return asyncio.run(run())


def solved(search: Search, seed: int = 1, budget: Budget | None = None, **how: Any) -> Result:
    """What a search comes to."""

    async def run() -> Result:
        return await search.solve(Task(), Session.open(seed=seed, budget=budget), **how)

    return asyncio.run(run())


def begun(process: DenoisingProcess, n: int, seed: int = 7) -> torch.Tensor:
    """The noises from which `finished` goes down."""
    return asyncio.run(process.start(Key(seed).child("start").seeds(n))).x


def level(path: Path, *times: float) -> Level:
    """The path's levels at these times."""
    return on_path(path, np.array(times), np.asarray)


def samples(mixture: Mixture, n: int, seed: int = 3) -> torch.Tensor:
    """x [n, d] anywhere near the data, float64."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(mixture.sample(n, rng) + rng.standard_normal((n, mixture.dimensions)))
