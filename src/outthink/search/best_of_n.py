"""Best-of-n: draw n whole samples and keep the one that the verifier likes best.

The baseline of everything. `select = "weighted"` sums the scores of equivalent answers first and returns the best member of the best
class. Works with any process, also one that cannot be continued or forked. If unsure: n = 8 and "argmax".

Source: spec 05, best-of-n and weighted best-of-n (Snell et al. 2024; search-and-learn).
"""

from __future__ import annotations

from typing import ClassVar, Literal

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.errors import Incompatible, explain
from outthink.core.key import Key
from outthink.core.run import Run
from outthink.core.settings import Positive
from outthink.core.verifier import ScoreSpec
from outthink.search.drawn import Drawn, Scale, Ties, vote_weights


class BestOfN(Algorithm[Drawn]):
    """Draw n complete candidates and keep the one the verifier likes best.

    Attributes:
        n: members.
        select: "argmax" of the scores, or "weighted": the class of equivalent answers with the largest sum of scores.
        scale: for "weighted": scores as they are (they must not be negative), or "min-max" normalised over the n samples.
        ties: equal scores go to the lowest index ("first"), or to one at random by the run's seed.
    """

    n: Positive = 8
    select: Literal["argmax", "weighted"] = "argmax"
    scale: Scale = "raw"
    ties: Ties = "first"

    whole_samples: ClassVar[bool] = True

    def check_verifier(self, spec: ScoreSpec | None) -> None:
        if spec is not None and self.select == "weighted" and self.scale == "raw" and spec.low < 0:
            raise negative_votes(self.name(), spec)

    async def init(self, run: Run, key: Key) -> Drawn:
        return await Drawn.fresh(run, self.n, self.ties, key)

    async def step(self, state: Drawn, run: Run, key: Key) -> Drawn:
        return await state.finish(run, key, scored=True, grouped=self.select == "weighted")

    def done(self, state: Drawn) -> bool:
        return not bool(state.batch.alive.any())

    def answer(self, state: Drawn) -> Answer:
        if self.select == "weighted":
            elected = state.elect(vote_weights(state, self.scale))
            if elected.chosen is not None:
                return elected
        return state.best()


def negative_votes(method: str, spec: ScoreSpec) -> Incompatible:
    """The error for scores that cannot be votes as they are."""
    return Incompatible(
        explain(
            f"{method!r} sums scores as votes, and this verifier's scores may be negative.",
            got=f"scores from {spec.low}",
            expected="scores of at least 0",
            remedy='Set scale = "min-max".',
        )
    )
