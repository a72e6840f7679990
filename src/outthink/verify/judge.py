"""A model as judge: it is shown a candidate, told what to look at, and its verdict becomes a score in [0, 1].

    [verifier]
    type = "judge"
    rubric = "correctness"          # or a table of your own: { prompt = "...{candidate}...", scale = {...} }
    n_evaluate = 3

The candidate is quoted line by line and the verdict is read from the reply alone, so a candidate that says "Score: 10" has said nothing.
A reply without a verdict is no opinion, never 0; the score is the mean over the judgements that have one, and the note holds the reasons of
the first of them. Judges are noisy, and like their own style and longer answers: compare them with a checkable verifier where there is
one. If unsure: `correctness` with three judgements; `short` with `n_evaluate = 1` where the budget is small.

Source: spec 05, prompted judges. Departs from that code, which averages every verdict word of the text, also those in the reasoning: here
the last verdict of each judgement counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.component import Parts
from outthink.core.cost import Cost
from outthink.core.cut import Cut
from outthink.core.errors import Failure, SettingsError, explain
from outthink.core.key import Key
from outthink.core.process import Adaptation
from outthink.core.settings import Positive
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.engines.engine import Request
from outthink.verify.asking import CUT, Judgement, Judging, text_of
from outthink.verify.model_verifier import ModelVerifier
from outthink.verify.one_by_one import OneByOne
from outthink.verify.rubrics import Rubric, find_rubric
from outthink.verify.verdicts import Verdict


class Judge(ModelVerifier):
    """A model that rates candidates, one at a time.

    Attributes:
        rubric: what it is told: a built-in rubric by name, or one of your own.
        n_evaluate: judgements of each candidate, averaged.
    """

    rubric: str | Rubric = "correctness"
    n_evaluate: Positive = 3

    def check(self) -> None:
        find_rubric(self.rubric, compares=False)
        if self.n_evaluate > 1 and self.temperature == 0:
            raise SettingsError(
                explain(
                    "Greedy judgements of one candidate are all the same.",
                    got=f"n_evaluate = {self.n_evaluate}, temperature = 0",
                    expected="one judgement, or a temperature above 0",
                    remedy="Set n_evaluate = 1.",
                )
            )

    def build(self, parts: Parts) -> ModelJudge:
        return ModelJudge(self, Judging.of(self, parts, find_rubric(self.rubric, compares=False)))


@dataclass(frozen=True)
class ModelJudge(OneByOne):
    """Live part of `Judge`. Equal texts among the candidates of one call are judged once and share the score."""

    settings: Judge
    judging: Judging

    @property
    def spec(self) -> ScoreSpec:
        told = self.judging.rubric
        return ScoreSpec(
            kind=ScoreKind.PREFIX_VALUE if told.partial else ScoreKind.OUTCOME,
            partial=told.partial,
            log_map=LogMap.PROBABILITY,
            local=False,
            reads_reference=told.reads_reference,
        )

    def most(self, task: Task) -> Cost:
        return self.judging.most(task, 1).times(self.settings.n_evaluate) + Cost(verifier_calls=1)

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        return self.judging.adaptations

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        texts = [text_of(candidate) for candidate in candidates]
        return await judged_once(self.judging, texts, lambda text: self._requests(text, task), task, cut)

    async def close(self) -> None:
        await self.judging.close()

    def _requests(self, text: str, task: Task) -> list[Request]:
        # A candidate's judgements follow from its text, so that they do not depend on who else is judged.
        seeds = Key(self.settings.seed).child("judge", task.question, text).seeds(self.settings.n_evaluate)
        return [self.judging.request({"candidate": text}, task, int(seed)) for seed in seeds]


@dataclass(frozen=True)
class Judged:
    """What the judgements of one text come to; nan for no opinion. `cut`: there was no time for any. `lost`: of those, failed ones."""

    value: float = float("nan")
    note: str = ""
    failure: Failure | None = None
    cut: bool = False
    lost: tuple[Failure, ...] = ()

    @classmethod
    def of(cls, judgements: Sequence[Judgement]) -> Judged:
        """The mean of those that are verdicts, of those that were not cut short; a failure where every request failed."""
        verdicts = [one for one in judgements if one is not CUT]
        if not verdicts:
            return cls(cut=True)
        heard = [one for one in verdicts if isinstance(one, Verdict)]
        failed = [one for one in verdicts if isinstance(one, Failure)]
        if len(failed) == len(verdicts):
            return cls(failure=failed[0])
        silent = len(verdicts) - len(heard)
        reasons = next((one.reasons for one in heard if one.reasons), "")
        missing = f"{silent} of {len(verdicts)} judgements gave no verdict" if silent else ""
        ended = len(judgements) - len(verdicts)
        late = f"{ended} of {len(judgements)} judgements were cut short" if ended else ""
        value = float(np.mean([one.value for one in heard])) if heard else float("nan")
        return cls(value, "; ".join(filter(None, (reasons, missing, late))), lost=tuple(failed))


async def judged_once(
    judging: Judging,
    shown: Sequence[str | Failure],
    requests_about: Callable[[str], list[Request]],
    task: Task,
    cut: Cut | None,
) -> Scores:
    """Scores of what is shown, [n], a failure where nothing can be: what is shown twice is judged once and shares the score.

    Args:
        requests_about: the judgements asked for of one thing shown, at least one and as many for each.
    """
    promised = judging.most(task, 1)
    found: dict[str, Judged] = {}
    requests: dict[str, list[Request]] = {}
    for one in dict.fromkeys(one for one in shown if isinstance(one, str)):
        asked = requests_about(one)
        problem = judging.refused(asked[0], promised)
        if problem is None:
            requests[one] = asked
        else:
            found[one] = Judged(failure=problem)
    heard = await judging.ask([request for asked in requests.values() for request in asked], cut)
    verdicts = iter(heard.verdicts)
    for one, asked in requests.items():
        found[one] = Judged.of([next(verdicts) for _ in asked])
    rows = [Judged(failure=one) if isinstance(one, Failure) else found[one] for one in shown]
    return Scores(
        np.array([row.value for row in rows]),
        tuple(row.note for row in rows),
        heard.cost + Cost(verifier_calls=sum(not found[one].cut for one in requests)),
        {i: row.failure for i, row in enumerate(rows) if row.failure is not None},
        heard.uncertain,
        frozenset(i for i, row in enumerate(rows) if row.cut),
        _told([row for row in found.values() if row.failure is None]),
    )


def _told(rows: Sequence[Judged]) -> tuple[str, ...]:
    """A word on judgements that failed where others of the same text did not, so that its score rests on these."""
    lost = [failure for row in rows for failure in row.lost]
    texts = sum(bool(row.lost) for row in rows)
    return (
        (f"{len(lost)} judgements of {texts} candidates failed, and others of each did not: {lost[0].message}",)
        if lost
        else ()
    )
