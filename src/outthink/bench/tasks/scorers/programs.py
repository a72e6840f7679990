"""Answers that are programs, run against tests in the sandbox of the verifier `code`, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from outthink.bench.tasks.confined import require_sandbox
from outthink.bench.tasks.scorers.scorer import Scorer
from outthink.core.errors import VerifierError
from outthink.core.task import Task
from outthink.verify.code_run import Examination
from outthink.verify.code_text import find_tests, testable, whole_program
from outthink.verify.sandbox import Limits


@dataclass(frozen=True)
class Program(Scorer):
    """Right where all tests of the task pass; the credit is 1 or 0, as pass@1 counts.

    Raises `Incompatible` where code cannot be isolated.
    """

    task: Task
    limits: Limits = field(default_factory=Limits)

    def mark(self, text: str) -> float:
        require_sandbox()
        tests = find_tests(self.task, (), "")
        program = whole_program(text, tests.before, tests.names[0] if tests.names else "")
        if not tests.names:
            tests = replace(tests, names=testable(program, tests))
        verdict = Examination(program, tests, self.limits).run()
        if verdict.failure is not None:
            raise VerifierError(f"A program was not tested: {verdict.failure.kind}: {verdict.failure.message}")
        return float(verdict.right)
