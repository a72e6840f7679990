"""Bridges between two data sets as processes: samples start in one and end in the other, and search moves them like any other members.

    process = Bridge(network, starts, even(100), FlowSde(scale=2, power=0.5, start=0.5))
    search = Search(lambda task: process, ParticleFilter(n=8), verifier)

Every member starts at one of `starts`, drawn with its own seed; with a single start all members are versions of that one sample, which
part by the solver's noise. What verifiers see under way is the predicted target. A bridge has no noise to go back into or to mutate, so it
is neither rewindable nor perturbable, and methods that need that are refused. If unsure about the solver: `FlowSde` as above for search,
`FlowHeun` for whole samples.

Source: spec 30, "Samplers".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import numpy as np
import torch

from outthink.core.errors import Incompatible, SettingsError, explain
from outthink.core.key import slot_rng
from outthink.diffusion.grid_process import GridProcess, Shown
from outthink.diffusion.interpolants.fields import Learned
from outthink.diffusion.interpolants.mixture_pair import MixturePair
from outthink.diffusion.latents import Latents
from outthink.diffusion.levels import Grid
from outthink.diffusion.paths import Flow
from outthink.diffusion.solvers.solver import Solver
from outthink.numerics.types import FloatArray, SeedArray


class Bridge(GridProcess):
    """An interpolant's ODE or SDE from a batch of data.

    Args:
        network: its fields. starts: data of the base, [m, ...].
        times: rising from 0 (base) to 1 (target), [steps + 1]; other ends are allowed. `np.linspace(0, 1, steps + 1)` if unsure.
        solver: one that follows velocity and score: `FlowEuler`, `FlowHeun` or `FlowSde`. Its t is the clock 1 - time.
        shown: as of `DenoisingProcess`.
    """

    def __init__(
        self,
        network: Learned | MixturePair,
        starts: torch.Tensor,
        times: FloatArray,
        solver: Solver,
        **shown: Unpack[Shown],
    ) -> None:
        if len(starts) == 0:
            raise SettingsError(
                explain(
                    "A bridge has to start somewhere.",
                    got="no starts",
                    expected="a batch of data, [m, ...]",
                    remedy="Give at least one sample.",
                )
            )
        _follows_slopes(solver)
        if solver.stochastic and not network.scored:
            raise Incompatible(
                explain(
                    "There is no score for a solver with noise.",
                    got=f"{solver.name()} on an interpolant without noise, or without a field that gives E[z | x]",
                    expected="gamma > 0 or a one-sided interpolant, with noise or score learned",
                    remedy="Use FlowHeun() or FlowEuler(), or train on an interpolant with a gamma such as BrownianBridge().",
                )
            )
        self.starts = starts
        # A bridge's levels are its clock alone: what stands there is the network's knowledge.
        grid = Grid.on(Flow(), 1.0 - np.asarray(times, np.float64))
        shape: Sequence[int] = starts.shape[1:]
        super().__init__(network, grid, solver, shape, **shown)

    async def start(self, seeds: SeedArray) -> Latents:
        """One of the starts for each seed, drawn with it."""
        return self.begun(self.starts[[int(slot_rng(seed).integers(len(self.starts))) for seed in seeds.tolist()]])

    def begun(self, x: torch.Tensor) -> Latents:
        """Members that start at these samples, [n, ...]: for a whole batch to be carried over, each sample once."""
        return self._fresh(x.to(self._like.device))


def _follows_slopes(solver: Solver) -> None:
    if not solver.along_slopes:
        raise Incompatible(
            explain(
                "This solver leads out of noise, and a bridge does not start there.",
                got=solver.name(),
                expected="flow-euler, flow-heun or flow-sde, which follow velocity and score",
                remedy="Use FlowSde() for search and FlowHeun() for whole samples.",
            )
        )
