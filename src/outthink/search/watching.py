"""What the user should know about a population: rejected by all, carried by few, a verifier that only shouts, a generator without chance.

Each is said once. Effective sample sizes see weights only, so the founding members that still have descendants are counted beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.run import Run
from outthink.core.task import Candidate
from outthink.numerics.log_weights import effective_sample_size
from outthink.numerics.types import FloatArray, IntArray
from outthink.search.resampling_policy import Annealing, Early

COLLAPSED_SHARE, COLLAPSED_STEPS = 0.1, 3
SATURATED_SHARE = 0.5
EQUAL_COPIES = 16
SETTLED = -1
FEW = 4
SHORT_SHARE = 0.25


@dataclass(frozen=True)
class Watched(Saved):
    """What has been noticed so far.

    Attributes:
        lean: consecutive steps with an effective sample size under a tenth.
        clipped, judged: scores that were clipped away from 0 or 1, of how many.
        equal: copies of one parent that took the same step; -1 once any two have differed, or once it was said.
    """

    lean: int = 0
    clipped: int = 0
    judged: int = 0
    equal: int = 0

    def weights(self, log_w: FloatArray, step: int, distinct: Callable[[], int], run: Run) -> Watched:
        """Say so when every member is rejected, or when few carry all the weight for long. `log_w` [n] nats.

        `distinct`: counts the founding members that still have descendants.
        """
        if not np.isfinite(log_w).any():
            run.warn(
                f"Every member was rejected at step {step}: all weights are zero. Raise n, lower the twist's strength, or start again "
                "with another seed."
            )
            return self
        lean = self.lean + 1 if effective_sample_size(log_w) < COLLAPSED_SHARE * len(log_w) else 0
        if lean == COLLAPSED_STEPS:
            run.warn(
                f"The effective sample size was under {COLLAPSED_SHARE:.0%} for {lean} steps ({distinct()} distinct ancestors left). "
                "Raise n, lower the twist's strength, or anneal the resampling."
            )
        return self if lean == self.lean else replace(self, lean=lean)

    def clips(self, clipped: int, log_score: FloatArray, run: Run) -> Watched:
        """Count clipped scores, and say so the first time. `log_score` [n]: nan for none."""
        judged = len(log_score) - int(np.count_nonzero(np.isnan(log_score)))
        if clipped and not self.clipped:
            run.warn(f"{clipped} of {judged} scores were exactly 0 or 1 and clipped before taking their logarithm.")
        return replace(self, clipped=self.clipped + clipped, judged=self.judged + judged)

    def at_end(self, run: Run) -> None:
        """Say how much of the scoring was saturated."""
        if self.judged and self.clipped > SATURATED_SHARE * self.judged:
            run.warn(
                f"{self.clipped} of {self.judged} scores ({self.clipped / self.judged:.0%}) stood at the bound: weights look even where "
                "the verifier says nothing. Use a softer verifier, or lower the twist's strength."
            )

    async def divergence(self, before: Batch, after: Batch, run: Run) -> Watched:
        """Say so when copies of one parent take the same step time after time: then forking buys nothing."""
        if self.equal == SETTLED:
            return self
        if len(set(before.id.tolist())) == len(before):
            return self
        moved = np.flatnonzero(before.id != after.id)
        _, inverse, counts = np.unique(before.id[moved], return_inverse=True, return_counts=True)
        at = moved[counts[inverse] > 1]
        if len(at) == 0:
            return self
        copies = after.take(at)
        seen = await run.view(copies)
        first: dict[int, int] = {}
        equal = self.equal
        for i, parent in enumerate(before.id[at].tolist()):
            j = first.setdefault(parent, i)
            if i == j:
                continue
            if not _alike(seen[i], seen[j], copies, i, j):
                return replace(self, equal=SETTLED)
            equal += 1
        if equal < EQUAL_COPIES:
            return replace(self, equal=equal)
        run.warn(
            f"All of {equal} copies took the same step as their siblings: the generator looks deterministic, and copies buy nothing. Raise "
            "its temperature; a look ahead can keep its step (reuse) at half the cost."
        )
        return replace(self, equal=SETTLED)


NOTHING = Watched()
"""Nothing has been noticed yet."""


def _alike(one: Candidate, two: Candidate, batch: Batch, i: int, j: int) -> bool:
    if one.final != two.final:
        return False
    if one.kind in ("tensor", "image"):
        dumps = [batch.process.dump(batch.process.take(batch.states, np.array([k]))) for k in (i, j)]
        return dumps[0] == dumps[1]
    return bool(one.content == two.content)


def tell_of_size(annealing: Annealing, n: int, run: Run) -> None:
    """Say so when there are too few members to anneal."""
    if isinstance(annealing, Early) and 1 < n < FEW:
        run.warn(
            f"With n = {n} the effective sample size takes few values, and annealing has little room. Raise n to {FEW} or more."
        )


def tell_of_length(annealing: Annealing, steps: IntArray, run: Run) -> None:
    """Say so when answers were much shorter than the horizon that annealing was told. `steps` [m]: of the finished members."""
    if isinstance(annealing, Early) and len(steps) and np.median(steps) < SHORT_SHARE * annealing.horizon:
        run.warn(
            f"The median answer took {np.median(steps):g} steps and the annealing's horizon is {annealing.horizon}, so it acted on the "
            "whole run. Set the horizon to the longest answer's steps."
        )
