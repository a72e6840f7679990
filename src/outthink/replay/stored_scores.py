"""Scores that were paid for before, as a verifier: what a pool's candidates were given, billed again to whoever asks.

    StoredScores(reward_model.spec, {"7*3=21\\n...": StoredScore(0.93, cost)})

Keyed by content, since equal texts are judged alike; a text that was never judged is an error and no guess. A text that was drawn and
judged several times has a list of judgements: asked for the first time it costs what the first one cost, then what the second one did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.cost import ZERO, Cost, total_of
from outthink.core.errors import VerifierError, explain
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Scores, ScoreSpec, Verifier


@dataclass(frozen=True)
class StoredScore:
    """One judgement: the score, nan for no opinion, what it cost, and what was noted."""

    value: float
    cost: Cost = ZERO
    note: str = ""


class StoredScores(Verifier):
    """Gives each candidate the score that its content was given before."""

    __slots__ = ("_asked", "_most", "_scores", "_spec")

    def __init__(self, spec: ScoreSpec, scores: Mapping[str, StoredScore | Sequence[StoredScore]]) -> None:
        self._spec = spec
        self._scores = {text: (one,) if isinstance(one, StoredScore) else tuple(one) for text, one in scores.items()}
        self._asked: Counter[str] = Counter()
        costs = [score.cost for several in self._scores.values() for score in several]
        # The dearest judgement of the pool bounds every other: column by column, since no single one need be dearest in all.
        self._most = Cost(
            input_tokens=max((c.input_tokens - c.cached_input_tokens for c in costs), default=0),
            output_tokens=max((c.output_tokens for c in costs), default=0),
            verifier_calls=max((c.verifier_calls for c in costs), default=1),
            calls=max((c.calls for c in costs), default=0),
        )

    @property
    def spec(self) -> ScoreSpec:
        return self._spec

    def most(self, task: Task) -> Cost:
        return self._most

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        """The stored scores. Raises `VerifierError` for a content that was never judged."""
        found = [self._of(candidate) for candidate in candidates]
        return Scores(
            np.array([score.value for score in found], float),
            tuple(score.note for score in found),
            total_of(score.cost for score in found),
        )

    def _of(self, candidate: Candidate) -> StoredScore:
        several = self._scores.get(candidate.content)
        if not several:
            raise VerifierError(
                explain(
                    "This candidate was never judged.",
                    got=str(candidate.content)[:80],
                    expected="a candidate of the pool that was judged",
                    remedy="Judge the whole pool before replaying it.",
                )
            )
        place = min(self._asked[candidate.content], len(several) - 1)
        self._asked[candidate.content] += 1
        return several[place]
