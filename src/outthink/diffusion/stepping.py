"""One solver step of many samples: asks the network, moves, and asks again where the samples have come to.

A `Stepper` holds what all samples share and changes nothing. It counts what it asks, and names a sample whose numbers are no longer finite:
that sample is lost and the others go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from outthink.core.errors import Failure, Incompatible, explain
from outthink.diffusion.latents import Latents
from outthink.diffusion.levels import Grid, Level
from outthink.diffusion.network import Condition, FieldNetwork, Network, rows
from outthink.diffusion.solvers.solver import Here, Move, Past, Solver
from outthink.diffusion.tensors import noise, spread, wide
from outthink.numerics.types import FloatArray, IntArray, SeedArray

_STEP = 2
"""What a slot's seed is used for within a call: see `outthink.diffusion.moves` for the other uses."""


@dataclass(frozen=True)
class Stepped:
    """n samples one level on.

    Attributes:
        states: the samples. A lost one holds what the step made of it.
        asked: how many samples the network was asked about, over all calls.
        failures: row to failure.
        log_ratio: what the step adds to each log-weight, [n] nats.
    """

    states: Latents
    asked: int
    failures: dict[int, Failure]
    log_ratio: FloatArray


@dataclass(frozen=True)
class Walked(Stepped):
    """n samples some levels on.

    Attributes:
        taken: steps of each sample, [n]: as many as were granted (none where that is not positive), or fewer where the walk was stopped.
    """

    taken: IntArray


class Stepper:
    """Moves samples of one kind down one grid with one solver."""

    def __init__(self, network: Network, grid: Grid, solver: Solver, like: torch.Tensor, condition: Condition) -> None:
        self.network, self.grid, self.solver = network, grid, solver
        self._like, self._condition = like, condition
        self.slopes = 2 if isinstance(network, FieldNetwork) else 0

    def walk(self, states: Latents, seeds: SeedArray, granted: IntArray, stopped: Callable[[], bool]) -> Walked:
        """`granted` [n] steps of n samples, one after the other until `stopped` says so. A lost sample stays where it was lost."""
        asked, failures, log_ratio = 0, dict[int, Failure](), np.zeros(len(states))
        going = granted > 0
        for number in range(int(granted.max(initial=0))):
            if stopped():
                granted = np.minimum(granted, number)
                break
            at = (going & (granted > number)).nonzero()[0]
            if len(at) == 0:
                break
            moved = self.step(states.take(at), seeds[at], number)
            asked += moved.asked
            log_ratio[at] += moved.log_ratio
            for row, failure in moved.failures.items():
                failures[int(at[row])] = failure
                going[at[row]] = False
            states = states.put(at, moved.states)
        return Walked(states, asked, failures, log_ratio, granted)

    def step(self, states: Latents, seeds: SeedArray, number: int = 0, start: Level | None = None) -> Stepped:
        """One step of n samples, none of them at the last level.

        Args:
            number: of the step within a call, so that steps of one call do not share noise.
            start: levels [n] that the samples stand at, in place of those that their numbers name; they remember nothing afterwards.
        """
        here_level = self.grid.at(states.level) if start is None else start
        asked = len(states) - int(np.count_nonzero(states.asked))
        states = self.predicted(states, here_level)

        def ask(x: torch.Tensor, level: Level) -> torch.Tensor:
            nonlocal asked
            asked += len(x)
            return self.data(x, level)

        x = wide(states.x)
        levels = here_level, self.grid.at(states.level + 1)
        here = Here(x, states.data.to(x.dtype), *levels, self._past(states), ask)
        if self.slopes:

            def ask_velocity(x: torch.Tensor, level: Level) -> torch.Tensor:
                nonlocal asked
                asked += len(x)
                return self._said(x, level)[1][:, 0]

            here = replace(here, slopes=states.slopes.to(x.dtype), ask_velocity=ask_velocity)
        move = self.solver.move(here)
        z = noise(seeds, _STEP + (number << 8), x.shape[1:], x) if move.deviation.any() else torch.zeros_like(x)
        # A neighbour keeps its law, so only steps down the grid are proposals.
        moved, ratio = self.drawn(move, z, here) if start is None else drawn(move, z)
        after = self._remembering(states, moved)
        going_on = (after.level < self.grid.steps).nonzero()[0]
        if len(going_on) == len(states):
            after = self._settled(after, moved, here)
        elif len(going_on):
            # Those that have just finished are not asked about.
            on = torch.as_tensor(going_on).to(x.device)
            after = after.put(going_on, self._settled(after.take(going_on), moved[on], here.take(going_on)))
        if start is not None:
            after = replace(after, known=np.zeros(len(after), np.int64))
        return Stepped(after, (asked + len(going_on)) * self.network.evaluations, self._lost(after), ratio)

    def drawn(self, move: Move, z: torch.Tensor, here: Here) -> tuple[torch.Tensor, FloatArray]:
        """Where a step with noise z [n, ...] leads, [n, ...], and what it adds to the log-weights, [n]: here from the solver's own law."""
        return drawn(move, z)

    def predicted(self, states: Latents, level: Level | None = None) -> Latents:
        """The same samples, each with its prediction; those without one are asked about, at `level` [n] or where their numbers say."""
        at = (~states.asked).nonzero()[0]
        if len(at) == 0:
            return states
        part = states.take(at)
        where = self.grid.at(part.level) if level is None else level.take(at)
        data, slopes = self._said(wide(part.x), where)
        type_ = states.x.dtype
        known = replace(part, data=data.to(type_), slopes=slopes.to(type_), asked=np.ones(len(at), bool))
        return known if len(at) == len(states) else states.put(at, known)

    def data(self, x: torch.Tensor, level: Level) -> torch.Tensor:
        """The network's prediction, [n, ...]. Raises `Incompatible` for one of another shape."""
        return self._said(x, level)[0]

    def _said(self, x: torch.Tensor, level: Level) -> tuple[torch.Tensor, torch.Tensor]:
        """Predicted data [n, ...], and velocity and score [n, 2, ...] if the network says them itself, else [n, 0, ...]."""
        given, condition = x.to(self._like.dtype), rows(self._condition, np.zeros(len(x), np.int64))
        if isinstance(self.network, FieldNetwork):
            fields = self.network.fields(given, level, condition)
            for one in (fields.data, fields.velocity, fields.score):
                same_shape(one, x)
            return fields.data, torch.stack([fields.velocity, fields.score], dim=1)
        data = self.network.data(given, level, condition)
        same_shape(data, x)
        return data, data.new_zeros((len(x), 0, *x.shape[1:]))

    def _settled(self, after: Latents, moved: torch.Tensor, here: Here) -> Latents:
        """The samples with the prediction where they have come to, corrected by it if the solver does that."""
        data, slopes = self._said(moved, here.next)
        x = self.solver.settle(moved, data, here)
        type_ = after.x.dtype
        said = {"data": data.to(type_), "slopes": slopes.to(type_)}
        return replace(after, x=x.to(type_), asked=np.ones(len(after), bool), **said)

    def _remembering(self, states: Latents, moved: torch.Tensor) -> Latents:
        """The samples one level on, with their last prediction remembered."""
        h = self.solver.remembers
        x = moved.to(states.x.dtype)
        if h:
            past = torch.cat([states.data[:, None], states.past[:, : h - 1]], dim=1)
            where = np.concatenate([states.level[:, None], states.past_level[:, : h - 1]], axis=1)
            states = replace(states, past=past, past_level=where, known=np.minimum(states.known + 1, h))
        level: IntArray = states.level + 1
        return replace(states, x=x, data=x, level=level, asked=level == self.grid.steps)

    def _past(self, states: Latents) -> Past:
        h = self.solver.remembers
        levels = tuple(self.grid.at(states.past_level[:, i]) for i in range(h))
        return Past(tuple(wide(states.past[:, i]) for i in range(h)), levels, states.known)

    def _lost(self, states: Latents) -> dict[int, Failure]:
        # Sums are finite only where everything in them is; they cost a fraction of looking at each number.
        if not self.slopes and math.isfinite((states.x.sum() + states.data.sum()).item()):
            return {}
        finite = torch.isfinite(states.x) & torch.isfinite(states.data)
        if self.slopes:
            finite &= torch.isfinite(states.slopes).all(dim=1)
        if bool(finite.all()):
            return {}
        bad = np.flatnonzero(~finite.reshape(len(states), -1).all(dim=1).cpu().numpy())
        sigma = self.grid.at(states.level).sigma
        return {
            row: Failure(
                "NotFinite",
                explain(
                    "The network's prediction is not finite.",
                    got=f"nan or inf on the way to level {int(states.level[row])} (sigma = {sigma[row]:.4g})",
                    expected="finite numbers",
                    remedy="Use float32 instead of half precision, more steps, or less noise near the ends.",
                ),
            )
            for row in bad.tolist()
        }


def same_shape(said: torch.Tensor, x: torch.Tensor) -> None:
    """Refuse a prediction of another shape than its samples, by name."""
    if said.shape != x.shape:
        raise Incompatible(
            explain(
                "The network's prediction has another shape than its samples.",
                got=f"{list(said.shape)} for samples of {list(x.shape)}",
                expected=f"{list(x.shape)}",
                remedy="Let the network return one prediction of the sample's own shape; learned variances are cut off first.",
            )
        )


def drawn(move: Move, z: torch.Tensor) -> tuple[torch.Tensor, FloatArray]:
    """A draw from a step's Gaussian, [n, ...], and what the solver says that it adds to the log-weights, [n]."""
    moved = torch.addcmul(move.mean, spread(move.deviation, z), z) if move.deviation.any() else move.mean
    return moved, np.zeros(len(moved)) if move.log_ratio is None else move.log_ratio
