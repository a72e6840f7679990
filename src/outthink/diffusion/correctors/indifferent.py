"""A verifier without an opinion, for methods that need one where the process's own weights say everything. Free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outthink.core.cost import ZERO, Cost
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec, Verifier


class Indifferent(Verifier):
    """0 for every finished candidate, which as a log-weight changes nothing."""

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(kind=ScoreKind.OUTCOME, partial=False, low=0.0, high=0.0, log_map=LogMap.RAW)

    def most(self, task: Task) -> Cost:
        return ZERO

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        return Scores(np.zeros(len(candidates)))
