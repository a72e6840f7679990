"""Several verifiers as one.

    Combine(of=(Arithmetic(), Confidence()), how="log-sum", weights=(1.0, 0.2))

Ways, over the parts that have an opinion (all silent: no opinion):
- "log-sum": the weighted sum of the scores' logarithms, each by its own map. A part without an opinion adds nothing.
- "product": the product of probabilities, each to the power of its weight. A part without an opinion multiplies by 1.
- "mean": the weighted mean of scores of one range and map, over the parts that spoke.
- "min": the lowest of scores of one range and map.

A part that fails on a candidate fails it: a score with a piece missing cannot be compared with the others. What parts rate must agree:
step rewards, prefix values and outcomes aim at different targets, and mixing them is an error.
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
from outthink.core.errors import Failure, Incompatible, SettingsError, explain
from outthink.core.process import Adaptation
from outthink.core.settings import NonNegativeFloat
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, Scores, ScoreSpec, Verifier, to_log
from outthink.numerics.types import FloatArray
from outthink.verify.arithmetic import Arithmetic
from outthink.verify.confidence import Confidence
from outthink.verify.exact import Exact
from outthink.verify.json_schema_valid import JsonSchemaValid
from outthink.verify.judge import Judge
from outthink.verify.matches_regex import MatchesRegex
from outthink.verify.math_verify import MathVerify
from outthink.verify.one_by_one import OneByOne, scores_of_all
from outthink.verify.pairwise import Pairwise

How = Literal["log-sum", "product", "mean", "min"]
BuiltIn = Exact | MathVerify | MatchesRegex | JsonSchemaValid | Confidence | Arithmetic | Judge | Pairwise


class Combine(VerifierSettings):
    """Several verifiers as one. For verifiers that are no settings (functions, plug-ins) use `Combined` directly.

    Attributes:
        of: the parts, at least two.
        how: which way of combining.
        weights: one for each part; none for 1 each. "min" takes none.
    """

    of: Annotated[tuple[BuiltIn, ...], Meta(min_length=2)]
    how: How = "log-sum"
    weights: tuple[NonNegativeFloat, ...] = ()

    def check(self) -> None:
        _check_weights(len(self.of), self.how, self.weights)

    def build(self, parts: Parts) -> Combined:
        return Combined(tuple(part.build(parts) for part in self.of), self.how, self.weights)


@dataclass(frozen=True)
class Combined(OneByOne):
    """Live part of `Combine`. Raises `Incompatible` when the parts' scores cannot be combined in this way."""

    parts: tuple[Verifier, ...]
    how: How = "log-sum"
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        _check_weights(len(self.parts), self.how, self.weights)
        specs = [part.spec for part in self.parts]
        _agree("kind", [spec.kind for spec in specs], self.how)
        if self.how in ("mean", "min"):
            _agree("map to log space", [spec.log_map for spec in specs], self.how)
            _agree("range", [(spec.low, spec.high) for spec in specs], self.how)
        if self.how == "product" and any((spec.low, spec.high) != (0.0, 1.0) for spec in specs):
            raise Incompatible(
                explain(
                    "A product needs probabilities.",
                    got=[(spec.low, spec.high) for spec in specs],
                    expected="scores between 0 and 1",
                    remedy="Use how = 'log-sum'.",
                )
            )

    @property
    def spec(self) -> ScoreSpec:
        specs = [part.spec for part in self.parts]
        first = specs[0]
        open_ended = self.how == "log-sum"
        return ScoreSpec(
            kind=first.kind,
            partial=all(spec.partial for spec in specs),
            low=-np.inf if open_ended else first.low,
            high=np.inf if open_ended else first.high,
            log_map=LogMap.RAW if open_ended else LogMap.PROBABILITY if self.how == "product" else first.log_map,
            wants=frozenset().union(*(spec.wants for spec in specs)),
            local=all(spec.local for spec in specs),
            reads_reference=any(spec.reads_reference for spec in specs),
            relative=any(spec.relative for spec in specs),
        )

    def most(self, task: Task) -> Cost:
        return total_of(part.most(task) for part in self.parts)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return tuple(one for part in self.parts for one in part.adaptations)

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        """A candidate that some part has not judged when `cut` fires is unjudged; parts that are quick run to their end."""
        all_scores = await scores_of_all(self.parts, candidates, task, cut)
        failures: dict[int, Failure] = {}
        for scores in all_scores:
            failures = {**scores.failures, **failures}
        unjudged = frozenset[int]().union(*(scores.unjudged for scores in all_scores))
        missing = [*failures, *unjudged]
        values = self._combined([np.array(scores.values, dtype=np.float64) for scores in all_scores], missing)
        return Scores(
            values,
            tuple(_note([scores.notes for scores in all_scores], i) for i in range(len(candidates))),
            total_of(scores.cost for scores in all_scores),
            failures,
            total_of(scores.uncertain for scores in all_scores),
            unjudged,
            tuple(said for scores in all_scores for said in scores.warnings),
        )

    async def close(self) -> None:
        for part in self.parts:
            await part.close()

    def _combined(self, columns: list[FloatArray], failed: list[int]) -> FloatArray:
        weights = np.array(self.weights or (1.0,) * len(self.parts))[:, None]
        table = np.array(columns).reshape(len(self.parts), -1)
        table[:, failed] = np.nan
        if self.how == "log-sum":
            table = np.array([to_log(row, part.spec.log_map)[0] for row, part in zip(table, self.parts, strict=True)])
        known = ~np.isnan(table)
        filled = np.where(known, table, 0.0)
        if self.how == "min":
            result = np.where(known, table, np.inf).min(axis=0)
        elif self.how == "product":
            result = np.where(known, filled**weights, 1.0).prod(axis=0)
        else:
            # A weight of 0 silences a part, whatever it says: 0 * -inf is no number.
            heard = np.where(known & (weights > 0), filled, 0.0)
            result = (np.where(weights > 0, weights, 1.0) * heard).sum(axis=0)
            if self.how == "mean":
                total = (weights * known).sum(axis=0)
                result = np.divide(result, total, out=np.full_like(result, np.nan), where=total > 0)
        return np.where(known.any(axis=0), result, np.nan)


def _check_weights(n: int, how: How, weights: Sequence[float]) -> None:
    if weights and (len(weights) != n or how == "min" or not any(weights)):
        raise SettingsError(
            explain(
                "The weights do not fit the parts.",
                got=tuple(weights),
                expected="no weights for 'min'" if how == "min" else f"{n} weights, one of them positive",
                remedy="Leave them out for equal weights.",
            )
        )


def _agree(what: str, found: Sequence[object], how: How) -> None:
    if len(set(found)) > 1:
        raise Incompatible(
            explain(
                f"Verifiers of different {what} cannot be combined by {how!r}.",
                got=[str(one) for one in found],
                expected=f"one {what}",
                remedy="Combine verifiers that rate the same thing, or use how = 'log-sum' for different ranges.",
            )
        )


def _note(notes: Sequence[Sequence[str]], i: int) -> str:
    return "; ".join(said[i] for said in notes if i < len(said) and said[i])
