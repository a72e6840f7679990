"""Verifiers that get through their candidates one at a time, so that a cut costs them only those that were not through."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from outthink.core.cut import Cut, gather_until
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Scores, Verifier


class OneByOne(Verifier):
    """Base of verifiers with one way of judging, cut or not."""

    __slots__ = ()

    @abstractmethod
    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        """One score a candidate. What has come when `cut` fires is kept, the other rows are `Scores.unjudged`."""

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        return await self.judged(candidates, task, None)

    async def score_until(self, candidates: Sequence[Candidate], task: Task, cut: Cut) -> Scores:
        return await self.judged(candidates, task, cut)


async def scores_of(verifier: Verifier, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
    """What a verifier inside another one says. A quick one runs to its end, cut or not.

    Where one keeps nothing when `cut` fires everyone is unjudged, and nobody knows what it cost: up to all of its price.
    """
    if cut is None or verifier.spec.local:
        return await verifier.score(candidates, task)
    scores = await verifier.score_until(candidates, task, cut)
    if scores is not None:
        return scores
    n = len(candidates)
    return Scores(np.full(n, np.nan), uncertain=verifier.most(task).times(n), unjudged=frozenset(range(n)))


async def scores_of_all(
    verifiers: Sequence[Verifier], candidates: Sequence[Candidate], task: Task, cut: Cut | None
) -> list[Scores]:
    """What several verifiers say of the same candidates, all at once. The error of one ends the others and is raised as it is."""
    found = await gather_until(None, [scores_of(one, candidates, task, cut) for one in verifiers])
    return [scores for scores in found if scores is not None]
