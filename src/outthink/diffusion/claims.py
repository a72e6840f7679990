"""What steps of a denoiser cost, and what is claimed for them before anything is asked.

A step is charged what it asks: evaluations between its ends, and the one at its end unless that is the last level. The prediction at a
sample's own place is part of the sample, so only a fresh or changed one pays for it first.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

import numpy as np

from outthink.core.cost import Cost
from outthink.core.ledger import Allowance
from outthink.diffusion.latents import Latents
from outthink.diffusion.levels import Grid
from outthink.diffusion.solvers.solver import Solver
from outthink.numerics.types import IntArray

REFUSED = -1
"""Granted to a slot for which nothing useful fitted."""

_CALL = Cost(calls=1)


class Claims:
    """Claims in slot order for samples on one grid. `evaluations`: what asking about one sample once costs."""

    def __init__(self, grid: Grid, solver: Solver, evaluations: int) -> None:
        self._unit = Cost(denoiser_evals=evaluations)
        self._steps = grid.steps
        ends_noisy = grid.levels.sigma[1:] > 0
        going_on = np.arange(1, grid.steps + 1) < grid.steps
        self.of_level: IntArray = np.asarray(solver.between * ends_noisy + going_on, np.int64)
        """Times that the step which leaves each level asks, [steps]."""
        self._of_level: list[int] = self.of_level.tolist()

    def steps(self, states: Latents, wanted: IntArray, allowance: Allowance) -> IntArray:
        """Steps granted to each slot, [n]: as many of those wanted as fit; `REFUSED` for none, 0 where none were wanted."""
        granted = np.zeros(len(states), np.int64)
        at = (wanted > 0).nonzero()[0]
        asks = list(
            zip(self._opening(states)[at].tolist(), states.level[at].tolist(), wanted[at].tolist(), strict=True)
        )
        if len(set(asks)) == 1:
            reach = self._reach(*asks[0])
            each = allowance.claim_each(len(at), fixed=_CALL, unit=self._unit, most=reach[-1], least=reach[0])
            # How many steps each distinct reply pays for: nearly always all slots get the same.
            paid = {got: REFUSED if got is None else bisect_right(reach, got) for got in set(each)}
            granted[at] = [paid[got] for got in each]
            return granted
        for i, ask in zip(at.tolist(), asks, strict=True):
            reach = self._reach(*ask)
            got = self._claim(reach[-1], reach[0], allowance)
            granted[i] = REFUSED if got is None else bisect_right(reach, got)
        return granted

    def _reach(self, opening: int, level: int, steps: int) -> list[int]:
        """Times that one sample has asked after each of its next `steps` steps, [steps], never falling."""
        return list(accumulate(self._of_level[level : level + steps], initial=opening))[1:]

    def whole(self, times: IntArray, wanted: IntArray, allowance: Allowance) -> IntArray:
        """For moves that are made whole or not at all: 1, `REFUSED`, or 0 where none is wanted ([n] of 0 and 1), `times` [n] asked each."""
        granted = np.zeros(len(times), np.int64)
        for i in np.flatnonzero(wanted > 0).tolist():
            granted[i] = REFUSED if self._claim(int(times[i]), int(times[i]), allowance) is None else 1
        return granted

    def _opening(self, states: Latents) -> IntArray:
        return np.asarray(~states.asked & (states.level < self._steps), np.int64)

    def _claim(self, most: int, least: int, allowance: Allowance) -> int | None:
        return allowance.claim(fixed=_CALL, unit=self._unit, most=most, least=least)
