"""Runs a candidate's program against tests, in a sandbox or not at all.

    [verifier]
    type = "code"
    tests = ["assert add(2, 3) == 5", "assert add(-1, 1) == 0"]     # or with the task: data.tests, or HumanEval's own fields

The program is the last Python block of the text, or the text itself. It runs under bubblewrap without network, processes, files or
environment (`outthink.verify.sandbox`), the tests in a second box; what passes between them is plain data, so that a program can answer a
test and do nothing else about it (`outthink.verify.code_run`). Where that isolation cannot be had, the verifier refuses, and says why.

A program that is wrong, breaks, hangs or uses too much scores 0 for the tests that it does not pass; only a sandbox that breaks is a
failure. What cannot be tested this way: objects of the program's own classes (a test gets numbers, texts, lists, tuples, sets and
dictionaries), programs that need other packages, processes or a network, and what a function does to its arguments instead of returning.

If unsure: the defaults. Tests that come with the task are hidden from the model, so the verifier counts as one that reads the reference.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import msgspec
import numpy as np

from outthink.core.component import Parts, VerifierSettings
from outthink.core.cost import Cost
from outthink.core.cut import Cut, gather_until
from outthink.core.errors import Failure, Incompatible, explain
from outthink.core.settings import Positive
from outthink.core.task import Candidate, Task
from outthink.core.verifier import LogMap, ScoreKind, Scores, ScoreSpec
from outthink.verify.code_run import Examination, Tests, Verdict
from outthink.verify.code_text import find_tests, testable, whole_program
from outthink.verify.one_by_one import OneByOne
from outthink.verify.sandbox import INSTALL, Limits, refusal


class Code(VerifierSettings):
    """Whether a program passes its tests.

    Attributes:
        tests: assertions, each a line or a block of Python; none: those of the task.
        entry: the function that the tests are about; "" for the task's own, or every function that the program defines.
        score: 1 where "all" tests pass and 0 otherwise, or the "share" that passes.
        limits: what a program may use, the tests as well.
        workers: the most programs that run at once.
    """

    tests: tuple[str, ...] = ()
    entry: str = ""
    score: Literal["all", "share"] = "all"
    limits: Limits = msgspec.field(default_factory=Limits)
    workers: Positive = 2

    def build(self, parts: Parts) -> CodeVerifier:
        """Raises `Incompatible` where code cannot be isolated."""
        if why := refusal():
            raise Incompatible(
                explain(
                    "Code is not run here, because it cannot be isolated.",
                    got=why,
                    expected="bubblewrap with user namespaces, on Linux",
                    remedy=f"{INSTALL} There is no setting that runs code without isolation.",
                )
            )
        return CodeVerifier(self)


@dataclass(frozen=True)
class CodeVerifier(OneByOne):
    """Live part of `Code`. Equal programs among the candidates of one call run once."""

    settings: Code

    @property
    def spec(self) -> ScoreSpec:
        return ScoreSpec(
            kind=ScoreKind.OUTCOME,
            partial=False,
            log_map=LogMap.PROBABILITY,
            local=False,
            reads_reference=not self.settings.tests,
        )

    def most(self, task: Task) -> Cost:
        """Also refuses, before anything is spent, a task without tests."""
        find_tests(task, self.settings.tests, self.settings.entry)
        return Cost(verifier_calls=1)

    async def judged(self, candidates: Sequence[Candidate], task: Task, cut: Cut | None) -> Scores:
        tests = find_tests(task, self.settings.tests, self.settings.entry)
        texts = [candidate.content if isinstance(candidate.content, str) else None for candidate in candidates]
        different = list(dict.fromkeys(text for text in texts if text is not None))
        places = asyncio.Semaphore(self.settings.workers)
        verdicts = dict(
            zip(different, await gather_until(cut, [self._one(t, tests, places) for t in different]), strict=True)
        )
        values, notes, failures = np.full(len(texts), np.nan), [""] * len(texts), {}
        unjudged: set[int] = set()
        for i, text in enumerate(texts):
            verdict = None if text is None else verdicts[text]
            if text is None:
                failures[i] = Failure("Incompatible", "A program is a text, and this is none.")
            elif verdict is None:
                unjudged.add(i)
            elif verdict.failure is not None:
                failures[i] = verdict.failure
            else:
                values[i] = verdict.share if self.settings.score == "share" else float(verdict.right)
                notes[i] = verdict.note
        calls = Cost(verifier_calls=len(texts) - len(unjudged))
        return Scores(values, tuple(notes), calls, failures, unjudged=frozenset(unjudged))

    async def _one(self, text: str, tests: Tests, places: asyncio.Semaphore) -> Verdict:
        entry = tests.names[0] if tests.names else ""
        program = whole_program(text, tests.before, entry)
        asked = tests if tests.names else replace(tests, names=testable(program, tests))
        async with places:
            examination = Examination(program, asked, self.settings.limits)
            try:
                return await asyncio.to_thread(examination.run)
            except asyncio.CancelledError:
                examination.give_up()
                raise
