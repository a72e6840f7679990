"""n whole samples and what is known about each: shared by best-of-n and vote."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Answer
from outthink.core.batch import Batch
from outthink.core.key import Key
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.numerics.types import FloatArray, IntArray
from outthink.numerics.votes import min_max_weights

Ties = Literal["first", "random"]
Scale = Literal["raw", "min-max"]

ABSTAINS = -1


@dataclass(frozen=True)
class Drawn(Rows):
    """Whole samples.

    Attributes:
        score: the verifier's, [n]; nan where nobody judged.
        group: class of equivalent answers, numbered by first appearance, [n]; -1 abstains.
        priority: order in which ties are broken, [n]; lower wins.
    """

    batch: Batch
    score: FloatArray
    group: IntArray
    priority: IntArray
    redrawn: int = 0

    shared: ClassVar[tuple[str, ...]] = ("redrawn",)

    @classmethod
    async def fresh(cls, run: Run, n: int, ties: Ties, key: Key) -> Drawn:
        """n members that have not begun."""
        batch = await run.start(n, key)
        order = np.arange(n) if ties == "first" else key.child("ties").rng().permutation(n)
        return cls(batch, np.full(n, np.nan), np.full(n, ABSTAINS), order)

    async def finish(self, run: Run, key: Key, *, scored: bool, grouped: bool, steps: int | None = None) -> Drawn:
        """Move every member to its end, or on by so many steps; judge those that are finished, and name their answers."""
        moved = await run.advance(self.batch, key, steps=steps, scored=scored)
        drawn = replace(self, batch=moved.batch)
        if scored:
            # Unfinished members cannot be chosen, so judging them would be money for nothing.
            at, score = np.flatnonzero(moved.batch.finished), np.full(len(self), np.nan)
            score[at] = await run.score(moved.batch.take(at))
            drawn = replace(drawn, score=score)
        if grouped:
            drawn = replace(drawn, group=group_of(await run.answer_keys(moved.batch)))
        return drawn

    def best(self) -> Answer:
        """The best score; ties by priority."""
        order = np.argsort(self.priority)
        answer = Answer.argmax(self.batch.take(order), self.score[order])
        if answer.chosen is None:
            return Answer(self.batch, np.zeros(len(self)), self.score, None)
        chosen = int(order[answer.chosen])
        weights = np.zeros(len(self))
        weights[chosen] = 1.0
        return Answer(self.batch, weights, self.score, chosen)

    def elect(self, votes: FloatArray) -> Answer:
        """The class with the most votes, [n] one vote a member, ties to the class whose first member has priority.

        Its heaviest vote speaks for it. Members that abstain, failed or are unfinished have no vote.
        """
        counts = np.where((self.group != ABSTAINS) & self.batch.finished, votes, 0.0)
        total = counts.sum()
        if total <= 0:
            return Answer(self.batch, np.zeros(len(self)), self.score, None, agreement=0.0)
        order = np.argsort(self.priority)
        classes: dict[int, float] = {}
        for i in order.tolist():
            if counts[i] > 0:
                classes[int(self.group[i])] = classes.get(int(self.group[i]), 0.0) + float(counts[i])
        winner = max(classes, key=lambda g: classes[g])
        members = [i for i in order.tolist() if self.group[i] == winner and counts[i] > 0]
        chosen = max(members, key=lambda i: counts[i])
        return Answer(self.batch, counts / total, self.score, chosen, agreement=classes[winner] / float(total))


def group_of(keys: Sequence[Hashable | None]) -> IntArray:
    """Classes of equal keys, numbered by first appearance, [n]; -1 for None."""
    seen: dict[Hashable, int] = {}
    return np.array([ABSTAINS if key is None else seen.setdefault(key, len(seen)) for key in keys], dtype=np.int64)


def vote_weights(drawn: Drawn, scale: Scale) -> FloatArray:
    """Scores as votes, [n]: as they are, or min-max normalised over the members that have one (all equal: 1 each).

    No opinion is no vote. Source: spec 05, weighted best-of-n, conventions (a) and (b).
    """
    known = ~np.isnan(drawn.score) & drawn.batch.finished
    votes = np.zeros(len(drawn))
    if known.any():
        votes[known] = drawn.score[known] if scale == "raw" else min_max_weights(drawn.score[known])
    return votes
