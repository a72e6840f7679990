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

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch

from outthink.core.checkpoint import decode, encode
from outthink.core.cost import ZERO, Cost
from outthink.core.errors import CheckpointError, Failure
from outthink.core.ledger import Allowance
from outthink.core.process import Advance, Completable, Perturbable, Process, Rewindable
from outthink.core.task import Candidate, Feature, Kind
from outthink.diffusion.claims import REFUSED, Claims
from outthink.diffusion.latents import Latents, SavedLatents, joined
from outthink.diffusion.levels import Grid
from outthink.diffusion.moves import ended, mixed, part_way_back, rewound, shaken
from outthink.diffusion.network import Condition, Network
from outthink.diffusion.solvers.solver import Solver
from outthink.diffusion.stepping import Stepped, Stepper
from outthink.diffusion.tensors import chosen, noise
from outthink.numerics.types import FloatArray, IntArray, SeedArray

Decode = Callable[[torch.Tensor], torch.Tensor]
"""Latents [n, ...] to what verifiers and people see, [n, ...]."""

_START = 1

_WORKER = ThreadPoolExecutor(1, thread_name_prefix="outthink-diffusion")
"""All network calls of this process, one after the other: they use every core as it is, and the event loop stays free."""


class DenoisingProcess(Process[Latents], Rewindable[Latents], Perturbable[Latents], Completable[Latents]):
    """A denoiser on a grid of levels.

    Args:
        network: predicts data. grid: the levels. solver: how a step is made.
        shape: of one latent, without the members' axis.
        condition: what the network is told of one sample, tensors with a leading axis of 1; None for nothing.
        decode: latents to what is judged; None: the latents themselves.
        device, dtype: where and in what type the latents live.
        kind: what the candidates are.
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
        condition: Condition = None,
        decode: Decode | None = None,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        kind: Kind = "tensor",
        mutation: Literal["renoise", "shake"] = "renoise",
    ) -> None:
        self.network, self.grid, self.solver, self.shape = network, grid, solver, tuple(shape)
        self.kind, self.mutation = kind, mutation
        self._decode = decode
        self._like = torch.zeros((), dtype=dtype, device=device)
        self._start_scale = float(np.hypot(grid.levels.alpha[0], grid.levels.sigma[0]))
        self._stepper = Stepper(network, grid, solver, self._like, condition)
        self._claims = Claims(grid, solver, network.evaluations)
        self.evaluations = self.calls = 0

    @property
    def exact(self) -> bool:
        """Kernels may sum in another order for another batch size, so rows agree within rounding only."""
        return False

    @property
    def forks_part(self) -> bool:
        return self.solver.stochastic

    async def start(self, seeds: SeedArray) -> Latents:
        """Pure noise at the first level's scale, each from its own seed."""
        x = noise(seeds, _START, self.shape, self._like) * self._start_scale
        return Latents.fresh(x.to(self._like.dtype), self.solver.remembers)

    async def advance(
        self, states: Latents, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance
    ) -> Advance[Latents]:
        """Down the grid. Slots claim network evaluations; a slot that is given fewer stops at the last level that they reach."""
        left = self.grid.steps - states.level
        wanted = left if steps is None else np.minimum(left, steps)
        granted = self._claims.steps(states, wanted, allowance)
        served = int((granted > 0).sum())
        reached, asked, failures = states, 0, dict[int, Failure]()
        for number in range(int(granted.max(initial=0))):
            if allowance.cut is not None and allowance.cut.reason is not None:
                granted = np.minimum(granted, np.where(granted > 0, number, granted))
                break
            lost = np.isin(np.arange(len(states)), list(failures))
            at = np.flatnonzero((granted > number) & ~lost)
            if len(at) == 0:
                break
            moved: Stepped = await self._off_loop(self._stepper.step, reached.take(at), seeds[at], number)
            asked += moved.asked
            failures |= {int(at[row]): failure for row, failure in moved.failures.items()}
            reached = moved.states if len(at) == len(states) else reached.put(at, moved.states)
        return self._moved(states, reached, self._bill(served, asked), failures, granted, wanted)

    def take(self, states: Latents, index: IntArray) -> Latents:
        return states.take(index)

    def concat(self, parts: Sequence[Latents]) -> Latents:
        return joined(parts)

    async def view(self, states: Latents, wants: frozenset[Feature]) -> list[Candidate]:
        """The predicted data, decoded; "latent" and "level" are features."""
        if len(states) == 0:
            return []
        shown = await self._off_loop(self.decoded, states)
        final = states.level == self.grid.steps
        candidates = []
        for i in range(len(states)):
            features: dict[str, Any] = {}
            if "latent" in wants:
                features["latent"] = states.x[i]
            if "level" in wants:
                features["level"] = int(states.level[i])
            candidates.append(Candidate(content=shown[i], kind=self.kind, final=bool(final[i]), features=features))
        return candidates

    def decoded(self, states: Latents) -> torch.Tensor:
        """What is seen of each sample, [n, ...]: its prediction; a sample that nobody asked about yet shows as it is."""
        shown = chosen(states.asked, states.data, states.x)
        return shown if self._decode is None else self._decode(shown)

    def dump(self, states: Latents) -> bytes:
        return encode(SavedLatents.of(states))

    def load(self, data: bytes) -> Latents:
        saved = decode(data)
        if not isinstance(saved, SavedLatents) or saved.x.shape[1:] != self.shape:
            raise CheckpointError(f"The saved states are not latents of shape {self.shape}.")
        if saved.past.shape[1] != self.solver.remembers:
            raise CheckpointError(
                f"The saved states remember {saved.past.shape[1]} predictions, not {self.solver.remembers}."
            )
        return saved.back(self._like)

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

    async def complete(self, states: Latents, seeds: SeedArray, *, allowance: Allowance) -> Advance[Latents]:
        """The predicted data as a finished sample; one evaluation for samples that nobody asked about yet."""
        last = self.grid.steps
        needs = np.asarray(~states.asked, np.int64)
        granted = self._claims.whole(needs, needs, allowance)
        asking = np.flatnonzero(granted > 0)
        known = states
        if len(asking):
            known = states.put(asking, await self._off_loop(self._stepper.predicted, states.take(asking)))
        ending = np.flatnonzero((granted != REFUSED) & (states.level < last))
        out = known.put(ending, ended(known.take(ending), last)) if len(ending) else states
        bill = self._bill(len(asking), len(asking) * self.network.evaluations)
        return self._moved(states, out, bill, granted=granted, wanted=needs)

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

    def _bill(self, slots: int, evaluations: int) -> Cost:
        self.evaluations += evaluations
        self.calls += slots
        return Cost(calls=slots, denoiser_evals=evaluations)

    def _moved(
        self,
        before: Latents,
        after: Latents,
        cost: Cost = ZERO,
        failures: dict[int, Failure] | None = None,
        granted: IntArray | None = None,
        wanted: IntArray | None = None,
    ) -> Advance[Latents]:
        """The outcome of a call; what was lost is as it was before."""
        lost = np.array(sorted(failures or {}), np.int64)
        if len(lost):
            after = after.put(lost, before.take(lost))
        granted = np.zeros(len(before), np.int64) if granted is None else granted
        short = np.zeros(len(before), bool) if wanted is None else (granted >= 0) & (granted < wanted)
        short[lost] = False
        return Advance(
            after,
            after.level == self.grid.steps,
            np.zeros(len(before)),
            cost,
            failures=failures or {},
            short=short,
            untouched=granted == REFUSED,
        )

    async def _off_loop(self, work: Callable[..., Any], *given: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(_WORKER, work, *given)
