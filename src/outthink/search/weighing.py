"""What particle filters, Gibbs samplers and tempering share: how a score becomes a weight, and which member is the answer."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar, Literal, TypeVar

import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.errors import Incompatible, explain
from outthink.core.run import Run
from outthink.core.settings import Positive
from outthink.core.verifier import LogMap, ScoreKind, ScoreSpec, to_log
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.search.drawn import ABSTAINS
from outthink.search.twists import AnyTwist, Difference

A = TypeVar("A")

MAPS = {"logit": LogMap.ODDS, "prob": LogMap.PROBABILITY, "raw": LogMap.RAW}


class Weighing(Algorithm[A]):
    """Base of the methods that weigh members step by step.

    Attributes:
        n: members.
        every: steps between two looks at the verifier.
        twist: what the scores mean and how they steer.
        weight: how a score becomes nats: as the verifier declares, log odds, log probability, or as it is.
        choose: the answer is the finished member with the best last score (as published), the heaviest one, the class of equivalent
            answers with most weight, or one drawn by weight.
    """

    n: Positive = 8
    every: Positive = 1
    twist: AnyTwist = Difference()
    weight: Literal["declared", "logit", "prob", "raw"] = "declared"
    choose: Literal["score", "weight", "vote", "sample"] = "score"

    # The twist says what it takes scores for, and refuses the others.
    score_kinds: ClassVar[frozenset[ScoreKind]] = frozenset(ScoreKind)

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is None:
            return
        self.twist.check_kind(spec.kind)
        if spec.relative:
            raise Incompatible(
                explain(
                    f"{self.name()!r} weighs scores of different steps, and this verifier only compares candidates of one call.",
                    got="relative scores",
                    expected="a verifier whose scores keep their meaning from call to call",
                    remedy="Use another verifier, or 'best-of-n' with this one.",
                )
            )

    def to_nats(self, score: FloatArray, run: Run) -> tuple[FloatArray, int]:
        """Scores as log-weights, [n], and how many had to be clipped away from 0 or 1."""
        declared = run.verifier.spec.log_map if run.verifier is not None else LogMap.RAW
        return to_log(score, MAPS.get(self.weight, declared))

    def chosen(self, answer: Answer, group: IntArray, point: float, eligible: BoolArray) -> Answer:
        """The same answer with the member that `choose` asks for.

        Args:
            group: class of equivalent answers, [n]; -1 abstains.
            point: a uniform number in [0, 1), for "sample".
            eligible: finished members that may be chosen by their score, [n].
        """
        if answer.chosen is None or self.choose == "weight":
            return answer
        if self.choose == "score":
            if not eligible.any():
                return answer
            rank = np.where(eligible & ~np.isnan(answer.scores), answer.scores, -np.inf)
            best = np.flatnonzero(eligible & (rank == rank[eligible].max()))
            return replace(answer, chosen=int(best[np.argmax(answer.weights[best])]))
        if self.choose == "sample":
            mass = np.cumsum(np.where(answer.batch.finished, answer.weights, 0.0))
            return replace(answer, chosen=int(np.searchsorted(mass, point * mass[-1], side="right")))
        return _elected(answer, group)


def _elected(answer: Answer, group: IntArray) -> Answer:
    votes = np.where(group != ABSTAINS, answer.weights, 0.0)
    if votes.sum() <= 0:
        return answer
    totals = np.bincount(group[votes > 0], weights=votes[votes > 0])
    winner = int(np.argmax(totals))
    members = np.flatnonzero(group == winner)
    chosen = int(members[np.argmax(votes[members])])
    return replace(answer, chosen=chosen, agreement=float(totals[winner] / votes.sum()))
