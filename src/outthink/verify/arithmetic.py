"""Checks the arithmetic that a text writes down. It knows arithmetic, not the problem: it never sees the task's right answer.

Every equation in the text so far is computed exactly (`outthink.verify.equations` says what counts as one). One wrong equation makes the
whole prefix as good as lost; a text without equations gives no reason to believe or to doubt. So the score is a prefix value, the chance
that the work so far is right: it telescopes in a particle filter and ranks finished answers.

Use it for sums and word problems that are worked step by step. It cannot see that the right operation was applied to the wrong numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from outthink.core.cost import Cost
from outthink.core.settings import Fraction
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.equations import Equation, equations
from outthink.verify.live_settings import LiveVerifier
from outthink.verify.numbers import canonical, number


class Arithmetic(LiveVerifier):
    """How much of the written arithmetic holds.

    Attributes:
        right: the score when every equation holds.
        wrong: the score when one does not, or when the answer contradicts the last one.
        neutral: the score of a text without equations.
        check_answer: whether the answer of a finished text must be the last equation's result.
    """

    right: Fraction = 0.99
    wrong: Fraction = 0.01
    neutral: Fraction = 0.5
    check_answer: bool = True

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(kind=ScoreKind.PREFIX_VALUE, partial=True, log_map=LogMap.PROBABILITY)

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        values, notes = np.full(len(candidates), np.nan), []
        for i, candidate in enumerate(candidates):
            if not isinstance(candidate.content, str):
                notes.append("not a text")
                continue
            values[i], note = self.judge(candidate.content, final=candidate.final, answer=candidate.answer)
            notes.append(note)
            # A long text takes a millisecond or two; others may have their turn in between.
            await asyncio.sleep(0)
        return Scores(values, tuple(notes), Cost(verifier_calls=len(candidates)))

    def judge(self, text: str, *, final: bool, answer: str | None) -> tuple[float, str]:
        """Score and note of one text."""
        # The last number of an unfinished text may still grow.
        written = [equation for equation in equations(text) if final or not equation.open]
        if not written:
            return self.neutral, ""
        for equation in written:
            if not equation.right:
                return self.wrong, f"wrong: {equation.text.strip()}"
        if final and self.check_answer and (contradiction := _contradicts(answer, written[-1])):
            return self.wrong, contradiction
        return self.right, f"{len(written)} right"


def _contradicts(answer: str | None, last: Equation) -> str:
    """In what way the answer differs from the last result; "" when it does not, or when it is no number."""
    if answer is None:
        return ""
    said = number(answer)
    if said is None or last.result in (said, said * 100, said / 100):
        return ""
    return f"answer {canonical(said)}, but the last result is {canonical(last.result)}"
