"""Vote (self-consistency): draw n whole samples and return the answer that most of them give.

Answers are compared by the recipe's `[answer]`, so "1/2" and "0.5" can be one answer; a member without an answer abstains and the empty
answer never wins. Needs no verifier; with `weights = "score"` each vote counts as much as the verifier says. If unsure: n = 16, equal.

Source: spec 05, self-consistency (Wang et al. 2022) and weighted majority.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.key import Key
from outthink.core.run import Run
from outthink.core.settings import Count, Positive
from outthink.core.verifier import ScoreSpec
from outthink.search.best_of_n import negative_votes
from outthink.search.drawn import ABSTAINS, Drawn, Scale, Ties, vote_weights


class Vote(Algorithm[Drawn]):
    """Draw n complete candidates and return the most frequent answer.

    Attributes:
        n: members.
        weights: every member counts the same ("equal"), or as much as its score.
        scale: for "score": scores as they are (they must not be negative), or "min-max" normalised over the n samples.
        ties: to the class seen first, or to one at random by the run's seed.
        redraws: how often to draw n more when everyone abstains.
    """

    n: Positive = 16
    weights: Literal["equal", "score"] = "equal"
    scale: Scale = "raw"
    ties: Ties = "first"
    redraws: Count = 0

    whole_samples: ClassVar[bool] = True

    @property
    def needs_verifier(self) -> bool:
        return self.weights == "score"

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is not None and self.weights == "score" and self.scale == "raw" and spec.low < 0:
            raise negative_votes(self.name(), spec)

    async def init(self, run: Run, key: Key) -> Drawn:
        return await Drawn.fresh(run, self.n, self.ties, key)

    async def step(self, state: Drawn, run: Run, key: Key) -> Drawn:
        if not state.batch.alive.any():
            more = await Drawn.fresh(run, self.n, self.ties, key)
            more = replace(more, priority=more.priority + len(state))
            state = replace(state.join(more), redrawn=state.redrawn + 1)
        return await state.finish(run, key, scored=self.needs_verifier, grouped=True)

    def done(self, state: Drawn) -> bool:
        if state.batch.alive.any():
            return False
        return bool((state.group != ABSTAINS).any()) or state.redrawn >= self.redraws

    def answer(self, state: Drawn) -> Answer:
        votes = np.ones(len(state)) if self.weights == "equal" else vote_weights(state, self.scale)
        return state.elect(votes)
