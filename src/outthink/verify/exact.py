"""Compares the answer with the task's right one. An oracle: it reads the reference, and every report says so.

The reference is read by the same rules as the answers, so a whole worked solution ("... #### 42") will do as a reference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import msgspec
import numpy as np

from outthink.core.component import AnswerSettings, Parts, VerifierSettings
from outthink.core.cost import Cost
from outthink.core.errors import Incompatible, explain
from outthink.core.settings import NonNegativeFloat
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Equivalence, LogMap, ScoreKind, Scores, ScoreSpec, Verifier
from outthink.verify.json_fields import JsonFields
from outthink.verify.numbers import number
from outthink.verify.numeric import Numeric
from outthink.verify.plain import Plain
from outthink.verify.symbolic import Symbolic


class Exact(VerifierSettings):
    """1 for the right answer, 0 for another one or none.

    Attributes:
        answer: how answers are read and compared; None: as the recipe's [answer] says, numbers where it says nothing.
        absolute, relative: how far a number may be off and still count; relative to the reference.
    """

    answer: Numeric | Plain | JsonFields | Symbolic | None = None
    absolute: NonNegativeFloat = 0.0
    relative: NonNegativeFloat = 0.0

    def build(self, parts: Parts) -> ExactVerifier:
        how: AnswerSettings = self.answer or parts.answer or Numeric()
        # An answer that the process has found by other rules is looked for again in the text.
        again = self.answer is not None and self.answer != parts.answer
        return ExactVerifier(how, how.build(parts), Fraction(self.absolute), Fraction(self.relative), again)


@dataclass(frozen=True)
class ExactVerifier(Verifier):
    """Live part of `Exact`."""

    how: AnswerSettings
    equivalence: Equivalence
    absolute: Fraction = Fraction(0)
    relative: Fraction = Fraction(0)
    again: bool = False

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=ScoreKind.OUTCOME,
            partial=False,
            log_map=LogMap.PROBABILITY,
            local=not isinstance(self.how, Symbolic),
            reads_reference=True,
        )

    def most(self, task: Task) -> Cost:
        """Also refuses, before anything is spent, a task without a reference."""
        reference_of(task)
        return Cost(verifier_calls=1)

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        text = reference_of(task)
        answer = self.how.extract(text) or text
        # A thread: a user's pattern may take its time.
        found = await asyncio.to_thread(lambda: [self._found(candidate) for candidate in candidates])
        keys = await self.equivalence.keys([*found, Candidate(content=text, answer=answer)], task)
        right = keys[-1]
        if right is None:
            raise Incompatible(
                explain(
                    "The task's reference cannot be read as an answer.",
                    got=text,
                    expected=f"an answer of the kind {self.how.name()!r}",
                    remedy="Correct the reference, or set another [answer].",
                )
            )
        judged = [self._judge(c, key, right, answer) for c, key in zip(found, keys[:-1], strict=True)]
        return Scores(
            np.array([float(ok) for ok, _ in judged]),
            tuple(note for _, note in judged),
            Cost(verifier_calls=len(candidates)),
        )

    def _found(self, candidate: Candidate) -> Candidate:
        """The candidate with its answer, looked for in the text where nobody has."""
        if isinstance(candidate.content, str) and (self.again or candidate.answer is None):
            return msgspec.structs.replace(candidate, answer=self.how.extract(candidate.content))
        return candidate

    def _judge(self, candidate: Candidate, key: Hashable | None, right: Hashable, reference: str) -> tuple[bool, str]:
        if key is None:
            return False, "no answer"
        if key == right:
            return True, ""
        if self.absolute or self.relative:
            said, wanted = number(candidate.answer or ""), number(reference)
            if said is not None and wanted is not None:
                return abs(said - wanted) <= max(self.absolute, self.relative * abs(wanted)), ""
        return False, ""


def reference_of(task: Task) -> str:
    """The task's right answer. Raises `Incompatible` where it has none."""
    if task.reference is None or not task.reference.strip():
        raise Incompatible(
            explain(
                "This verifier compares with the right answer, and the task has none.",
                got="no reference",
                expected="Task(reference=...)",
                remedy="Give the task a reference, or use a verifier that needs none, such as 'arithmetic'.",
            )
        )
    return task.reference
