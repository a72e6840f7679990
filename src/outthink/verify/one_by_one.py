"""Verifiers that get through their candidates one at a time, so that a cut costs them only those that were not through."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from outthink.core.cut import Cut
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
