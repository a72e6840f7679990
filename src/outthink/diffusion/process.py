"""Denoising as a process: samples go down a grid of levels, one solver step at a time, and search moves them like any other members.

    process = DenoisingProcess(network, Grid.on(Flow(), np.linspace(1, 0, 21)), FlowSde(), shape=(1, 8, 8))
    search = Search(lambda task: process, ParticleFilter(n=8), verifier)

What verifiers see of a sample under way is the data that the network predicts at its place, decoded; of a finished one, the sample itself.
The network is asked once at each level that a sample reaches, and that prediction both shows the sample and starts its next step: looking
costs nothing. The first step of a fresh sample asks twice (at its start and at its end), the last one, into clean data, not at all.

Forks of a deterministic solver never part, and methods that branch are refused then (`forks_part`). A sample whose numbers are no longer
finite is lost, by name, and the others go on. If unsure about the solver: `Ancestral` for search, `DpmSolver` for best-of-n.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Unpack

import numpy as np

from outthink.core.ledger import Allowance
from outthink.core.process import Advance, Perturbable, Rewindable
from outthink.diffusion.grid_process import START, GridProcess, Shown
from outthink.diffusion.latents import Latents
from outthink.diffusion.levels import Grid
from outthink.diffusion.moves import mixed, part_way_back, rewound, shaken
from outthink.diffusion.network import Network
from outthink.diffusion.solvers.solver import Solver
from outthink.diffusion.stepping import Stepped
from outthink.diffusion.tensors import noise
from outthink.numerics.types import FloatArray, IntArray, SeedArray


class DenoisingProcess(GridProcess, Rewindable[Latents], Perturbable[Latents]):
    """A denoiser on a grid of levels.

    Args:
        network: predicts data. grid: the levels. solver: how a step is made.
        shape: of one latent, without the members' axis.
        shown: `condition`, `decode`, `device`, `dtype` and `kind`: see `Shown`.
        mutation: how `perturb` makes neighbours of samples under way: "renoise" goes part of the way back and down again, which keeps their
            law as well as the solver does; "shake" adds noise, as EvoSearch does.
    Attributes:
        evaluations, calls: network evaluations and served slots so far: the other side of every bill.
    """

    def __init__(
        self,
        network: Network,
        grid: Grid,
        solver: Solver,
        shape: Sequence[int],
        *,
        mutation: Literal["renoise", "shake"] = "renoise",
        **shown: Unpack[Shown],
    ) -> None:
        super().__init__(network, grid, solver, shape, **shown)
        self.mutation = mutation
        self._start_scale = float(np.hypot(grid.levels.alpha[0], grid.levels.sigma[0]))

    async def start(self, seeds: SeedArray) -> Latents:
        """Pure noise at the first level's scale, each from its own seed."""
        x = noise(seeds, START, self.shape, self._like) * self._start_scale
        return self._fresh(x)

    async def rewind(
        self, states: Latents, level: IntArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Latents]:
        """Noise is added by the forward kernel until each sample is as noisy as `level` [n] says; it forgets its past. Costs nothing."""
        back = rewound(states, self.grid, np.asarray(level, np.int64), seeds)
        return self._moved(states, back)

    async def perturb(
        self, states: Latents, strength: FloatArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Latents]:
        """A neighbour at the same level.

        Pure noises are mixed, sqrt(1 - s^2) x + s z, which is free and keeps their law exactly. A sample under way goes back by the forward
        kernel a share `strength` of the way to the level before, and down again by one solver step, which asks the network.
        Source: spec 19 (neighbours), spec 23 (mutation of noises).
        """
        strength = np.clip(np.asarray(strength, np.float64), 0.0, 1.0)
        fresh = np.flatnonzero((states.level == 0) & (strength > 0))
        near = states
        if len(fresh):
            near = states.put(fresh, mixed(states.take(fresh), strength[fresh], self._start_scale, seeds[fresh]))
        inside = (states.level > 0) & (strength > 0)
        at = np.flatnonzero(inside)
        if len(at) == 0:
            return self._moved(states, near)
        if self.mutation == "shake":
            at = np.flatnonzero(inside & (states.level < self.grid.steps))
            if len(at):
                near = near.put(at, shaken(states.take(at), self.grid, strength[at], seeds[at]))
            return self._moved(states, near)
        return await self._redrawn(states, near, inside.astype(np.int64), strength, seeds, allowance)

    async def _redrawn(
        self,
        states: Latents,
        near: Latents,
        inside: IntArray,
        strength: FloatArray,
        seeds: SeedArray,
        allowance: Allowance,
    ) -> Advance[Latents]:
        """`near` with the members where `inside` [n] is 1 part of the way back and down again; the others cost nothing."""
        times = 1 + np.where(inside > 0, self._claims.of_level[states.level - 1], 0)
        granted = self._claims.whole(times, inside, allowance)
        at = np.flatnonzero(granted > 0)
        if len(at) == 0:
            return self._moved(states, near, granted=granted, wanted=inside)
        back, start = part_way_back(states.take(at), self.grid, strength[at], seeds[at])
        moved: Stepped = await self._off_loop(self._stepper.step, back, seeds[at], 0, start)
        failures = {int(at[row]): failure for row, failure in moved.failures.items()}
        bill = self._bill(len(at), moved.asked)
        return self._moved(states, near.put(at, moved.states), bill, failures, granted, wanted=inside)
