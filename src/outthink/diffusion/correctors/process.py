"""Combinations of densities, sampled: a process whose `log_ratio` is the Feynman-Kac corrector, so that a particle filter makes it exact.

    process = CorrectedProcess(Product([first, second]), grid, Corrector(), shape=(2,))
    Search(lambda task: process, ParticleFilter(n=1000, choose="sample"), Indifferent())

Steps alone sample something else; the members' weights make up for it, and resampling by them (`ParticleFilter`, adaptive, weights kept)
keeps the population near the target as it goes. `log_evidence` is then the log integral of prod_i q_i^b_i over the data. A reward is added
as to any other process: the target is prod_i q_i^b_i exp(strength * score).

Samples cannot go back by the forward kernel: noise added to samples of q^b does not give the b-th power of q with noise added. So this is
no `DenoisingProcess`, and methods that go back are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Unpack

import msgspec
import numpy as np
import torch

from outthink.core.errors import Failure, Incompatible, explain
from outthink.diffusion.correctors.combinations import Combination
from outthink.diffusion.correctors.corrector import Corrector
from outthink.diffusion.grid_process import START, GridProcess, Shown
from outthink.diffusion.latents import Latents
from outthink.diffusion.levels import NO_SIGNAL, Grid, Level
from outthink.diffusion.network import Condition, rows
from outthink.diffusion.stepping import Stepped, Stepper, same_shape
from outthink.diffusion.tensors import noise
from outthink.numerics.types import SeedArray

FAR = 1e3
"""Samples so many deviations away have diverged."""


class CorrectedProcess(GridProcess):
    """A combination of networks on a grid of levels that begins with some signal (alpha > 0).

    Args:
        combination: what is sampled. grid: the levels. corrector: how steps and weights are made.
        shape, shown: as of `DenoisingProcess`.
    """

    def __init__(
        self,
        combination: Combination,
        grid: Grid,
        corrector: Corrector,
        shape: Sequence[int],
        **shown: Unpack[Shown],
    ) -> None:
        if grid.levels.alpha[0] <= NO_SIGNAL:
            raise Incompatible(
                explain(
                    "Experts cannot be weighed in pure noise.",
                    got="alpha = 0 at the first level",
                    expected="alpha > 0 throughout",
                    remedy="Begin a little below the top, such as at time 0.99 of a flow.",
                )
            )
        corrector = msgspec.structs.replace(corrector, exponents=combination.exponents)
        super().__init__(combination, grid, corrector, shape, **shown)
        self._corrector = corrector
        self._stepper = CorrectedStepper(combination, grid, corrector, self._like, shown.get("condition"))

    async def start(self, seeds: SeedArray) -> Latents:
        """Noise as wide as the experts' product at the first level, each sample from its own seed."""
        top = self.grid.at(np.zeros(1, np.int64))
        scale = float((top.alpha * self._corrector.start_deviation(top))[0])
        return self._fresh(noise(seeds, START, self.shape, self._like) * scale)


class CorrectedStepper(Stepper):
    """Steps that keep what each expert says with its sample, and weigh the start; alone, an expert says nothing besides the data."""

    def __init__(
        self, network: Combination, grid: Grid, solver: Corrector, like: torch.Tensor, condition: Condition
    ) -> None:
        super().__init__(network, grid, solver, like, condition)
        self.combination, self.corrector = network, solver
        self.slopes = len(network.exponents) if len(network.exponents) > 1 else 0

    def step(self, states: Latents, seeds: SeedArray, number: int = 0, start: Level | None = None) -> Stepped:
        known = self.predicted(states)
        stepped = super().step(known, seeds, number, start)
        asked = int((~states.asked).sum()) * self.network.evaluations
        fresh = np.flatnonzero(states.level == 0)
        weight = stepped.log_ratio.copy()
        if len(fresh):
            begun = known.take(fresh)
            weight[fresh] += self.corrector.log_start(begun.x, begun.data, begun.slopes, self.grid.at(begun.level))
        return replace(stepped, asked=stepped.asked + asked, log_ratio=weight)

    def _said(self, x: torch.Tensor, level: Level) -> tuple[torch.Tensor, torch.Tensor]:
        """The data that the experts predict together, [n, ...], and that each predicts where there are several, [n, m, ...]."""
        if not self.slopes:
            return super()._said(x, level)
        condition = rows(self._condition, np.zeros(len(x), np.int64))
        each = self.combination.predictions(x.to(self._like.dtype), level, condition)
        data = self.combination.together(each)
        same_shape(data, x)
        return data, each

    def _lost(self, states: Latents) -> dict[int, Failure]:
        """Besides those that are not finite, samples that run away: a combination that cannot be normalised at some level."""
        lost = super()._lost(states)
        level = self.grid.at(states.level)
        widest = FAR * np.hypot(level.alpha * (self.corrector.deviation or 1.0), level.sigma)
        largest = states.x.double().flatten(start_dim=1).abs().amax(dim=1).cpu().numpy()
        return lost | {
            int(row): Failure(
                "Diverged",
                explain(
                    "A sample ran away: the combination cannot be normalised at this level.",
                    got=f"{largest[row]:.3g} at level {int(states.level[row])}, exponents {self.combination.exponents}",
                    expected=f"less than {widest[row]:.3g}",
                    remedy="Use exponents with sum b_i / variance_i > 0 at every level (less guidance), smaller steps, or set `deviation`.",
                ),
            )
            for row in np.flatnonzero(largest > widest)
        }
