"""What all processes on a grid of levels share: samples go along it, one solver step at a time, whatever they start from.

`GridProcess` moves, shows, saves and finishes samples; where they start is its subclasses' business: `DenoisingProcess` begins in noise,
`interpolants.Bridge` in a batch of data. The network is asked once at each level that a sample reaches, and that prediction both shows the
sample and starts its next step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypedDict

import numpy as np
import torch

from outthink.core.abridging import Abridging
from outthink.core.checkpoint import decode, encode
from outthink.core.cost import ZERO, Cost
from outthink.core.errors import CheckpointError, Failure
from outthink.core.ledger import Allowance
from outthink.core.process import Advance, Completable, Process
from outthink.core.task import Candidate, Feature, Kind
from outthink.diffusion.claims import REFUSED, Claims
from outthink.diffusion.latents import Latents, SavedLatents, joined
from outthink.diffusion.levels import Grid
from outthink.diffusion.moves import ended
from outthink.diffusion.network import Condition, Network
from outthink.diffusion.off_loop import Crew, off_loop
from outthink.diffusion.recorded import for_record, levels_of_record, wanted_by_record
from outthink.diffusion.solvers.solver import Solver
from outthink.diffusion.stepping import Stepper, Walked
from outthink.diffusion.tensors import chosen
from outthink.numerics.types import FloatArray, IntArray, SeedArray

Decode = Callable[[torch.Tensor], torch.Tensor]
"""Latents [n, ...] to what verifiers and people see, [n, ...]."""

START = 1
"""What a slot's seed is used for when a sample starts: see `outthink.diffusion.moves` for the other uses."""

_WORKER = Crew("outthink-diffusion", 1)
"""All network calls of this process, one after the other: they use every core as it is, and the event loop stays free."""


class Shown(TypedDict, total=False):
    """Keywords of every process on a grid: what its network is told, where its latents live, and what is seen of them.

    Attributes:
        condition: what the network is told of one sample, tensors with a leading axis of 1; None for nothing.
        decode: latents to what is judged; None: the latents themselves.
        device, dtype: where and in what type the latents live.
        kind: what the candidates are.
    """

    condition: Condition
    decode: Decode | None
    device: str | torch.device
    dtype: torch.dtype
    kind: Kind


class GridProcess(Process[Latents], Completable[Latents], Abridging):
    """Samples on a grid of levels. Arguments and attributes as of `DenoisingProcess`."""

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
    ) -> None:
        self.network, self.grid, self.solver, self.shape = network, grid, solver, tuple(shape)
        self.kind = kind
        self._decode = decode
        self._like = torch.zeros((), dtype=dtype, device=device)
        self._stepper = Stepper(network, grid, solver, self._like, condition)
        self._claims = Claims(grid, solver, network.evaluations)
        self._recorded = levels_of_record(grid.steps)
        self.evaluations = self.calls = 0

    @property
    def exact(self) -> bool:
        """Kernels may sum in another order for another batch size, so rows agree within rounding only."""
        return False

    @property
    def forks_part(self) -> bool:
        return self.solver.stochastic

    async def advance(
        self, states: Latents, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance
    ) -> Advance[Latents]:
        """Down the grid. Slots claim network evaluations; a slot that is given fewer stops at the last level that they reach."""
        left = self.grid.steps - states.level
        wanted = left if steps is None else np.minimum(left, steps)
        granted = self._claims.steps(states, wanted, allowance)
        served = int((granted > 0).sum())
        if not served:
            return self._moved(states, states, granted=granted, wanted=wanted)
        given_up = False

        def stopped() -> bool:
            return given_up or (allowance.cut is not None and allowance.cut.reason is not None)

        # All steps of a call are handed over at once: each change of thread would cost more than the step's own arithmetic.
        try:
            walked: Walked = await self._off_loop(self._stepper.walk, states, seeds, granted, stopped)
        finally:
            given_up = True
        bill = self._bill(served, walked.asked)
        return self._moved(states, walked.states, bill, walked.failures, walked.taken, wanted, walked.log_ratio)

    def take(self, states: Latents, index: IntArray) -> Latents:
        return states.take(index)

    def concat(self, parts: Sequence[Latents]) -> Latents:
        return joined(parts)

    async def view(self, states: Latents, wants: frozenset[Feature]) -> list[Candidate]:
        """The predicted data, decoded; "latent" and "level" are features."""
        if len(states) == 0:
            return []
        # Where nothing is decoded, there is less to do than to hand it over to the worker.
        shown = self.decoded(states) if self._decode is None else await self._off_loop(self.decoded, states)
        columns: dict[str, Iterable[Any]] = {}
        if "latent" in wants:
            columns["latent"] = states.x
        if "level" in wants:
            columns["level"] = states.level.tolist()
        final = (states.level == self.grid.steps).tolist()
        return [
            Candidate(content=content, kind=self.kind, final=done, features=dict(zip(columns, features, strict=True)))
            for content, done, *features in zip(shown, final, *columns.values(), strict=True)
        ]

    def decoded(self, states: Latents) -> torch.Tensor:
        """What is seen of each sample, [n, ...]: its prediction; a sample that nobody asked about yet shows as it is."""
        shown = chosen(states.asked, states.data, states.x)
        return shown if self._decode is None else self._decode(shown)

    @property
    def needs_for_record(self) -> frozenset[Feature]:
        return frozenset({"level"})

    async def abridged(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Finished samples whole, images under way as thumbnails at a few levels, and nothing else: see `outthink.diffusion.recorded`."""
        wanted = wanted_by_record(candidates, self._recorded)
        kept: list[Candidate] = await self._off_loop(for_record, wanted) if wanted else []
        return kept

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
        log_ratio: FloatArray | None = None,
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
            np.zeros(len(before)) if log_ratio is None else log_ratio,
            cost,
            failures=failures or {},
            short=short,
            untouched=granted == REFUSED,
        )

    async def _off_loop(self, work: Callable[..., Any], *given: Any) -> Any:
        return await off_loop(_WORKER, work, *given)

    def _fresh(self, x: torch.Tensor) -> Latents:
        return Latents.fresh(x.to(self._like.dtype), self.solver.remembers, self._stepper.slopes)
