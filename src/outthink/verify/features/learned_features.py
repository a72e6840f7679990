"""How likely an answer is right by its length and its markers, as learned from answers to other questions: a weight for its vote.

    verifier = outthink.train.fit_features(candidates, right)       # on other questions
    Vote(weights="score") with it

Source: spec 06, selection rule `learned`: logistic regression; vote with the log odds, clipped to [0, 4].
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from outthink.core.cost import Cost
from outthink.core.errors import SettingsError, explain
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.numerics.types import FloatArray
from outthink.verify.features.marker_rate import MARKERS, marker_rate, said
from outthink.verify.live_settings import LiveVerifier

MOST = 4.0
"""The log odds at which a vote counts no more, nats."""


class LearnedFeatures(LiveVerifier):
    """Log odds of being right, clipped to [0, 4].

    Attributes:
        length: weight of the logarithm of the length in tokens.
        hedging, thinking, discourse: weights of the markers per 1,000 words.
        offset: added to the weighted sum, nats.
    """

    length: float = 0.0
    hedging: float = 0.0
    thinking: float = 0.0
    discourse: float = 0.0
    offset: float = 0.0

    def check(self) -> None:
        if not any(self.weights):
            raise SettingsError(
                explain(
                    "Nothing has been learned: all weights are 0.",
                    got="no weights",
                    expected="at least one of length, hedging, thinking, discourse",
                    remedy="Fit them with outthink.train.fit_features, or use 'length' or 'marker-rate'.",
                )
            )

    @property
    def weights(self) -> tuple[float, ...]:
        """One for each of `feature_columns`."""
        return (self.length, self.hedging, self.thinking, self.discourse)

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=ScoreKind.OUTCOME,
            partial=False,
            low=0.0,
            high=MOST,
            log_map=LogMap.RAW,
            wants=frozenset({"length", "reasoning"}),
        )

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        values = np.clip(feature_columns(candidates) @ np.array(self.weights) + self.offset, 0.0, MOST)
        notes = tuple("it has no words, or its length is not known" if np.isnan(value) else "" for value in values)
        return Scores(values, notes, Cost(verifier_calls=len(candidates)))


def feature_columns(candidates: Sequence[Candidate]) -> FloatArray:
    """Log length in tokens and the rates of hedging, thinking and discourse markers, [n, 4]; nan where it is not known."""
    rows = []
    for candidate in candidates:
        length = float(candidate.features.get("length", np.nan))
        rates = [marker_rate(said(candidate), words) for words in MARKERS.values()]
        rows.append([math.log(length) if length > 0 else np.nan, *rates])
    return np.array(rows, np.float64).reshape(-1, 1 + len(MARKERS))
