"""What all reward models have in common, wherever they run: which steps they are shown, and what their numbers become.

A format with marks gives a number for each step. `aggregation` says what they become together, and with it what kind the score is:
a value of the prefix ("last", "min", "product", "mean", or "whole": all of it shown as one step, Puri et al.'s best), or the reward of the
last step alone ("step"). A format without marks gives one number for a finished answer: an outcome.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta

from outthink.core.component import VerifierSettings
from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import Failure, SettingsError, explain
from outthink.core.settings import Positive
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.numerics.types import FloatArray
from outthink.verify.aggregated import aggregate
from outthink.verify.asking import text_of
from outthink.verify.one_by_one import OneByOne
from outthink.verify.readings import Rating
from outthink.verify.reward_formats import RewardFormat, clean_steps, find_format

_BLANK_LINES = re.compile(r"\n{2,}")


class RewardSettings(VerifierSettings):
    """Base of reward models.

    Attributes:
        model: which model.
        format: how it is asked: a built-in format by name, or one of your own.
        aggregation: what the numbers of all steps become together; without meaning for formats that rate whole answers.
        split: where a text is cut into steps; "" for the steps that the process made.
        candidate_tokens: the longest candidate that is rated, marks included; a longer one fails by itself. Promised to the budget for
            every candidate.
    """

    model: Annotated[str, Meta(min_length=1)]
    format: str | RewardFormat = "outcome"
    aggregation: Literal["last", "min", "product", "mean", "whole", "step"] = "last"
    split: str = ""
    candidate_tokens: Positive = 1024

    def check(self) -> None:
        if self.form.squash == "none" and self.aggregation == "product" and self.form.step_wise:
            raise SettingsError(
                explain(
                    "Scores without bounds are not multiplied.",
                    got='squash = "none" with aggregation = "product"',
                    expected="probabilities",
                    remedy='Set the format\'s squash to "sigmoid", or another aggregation.',
                )
            )

    @property
    def form(self) -> RewardFormat:
        """The format itself."""
        return find_format(self.format)

    @property
    def what(self) -> ScoreSpec:
        """What the scores are."""
        form = self.form
        bounded = form.squash != "none"
        kind = ScoreKind.OUTCOME
        if form.step_wise:
            kind = ScoreKind.STEP_REWARD if self.aggregation == "step" else ScoreKind.PREFIX_VALUE
        return ScoreSpec(
            kind=kind,
            partial=form.step_wise,
            low=0.0 if bounded else -np.inf,
            high=1.0 if bounded else np.inf,
            log_map=LogMap.PROBABILITY if bounded else LogMap.RAW,
            wants=frozenset({"steps"}) if self.uses_steps and not self.split else frozenset(),
            local=False,
        )

    @property
    def uses_steps(self) -> bool:
        """Whether an answer is shown in steps."""
        return self.form.step_wise and self.aggregation != "whole"

    def steps(self, candidate: Candidate) -> tuple[str, ...] | Failure:
        """The candidate in steps, as the model is shown it; none where it says nothing yet."""
        text = text_of(candidate)
        if isinstance(text, Failure):
            return text
        if not self.uses_steps:
            return clean_steps([_BLANK_LINES.sub("\n", text) if self.form.step_wise else text])
        if self.split:
            return clean_steps(text.split(self.split))
        return clean_steps(candidate.features.get("steps", (text,)))

    def read(self, rows: FloatArray) -> FloatArray:
        """What a head said, [steps, classes], as one score a step, [steps]."""
        return self.form.squashed(rows)

    def value(self, rows: FloatArray) -> float:
        """The score of one candidate by what the head said, [steps, classes]."""
        each = self.read(rows)
        if self.aggregation == "step" or self.aggregation == "whole" or not self.uses_steps:
            return float(each[-1])
        return aggregate(each, self.aggregation, LogMap.PROBABILITY)


@dataclass(frozen=True)
class Rated:
    """What a model said of some answers, in order, and what that cost. None: a cut came before the rating."""

    ratings: Sequence[Rating | Failure | None]
    cost: Cost = ZERO
    uncertain: Cost = ZERO


@dataclass(frozen=True)
class RewardVerifier(OneByOne):
    """Live part of reward models; subclasses say how a model is asked."""

    settings: RewardSettings

    @property
    def spec(self) -> ScoreSpec:
        return self.settings.what

    @abstractmethod
    async def ratings(self, task: Task, answers: Sequence[tuple[str, ...]]) -> Rated:
        """What the model says of these answers, each in steps and none of them empty."""

    async def ratings_until(self, task: Task, answers: Sequence[tuple[str, ...]], cut: Cut | None) -> Rated:
        """`ratings`, given up when `cut` fires. One that asks for each answer by itself keeps what has come."""
        (rated,) = await gather_until(cut, [self.ratings(task, answers)])
        n = len(answers)
        return Rated([None] * n, uncertain=self.most(task).times(n)) if rated is None else rated

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        values, notes = np.full(len(candidates), np.nan), [""] * len(candidates)
        failures: dict[int, Failure] = {}
        asked: dict[int, tuple[str, ...]] = {}
        for i, candidate in enumerate(candidates):
            steps = self.settings.steps(candidate)
            if isinstance(steps, Failure):
                failures[i] = steps
            elif steps:
                asked[i] = steps
            else:
                notes[i] = "nothing to rate"
        rated = await self.ratings_until(task, list(asked.values()), cut) if asked else Rated(())
        unjudged: set[int] = set()
        for i, rating in zip(asked, rated.ratings, strict=True):
            if rating is None:
                unjudged.add(i)
                continue
            if isinstance(rating, Failure):
                failures[i] = rating
                continue
            values[i] = self.settings.value(rating.rows)
            if len(rating.rows) > 1:
                shown = " ".join(f"{value:.2f}" for value in self.settings.read(rating.rows))
                notes[i] = f"steps: {shown}"
        cost = rated.cost + Cost(verifier_calls=len(candidates) - len(unjudged))
        return Scores(values, tuple(notes), cost, failures, rated.uncertain, frozenset(unjudged))
