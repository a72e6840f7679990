"""The population of every step-wise search: members under way with what they are ranked by, and those that are complete."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from outthink.core.algorithm import Answer
from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.rows import Rows
from outthink.core.run import Run
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.drawn import ABSTAINS, Drawn, Scale, group_of, vote_weights


@dataclass(frozen=True)
class Beamed(Rows):
    """Members.

    Attributes:
        score: what they are ranked by, [n]; nan for no opinion. With a look ahead it is the score of what lies ahead.
        subtree: which of the independent trees they belong to, [n]; 0 where there is one.
    """

    batch: Batch
    score: FloatArray
    subtree: IntArray


@dataclass(frozen=True)
class Beams(Saved):
    """A search under way.

    Attributes:
        active: members that may have children.
        complete: finished members that count, in the order in which they ended.
        aside: finished members that do not count: they lost to a neighbour, or were only looked ahead to. The answer of last resort.
        group: class of equal answers of `complete`, [c]; -1 abstains, and where nobody votes.
        round: rounds so far.
    """

    active: Beamed
    complete: Beamed
    aside: Beamed
    group: IntArray
    round: int = 0

    @classmethod
    def begin(cls, batch: Batch, subtree: IntArray) -> Beams:
        """Nothing has moved yet."""
        active = Beamed(batch, np.full(len(batch), np.nan), subtree)
        nobody = active.take([])
        return cls(active, nobody, nobody, np.zeros(0, np.int64))

    def put_aside(self, beams: Beamed) -> Beams:
        """The same, with these finished members as last resort."""
        return replace(self, aside=self.aside.join(beams)) if len(beams) else self

    def ended(self, beams: Beamed, over: BoolArray) -> Beams:
        """After a round that left `beams`, [n]: finished ones are complete where their search is `over`, [n], and put aside elsewhere.

        Unfinished ones go on where it is not over, and are let go where it is.
        """
        finished = beams.batch.finished
        after = replace(
            self,
            active=beams.take(beams.batch.alive & ~over),
            complete=self.complete.join(beams.take(finished & over)),
            round=self.round + 1,
        )
        return after.put_aside(beams.take(finished & ~over))

    async def grouped(self, run: Run) -> Beams:
        """The same, knowing which answers are equal."""
        if len(self.group) == len(self.complete):
            return self
        return replace(self, group=group_of(await run.answer_keys(self.complete.batch)))

    def best(self) -> Answer:
        """The best-scored complete member, the first on ties; of those put aside where none is complete."""
        eligible, offset = (self.complete, 0) if len(self.complete) else (self.aside, len(self.complete))
        return self._among_all(Answer.argmax(eligible.batch, eligible.score), offset)

    def elect(self, scale: Scale | None) -> Answer:
        """The answer of most complete members, each counting its score on `scale`, or 1 where None; the best one without votes."""
        group = self.group if len(self.group) == len(self.complete) else np.full(len(self.complete), ABSTAINS)
        drawn = Drawn(self.complete.batch, self.complete.score, group, np.arange(len(self.complete)))
        elected = drawn.elect(np.ones(len(drawn)) if scale is None else vote_weights(drawn, scale))
        return self._among_all(elected, 0) if elected.chosen is not None else self.best()

    def _among_all(self, answer: Answer, offset: int) -> Answer:
        """The answer of some members as one among all candidates."""
        everyone = self.complete.join(self.aside).join(self.active)
        weights = np.zeros(len(everyone))
        weights[offset : offset + len(answer.weights)] = answer.weights
        chosen = None if answer.chosen is None else answer.chosen + offset
        return replace(answer, batch=everyone.batch, weights=weights, scores=everyone.score, chosen=chosen)


def over_when_finished(beams: Beamed) -> BoolArray:
    """Every member is a search of its own, [n]: what is finished is complete, the others go on."""
    return beams.batch.finished


def over_with_the_best(beams: Beamed) -> BoolArray:
    """A subtree is over, [n], once its best member is finished (spec 05, DVTS): then all that it finished in this round is complete."""
    eligible = beams.batch.alive | beams.batch.finished
    over = np.zeros(len(beams), bool)
    for number in np.unique(beams.subtree):
        mine = beams.subtree == number
        at = np.flatnonzero(mine & eligible)
        if len(at) == 0:
            continue
        rank = np.where(np.isnan(beams.score[at]), -np.inf, beams.score[at])
        over[mine] = beams.batch.finished[at[np.argmax(rank)]]
    return over
