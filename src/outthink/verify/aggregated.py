"""Conversions between kinds of score, each asked for by name: step rewards put together to a value of the prefix, values as outcomes.

    Aggregated(as_verifier(rate_step, kind="step-reward", partial=True, low=0, high=1, log_map="probability"), "product")
    AtEnd(Arithmetic())

A step reward rates the last step of what it is shown. `Aggregated` shows it every prefix that ends with a step, each once, and puts the
rewards together: the "last", the "min", the "product" (of log-weights: the sum) or the "mean". With the product, values aim exactly at the
target that the rewards would aim at under the twist `incremental`; the others are heuristics that rank well. If unsure: "min" for ranking,
"product" for a particle filter. `AtEnd` rates finished answers only, so that a prefix value may stand beside outcomes.

Source: spec 03, score aggregation; spec 05.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from outthink.core.cost import Cost
from outthink.core.cut import Cut
from outthink.core.errors import Failure, Incompatible, SettingsError, explain
from outthink.core.process import Adaptation
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Aggregation, LogMap, Scores, ScoreSpec, Verifier
from outthink.numerics.types import FloatArray
from outthink.verify.one_by_one import OneByOne, scores_of

REMEMBERED = 1 << 16
"""Rewards of prefixes that are remembered; older ones are asked for again."""

Prefix = tuple[str, str, str, bool]
"""Task, text before the last step, last step, and whether it is finished."""


def aggregate(rewards: FloatArray, how: Aggregation, log_map: LogMap) -> float:
    """One value of the rewards of all steps, [t]; nan ones have no say, and nan when none has."""
    known = rewards[~np.isnan(rewards)]
    if len(known) == 0:
        return float("nan")
    if how == "last":
        return float(known[-1])
    if how == "min":
        return float(known.min())
    if how == "mean":
        return float(known.mean())
    return float(known.sum() if log_map is LogMap.RAW else known.prod())


@dataclass(frozen=True)
class Aggregated(OneByOne):
    """Step rewards of `inner` as a value of the prefix.

    Attributes:
        how: how the rewards of all steps are put together.
        max_steps: the most steps of a candidate; a longer one fails by itself. Promised to the budget for every candidate.
    Raises `Incompatible` for an inner verifier that gives no step rewards, cannot rate unfinished candidates, or looks at features that a
    prefix does not have.
    """

    inner: Verifier
    how: Aggregation
    max_steps: int = 40
    _known: OrderedDict[Prefix, float | Failure] = field(default_factory=OrderedDict, repr=False, compare=False)

    def __post_init__(self) -> None:
        spec = self.inner.spec
        spec.aggregated(self.how)
        if self.max_steps < 1:
            raise SettingsError(
                explain("max_steps cannot be that.", got=self.max_steps, expected="at least 1", remedy="Raise it.")
            )
        unseen = spec.wants - {"steps"}
        if not spec.partial or unseen or spec.relative:
            raise Incompatible(
                explain(
                    "This verifier cannot be asked about every step.",
                    got=f"one that looks at {', '.join(sorted(unseen))}"
                    if unseen
                    else "one of whole or of compared candidates",
                    expected="a verifier of texts that rates unfinished candidates one by one",
                    remedy="Declare partial = True if it can.",
                )
            )

    @property
    def spec(self) -> ScoreSpec:
        made = self.inner.spec.aggregated(self.how)
        return ScoreSpec(
            kind=made.kind,
            partial=True,
            low=made.low,
            high=made.high,
            log_map=made.log_map,
            wants=frozenset({"steps"}),
            local=made.local,
            reads_reference=made.reads_reference,
        )

    def most(self, task: Task) -> Cost:
        return self.inner.most(task).times(self.max_steps)

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        """Candidates of which any step is unjudged when `cut` fires are left without a score; the steps that were judged are remembered."""
        paths = [self._path(candidate, task) for candidate in candidates]
        asked: dict[Prefix, Candidate] = {}
        for path in paths:
            if not isinstance(path, Failure):
                asked.update({prefix: shown for prefix, shown in path.items() if prefix not in self._known})
        shown = list(asked.values())
        got = await scores_of(self.inner, shown, task, cut)
        # What this call needs stays at hand even where it is more than is remembered.
        rewards: dict[Prefix, float | Failure] = {
            prefix: self._known[prefix]
            for path in paths
            if not isinstance(path, Failure)
            for prefix in path
            if prefix in self._known
        }
        for i, (prefix, value) in enumerate(zip(asked, got.values, strict=True)):
            if i not in got.unjudged:
                rewards[prefix] = self._known[prefix] = got.failures.get(i, float(value))
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        values, failures, notes = np.full(len(candidates), np.nan), {}, []
        unjudged = frozenset(
            i
            for i, path in enumerate(paths)
            if not isinstance(path, Failure) and any(step not in rewards for step in path)
        )
        for i, path in enumerate(paths):
            if i in unjudged:
                notes.append("")
                continue
            found = [path] if isinstance(path, Failure) else [rewards[prefix] for prefix in path]
            broken = next((one for one in found if isinstance(one, Failure)), None)
            notes.append("" if found else "no steps to rate")
            if broken is not None:
                failures[i] = broken
            else:
                values[i] = aggregate(np.array(found, dtype=np.float64), self.how, self.inner.spec.log_map)
        return Scores(values, tuple(notes), got.cost, failures, got.uncertain, unjudged, got.warnings)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return self.inner.adaptations

    async def close(self) -> None:
        await self.inner.close()

    def _path(self, candidate: Candidate, task: Task) -> dict[Prefix, Candidate] | Failure:
        """Every prefix that ends with a step, in order, as the inner verifier is to see it."""
        steps = tuple(candidate.features.get("steps") or ())
        if len(steps) > self.max_steps:
            return Failure(
                "VerifierError",
                explain(
                    "The candidate has more steps than were promised to the budget.",
                    got=len(steps),
                    expected=f"at most {self.max_steps}",
                    remedy="Raise max_steps.",
                ),
            )
        path: dict[Prefix, Candidate] = {}
        text = ""
        for k, step in enumerate(steps, 1):
            last = k == len(steps)
            final = candidate.final and last
            path[(f"{task.id}\0{task.question}", text, step, final)] = msgspec.structs.replace(
                candidate,
                content=text + step,
                final=final,
                answer=candidate.answer if last else None,
                features={"steps": steps[:k]},
            )
            text += step
        return path


@dataclass(frozen=True)
class AtEnd(Verifier):
    """`inner` for finished answers only, as an outcome. Raises `Incompatible` for step rewards."""

    inner: Verifier

    def __post_init__(self) -> None:
        self.inner.spec.at_end()

    @property
    def spec(self) -> ScoreSpec:
        return self.inner.spec.at_end()

    def most(self, task: Task) -> Cost:
        return self.inner.most(task)

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        return await self.inner.score(candidates, task)

    async def score_until(self, candidates: Sequence[Candidate], task: Task, cut: Cut) -> Scores | None:
        return await self.inner.score_until(candidates, task, cut)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return self.inner.adaptations

    async def close(self) -> None:
        await self.inner.close()
