"""Several verifiers that rate the same thing, as one that knows where they disagree.

    [verifier]
    type = "ensemble"
    how = "lower-bound"
    of = [{ type = "reward-head", path = "a.safetensors" }, { type = "reward-head", path = "b.safetensors" }]

A search finds whatever a reward model is wrong about; where several models are wrong in different ways, being cautious where they disagree
takes much of that away. "mean" is the plain average, "min" trusts the strictest, "lower-bound" is the mean less `caution` standard
deviations among the members, never below the range. The note of each candidate says how far they are apart. If unsure: "lower-bound".

`combine` joins verifiers of different things; the members here must agree in kind, range and map to log space, and each must have an
opinion for its part to count. A member that fails on a candidate fails it: a score with a voice missing is no score of the same ensemble.

Sources: Coste et al. 2024, Reward Model Ensembles Help Mitigate Overoptimization (mean, worst case, uncertainty-weighted); Eisenstein et
al. 2024, Helping or Herding?, for what ensembles do not cure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from outthink.core.component import Parts, VerifierSettings
from outthink.core.cost import Cost, total_of
from outthink.core.cut import Cut
from outthink.core.errors import Failure, Incompatible, explain
from outthink.core.process import Adaptation
from outthink.core.settings import NonNegativeFloat
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Scores, ScoreSpec, Verifier
from outthink.numerics.types import FloatArray
from outthink.verify.arithmetic import Arithmetic
from outthink.verify.judge import Judge
from outthink.verify.one_by_one import OneByOne, scores_of_all
from outthink.verify.reward_head import RewardHead
from outthink.verify.reward_model import RewardModel
from outthink.verify.scoring_server import ScoringServer

Way = Literal["mean", "min", "lower-bound"]
Member = RewardModel | ScoringServer | RewardHead | Judge | Arithmetic


class Ensemble(VerifierSettings):
    """Several verifiers of one thing as one. For verifiers that are no settings use `Ensembled` directly.

    Attributes:
        of: the members, at least two.
        how: "mean", "min", or "lower-bound": the mean less `caution` standard deviations.
        caution: standard deviations among the members that are taken off; for "lower-bound".
    """

    of: Annotated[tuple[Member, ...], Meta(min_length=2)]
    how: Way = "lower-bound"
    caution: NonNegativeFloat = 1.0

    def build(self, parts: Parts) -> Ensembled:
        return Ensembled(tuple(member.build(parts) for member in self.of), self.how, self.caution)


@dataclass(frozen=True)
class Ensembled(OneByOne):
    """Live part of `Ensemble`. Raises `Incompatible` for members that rate different things."""

    members: tuple[Verifier, ...]
    how: Way = "lower-bound"
    caution: float = 1.0

    def __post_init__(self) -> None:
        said = [(m.spec.kind.value, m.spec.low, m.spec.high, m.spec.log_map.value) for m in self.members]
        if len(said) < 2 or len(set(said)) > 1:
            raise Incompatible(
                explain(
                    "These verifiers are no ensemble.",
                    got=said,
                    expected="two or more, of one kind, range and map to log space",
                    remedy="Use 'combine' for verifiers of different things; outthink.verify.AtEnd and Aggregated change a score's kind.",
                )
            )

    @property
    def spec(self) -> ScoreSpec:
        first = self.members[0].spec
        specs = [member.spec for member in self.members]
        return ScoreSpec(
            kind=first.kind,
            partial=all(spec.partial for spec in specs),
            low=first.low,
            high=first.high,
            log_map=first.log_map,
            wants=frozenset().union(*(spec.wants for spec in specs)),
            local=all(spec.local for spec in specs),
            reads_reference=any(spec.reads_reference for spec in specs),
            relative=any(spec.relative for spec in specs),
        )

    def most(self, task: Task) -> Cost:
        return total_of(member.most(task) for member in self.members)

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        """A candidate that any member has not judged when `cut` fires is left without a score: a smaller ensemble is another judge."""
        got = await scores_of_all(self.members, candidates, task, cut)
        unjudged = frozenset().union(*(scores.unjudged for scores in got))
        failures: dict[int, Failure] = {}
        for scores in got:
            failures = {**scores.failures, **failures}
        table = np.array([np.asarray(scores.values, dtype=np.float64) for scores in got]).reshape(len(got), -1)
        table[:, [*failures, *unjudged]] = np.nan
        values, apart = self._together(table)
        spoke = (~np.isnan(table)).sum(axis=0)
        notes = tuple(
            f"members {apart[i]:.3g} apart, mean {np.nanmean(table[:, i]):.3g}" if spoke[i] > 1 else ""
            for i in range(len(candidates))
        )
        return Scores(
            values,
            notes,
            total_of(scores.cost for scores in got),
            failures,
            total_of(scores.uncertain for scores in got),
            unjudged,
            tuple(said for scores in got for said in scores.warnings),
        )

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return tuple(one for member in self.members for one in member.adaptations)

    async def close(self) -> None:
        for member in self.members:
            await member.close()

    def _together(self, table: FloatArray) -> tuple[FloatArray, FloatArray]:
        """The ensemble's scores and how far its members are apart (highest less lowest), both [n]; nan where nobody spoke.

        `table`: the members' scores, [members, n].
        """
        known = ~np.isnan(table)
        count = known.sum(axis=0)
        some = count > 0
        filled = np.where(known, table, 0.0)
        with np.errstate(invalid="ignore"):
            mean = filled.sum(axis=0) / np.maximum(count, 1)
            squares = np.where(known, np.square(filled - mean), 0.0).sum(axis=0)
        lowest, highest = np.where(known, table, np.inf).min(axis=0), np.where(known, table, -np.inf).max(axis=0)
        apart = np.where(some, highest - np.where(some, lowest, 0.0), np.nan)
        if self.how == "mean":
            return np.where(some, mean, np.nan), apart
        if self.how == "min":
            return np.where(some, lowest, np.nan), apart
        deviation = np.sqrt(squares / np.maximum(count - 1, 1))
        bound = np.maximum(mean - self.caution * deviation, self.members[0].spec.low)
        return np.where(some, bound, np.nan), apart
