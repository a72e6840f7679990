"""A set of questions with who marks them: what every source of tasks loads into.

found = Gsm8k(path="gsm8k_test.jsonl", limit=100).load()
found.questions[0].asked              # what a solver sees: no answer, no hidden tests
found.problems                        # rows that became no question, by file and line
found.best_constant()                 # the answer that is right most often, whoever asks: the least a method must beat
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec

from outthink.bench.contest import Question
from outthink.bench.tasks.rows import BadRow


class BestConstant(NamedTuple):
    """The single answer that is right for most questions, and for which share of them; None where answers are no constants."""

    answer: str | None
    share: float


@dataclass(frozen=True)
class TaskSet:
    """Questions of one kind.

    Attributes:
        name: as it stands in tables; every question's `set`, and the beginning of its id.
        questions: the task with its right answer, and who says whether a candidate is right. A solver gets `Question.asked`.
        problems: rows that became no question, before `limit` and `offset` were applied.
        prompt_style: how an answer has to be given to be recognised, to be said to the model; "" where the question says it itself.
        answer: the recipe table `[answer]` that reads and compares answers as the marking does, or as near as a table can.
        origin: where the questions are from: file or data set, revision, digest, seed, versions.
        constants: each question's answer as a class of equal answers; None where an answer can serve no other question.
    """

    name: str
    questions: tuple[Question, ...]
    problems: tuple[BadRow, ...] = ()
    prompt_style: str = ""
    answer: Mapping[str, Any] = field(default_factory=lambda: {"type": "plain"})
    origin: Mapping[str, str] = field(default_factory=dict)
    constants: tuple[str | None, ...] = ()

    def best_constant(self) -> BestConstant:
        """The best answer without looking at the question; ties go to the one that comes first."""
        counts = Counter(one for one in self.constants if one is not None)
        if not counts:
            return BestConstant(None, 0.0)
        answer, count = counts.most_common(1)[0]
        return BestConstant(answer, count / len(self.questions))

    def styled(self) -> tuple[Question, ...]:
        """The questions with the `prompt_style` written behind each prompt, for recipes that say nothing about it themselves."""
        if not self.prompt_style:
            return self.questions
        return tuple(replace(one, task=_styled(one, self.prompt_style)) for one in self.questions)


def _styled(question: Question, style: str) -> Any:
    return msgspec.structs.replace(question.task, prompt=f"{question.task.question.rstrip()}\n\n{style}")
