"""Minus the length of an answer: the shorter, the better. A selector, not a judgement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from outthink.core.cost import Cost
from outthink.core.task import Candidate, Feature, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.live_settings import LiveVerifier


class Length(LiveVerifier):
    """Minus the length of a finished answer.

    Attributes:
        of: all "tokens" generated, thinking included, or the "words" of the answer without thinking, or those of the "thinking" alone.
    """

    of: Literal["tokens", "words", "thinking"] = "tokens"

    @property
    def spec(self) -> ScoreSpec:
        wants: dict[str, Feature] = {"tokens": "length", "thinking": "reasoning"}
        return ScoreSpec(
            kind=ScoreKind.OUTCOME,
            partial=False,
            low=-np.inf,
            high=0.0,
            log_map=LogMap.RAW,
            wants=frozenset({wants[self.of]} if self.of in wants else ()),
        )

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        values = np.array([-self._length(candidate) for candidate in candidates], np.float64)
        notes = tuple("its length is not known" if np.isnan(value) else "" for value in values)
        return Scores(values, notes, Cost(verifier_calls=len(candidates)))

    def _length(self, candidate: Candidate) -> float:
        if self.of == "tokens":
            return float(candidate.features.get("length", np.nan))
        if self.of == "thinking":
            said = candidate.features.get("reasoning")
            return np.nan if said is None else float(len(str(said).split()))
        return float(len(str(candidate.content).split()))
