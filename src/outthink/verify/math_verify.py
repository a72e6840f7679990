"""Compares a mathematical answer with the task's right one by meaning, with the library math-verify. An oracle.

Needs `pip install outthink[math]`. Each comparison runs in a worker process and is stopped after `seconds`; what cannot be read as
mathematics is compared as tidied text, and the note says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.component import Parts, VerifierSettings
from outthink.core.cost import Cost
from outthink.core.errors import Failure
from outthink.core.settings import PositiveFloat
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec, Verifier
from outthink.verify.exact import reference_of
from outthink.verify.extras import require
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
class MathVerifier(Verifier):
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

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        gold = reference_of(task)
        pool = self.pool or workers()
        said = [c.answer if c.answer is not None else str(c.content) for c in candidates]
        different = list(dict.fromkeys(said))
        replies = await asyncio.gather(
            *[pool.call("equal", gold, answer, seconds=self.settings.seconds) for answer in different]
        )
        by_answer = dict(zip(different, replies, strict=True))
        values, notes, failures = np.zeros(len(said)), [], {}
        for i, answer in enumerate(said):
            reply, note = by_answer[answer], ""
            if isinstance(reply, Failure):
                failures[i] = reply
                values[i] = np.nan
            elif reply is None:
                note = "compared as text"
                values[i] = float(tidy(answer).casefold() == tidy(gold).casefold())
            else:
                values[i] = float(reply)
            notes.append(note)
        return Scores(values, tuple(notes), Cost(verifier_calls=len(said)), failures)
