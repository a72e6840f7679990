"""Every version of some whole answers, kept in the order in which they were begun: what refinement chooses from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from outthink.core.algorithm import Answer
from outthink.core.batch import Batch
from outthink.core.key import Key
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.drawn import ABSTAINS, Drawn


@dataclass(frozen=True)
class Versions(Rows):
    """Versions.

    Attributes:
        chain: whose version it is, [m].
        score: the verifier's, [m]; nan where nobody judged.
        group: class of equal answers, [m]; -1 abstains, and before it is known.
        settled: whether its chain has decided about it, [m].
    """

    batch: Batch
    chain: IntArray
    score: FloatArray
    group: IntArray
    settled: BoolArray

    @classmethod
    def fresh(cls, batch: Batch, chain: IntArray) -> Versions:
        """Versions of which nothing is known yet."""
        m = len(batch)
        return cls(batch, chain, np.full(m, np.nan), np.full(m, ABSTAINS), np.zeros(m, bool))

    async def finish(self, run: Run, key: Key, *, scored: bool) -> Versions:
        """Move those under way to their end; the others stay where and as they are."""
        at = np.flatnonzero(self.batch.alive)
        moved = await run.advance(self.batch.take(at), key, steps=None, scored=scored)
        place = np.arange(len(self))
        place[at] = len(self) + np.arange(len(at))
        return replace(self, batch=self.batch.join(moved.batch).take(place))

    async def judge(self, at: IntArray, run: Run) -> Versions:
        """Score the finished ones among those at `at`."""
        finished = at[self.batch.finished[at]]
        score = self.score.copy()
        score[finished] = await run.score(self.batch.take(finished))
        return replace(self, score=score)

    def best(self) -> Answer:
        """The best score, the earliest on ties."""
        return Answer.argmax(self.batch, self.score)

    def elect(self, voters: BoolArray) -> Answer:
        """The answer that most of the voters give, [m] a mask; ties to the class seen first. Nobody abstaining has a vote."""
        drawn = Drawn(self.batch, self.score, self.group, np.arange(len(self)))
        return drawn.elect(voters.astype(np.float64))

    def newest(self, current: IntArray) -> Answer:
        """The first of `current` that is finished: for when nobody's answer can be compared."""
        finished = current[self.batch.finished[current]]
        if len(finished) == 0:
            return self.best()
        weights = np.zeros(len(self))
        weights[finished[0]] = 1.0
        return Answer(self.batch, weights, self.score, int(finished[0]), agreement=0.0)
