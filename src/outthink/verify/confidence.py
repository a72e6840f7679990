"""The model's own log-probability of what it wrote, as a score: how sure it was. Free where the engine reports it.

The mean per token compares texts of different length; the sum is the text's log-probability, and as a weight it raises the model's own
distribution to a power. Both are log-weights as they are, in nats, at most 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from outthink.core.cost import Cost
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.live_settings import LiveVerifier


class Confidence(LiveVerifier):
    """Log-probability of the text so far under the model, nats.

    Attributes:
        of: "mean" per token, or the "sum" over the text.
    """

    of: Literal["mean", "sum"] = "mean"

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=ScoreKind.PREFIX_VALUE,
            partial=True,
            low=-np.inf,
            high=0.0,
            log_map=LogMap.RAW,
            wants=frozenset({self._feature}),
        )

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        values = np.array([float(c.features.get(self._feature, np.nan)) for c in candidates])
        notes = tuple("the engine gave no log-probabilities" if np.isnan(value) else "" for value in values)
        # Sums of logarithms of numbers near 1 may round to just above 0.
        return Scores(np.minimum(values, 0.0), notes, Cost(verifier_calls=len(candidates)))

    @property
    def _feature(self) -> str:
        return "mean_log_prob" if self.of == "mean" else "log_prob"
