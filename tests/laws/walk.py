"""A Gaussian random walk whose percentile is known at every step: the world in which a perfect self-evaluation can be written down.

S_t is the sum of t standard normals, the reward of a finished walk of L steps is S_L. Another attempt ends at N(0, L), so the chance to win
or tie is V = Phi(S_L / sqrt(L)), and seen from step t, with L - t steps still to come, V_t = Phi(S_t / sqrt(2 L - t)).

Source: spec 07, checks 4 and 5.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outthink.core import Candidate, Cost
from outthink.core.task import Feature
from outthink.numerics.types import FloatArray, SeedArray
from outthink.testing import ArrayProcess, Prices, ToyStates
from outthink.testing.noise import normals


@dataclass(frozen=True)
class Heights(ToyStates):
    """Walks. `x`: S_t, [n]; `number`: which member it is, drawn at the start, [n]."""

    x: FloatArray
    number: FloatArray


class Walk(ArrayProcess[Heights]):
    """See the module; one denoiser evaluation a step. `steps_of`: steps taken by each member, by its number."""

    states_class = Heights

    def __init__(self, length: int = 10) -> None:
        super().__init__(length, Prices(call=Cost(), step=Cost(denoiser_evals=1)))
        self.steps_of: dict[float, int] = {}

    async def start(self, seeds: SeedArray) -> Heights:
        n = len(seeds)
        return Heights(np.zeros(n, np.int64), np.zeros(n, bool), np.zeros(n), normals(seeds, 1 << 20)[:, 0])

    def draw(self, states: Heights, seeds: SeedArray, counter: int) -> tuple[Heights, FloatArray]:
        for number in states.number.tolist():
            self.steps_of[number] = self.steps_of.get(number, 0) + 1
        level = states.level + 1
        x = states.x + normals(seeds, 2 * counter)[:, 0]
        return Heights(level, level >= self.length, x, states.number), np.zeros(len(states))

    async def view(self, states: Heights, wants: frozenset[Feature]) -> list[Candidate]:
        rows = zip(states.x.tolist(), states.level.tolist(), states.done.tolist(), strict=True)
        return [Candidate(content=(x, level), kind="tensor", final=done, answer=f"{x:.6f}") for x, level, done in rows]

    def percentile(self, content: Sequence[Any]) -> float:
        """V_t of what `view` shows."""
        x, level = content
        return phi(float(x) / math.sqrt(2 * self.length - int(level)))


def phi(x: float) -> float:
    """The normal distribution function."""
    return 0.5 * (1.0 + math.erf(x / math.sqrt(2.0)))
