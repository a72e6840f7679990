"""Every version of some whole answers, kept in the order in which they were begun: what refinement chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from outthink.core.algorithm import Answer
from outthink.core.batch import Batch
from outthink.core.key import Key
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.drawn import ABSTAINS, Drawn
from outthink.search.forks import waive


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

    async def judge_once(self, at: IntArray, run: Run) -> Versions:
        """`judge`, for one version of each answer: the others have its score, so that no answer gets a second, lucky judgement.

        Versions that abstain are each judged. Needs `group`.
        """
        first: dict[int, int] = {}
        for i in (*np.flatnonzero(~np.isnan(self.score)).tolist(), *at[self.batch.finished[at]].tolist()):
            if self.group[i] != ABSTAINS:
                first.setdefault(int(self.group[i]), i)
        speaker = np.array([first.get(int(group), i) for i, group in enumerate(self.group.tolist())], np.int64)
        waive(run, self.batch.take(at[speaker[at] != at]))
        judged = await self.judge(at[speaker[at] == at], run)
        score = judged.score.copy()
        finished = at[self.batch.finished[at]]
        score[finished] = score[speaker[finished]]
        return replace(judged, score=score)

    def said_of_equals(self, notes: Sequence[str]) -> list[str]:
        """Notes, [m], where a version of which nothing was said has what was said of an equal one."""
        said: dict[int, str] = {}
        for group, note in zip(self.group.tolist(), notes, strict=True):
            if note and group != ABSTAINS:
                said.setdefault(group, note)
        return [note or said.get(group, "") for group, note in zip(self.group.tolist(), notes, strict=True)]

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
