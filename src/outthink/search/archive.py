"""What evolution chooses parents from: every state that stood at a level of the schedule, with what it came to in the end.

The fitness of a state is the score of the finished member that it led to, never of what it looked like on the way. One archive holds all
levels and all generations; states of one level are compared with each other only.

Source: spec 23, He et al. 2025, EvoSearch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outthink.core.batch import Batch
from outthink.core.rows import Rows
from outthink.numerics.types import FloatArray, IntArray


@dataclass(frozen=True)
class Archive(Rows):
    """m stored states.

    Attributes:
        batch: the states, as they stood before the step that leaves their level.
        place: number of the level in the schedule, [m].
        score: of what they came to, [m]; -inf for no opinion.
        founder: which of the first population they descend from, [m].
        member: whose states they are within their generation, [m].
    """

    batch: Batch
    place: IntArray
    score: FloatArray
    founder: IntArray
    member: IntArray

    @classmethod
    def of(cls, batch: Batch, place: int, founder: IntArray, member: IntArray) -> Archive:
        """States at one level, of which it is not known yet what they come to."""
        m = len(batch)
        return cls(batch, np.full(m, place, np.int64), np.full(m, np.nan), founder, member)

    def at(self, place: int) -> IntArray:
        """Rows of the states at a level, in the order in which they came."""
        return np.flatnonzero(self.place == place)


def elites(score: FloatArray, m: int) -> IntArray:
    """Indices of the best m of `score` [n], the earlier one of equals."""
    return np.argsort(-score, kind="stable")[:m]


def tournaments(score: FloatArray, k: int, size: int, rng: np.random.Generator) -> IntArray:
    """Winners of k tournaments among `score` [n], [k]: `size` different contestants each, the best wins, among equals any.

    The j-th best of n different scores wins with probability C(n - j, size - 1) / C(n, size): 1 draws uniformly, n always takes the best.
    """
    contestants = np.argsort(rng.random((k, len(score))), axis=1)[:, :size]
    winners = np.argmax(score[contestants], axis=1)
    return np.asarray(contestants[np.arange(k), winners], np.int64)
