"""Compares a mathematical answer with the task's right one by meaning, with the library math-verify. An oracle.

Needs `pip install outthink[math]`. Each comparison runs in a worker process and is stopped after `seconds`; what cannot be read as
mathematics is compared as tidied text, and the note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.component import Parts, VerifierSettings
from outthink.core.cost import Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import Failure
from outthink.core.settings import PositiveFloat
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.exact import reference_of
from outthink.verify.extras import require
from outthink.verify.one_by_one import OneByOne
from outthink.verify.pool import WorkerPool, workers
from outthink.verify.symbolic import tidy


class MathVerify(VerifierSettings):
    """1 for an answer that means the same as the reference, 0 for another one or none.

    Attributes:
        seconds: processor seconds for one comparison.
    """

    seconds: PositiveFloat = 3.0

    def build(self, parts: Parts) -> MathVerifier:
        require("math_verify", extra="math", needed_by="the verifier 'math-verify'")
        return MathVerifier(self)


@dataclass(frozen=True)
class MathVerifier(OneByOne):
    """Live part of `MathVerify`. It takes the extracted answer, or the whole text where none was extracted."""

    settings: MathVerify
    pool: WorkerPool | None = None

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=ScoreKind.OUTCOME, partial=False, log_map=LogMap.PROBABILITY, local=False, reads_reference=True
        )

    def most(self, task: Task) -> Cost:
        """Also refuses, before anything is spent, a task without a reference."""
        reference_of(task)
        return Cost(verifier_calls=1)

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        gold = reference_of(task)
        said = [c.answer if c.answer is not None else str(c.content) for c in candidates]
        different = list(dict.fromkeys(said))
        by_answer = dict(
            zip(different, await gather_until(cut, [self._equal(gold, one) for one in different]), strict=True)
        )
        values, notes, failures = np.full(len(said), np.nan), [""] * len(said), {}
        unjudged: set[int] = set()
        for i, answer in enumerate(said):
            reply = by_answer[answer]
            if reply is None:
                unjudged.add(i)
            elif isinstance(reply.verdict, Failure):
                failures[i] = reply.verdict
            elif reply.verdict is None:
                notes[i] = "compared as text"
                values[i] = float(tidy(answer).casefold() == tidy(gold).casefold())
            else:
                values[i] = float(reply.verdict)
        calls = Cost(verifier_calls=len(said) - len(unjudged))
        return Scores(values, tuple(notes), calls, failures, unjudged=frozenset(unjudged))

    async def _equal(self, gold: str, answer: str) -> _Compared:
        pool = self.pool or workers()
        return _Compared(await pool.call("equal", gold, answer, seconds=self.settings.seconds))


@dataclass(frozen=True)
class _Compared:
    """What a worker said of one answer: None where it cannot be read as mathematics."""

    verdict: bool | Failure | None
