"""A program with unit tests: an agent tries programs on the tests that it is shown, and hands one in that is judged by others.

    data = {"shown": ["assert add(1, 2) == 3"], "tests": ["assert add(-1, 1) == 0"]}
    environment = Programming(Task(prompt="Write add(a, b).", data=data))

Actions are `TEST` and `SUBMIT`, each followed by a whole program. `TEST` says how many of the shown tests passed and which failed first.
The reward is 1 where the program that was handed in passes every test of `tests`, else 0; the share that passes is a part of it. Programs
run in the sandbox of the verifier `code`, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from outthink.agent.actions import worded
from outthink.agent.environment import Environment, Observation, Reward
from outthink.core.component import Parts
from outthink.core.errors import Failure, InputError
from outthink.core.task import Candidate, Task
from outthink.verify.code import Code
from outthink.verify.sandbox import Limits

_read = worded("TEST", "SUBMIT")


class Programming(Environment):
    """One task of `data.shown` (tests that the agent may run, may be none) and `data.tests` (those that judge), lists of assertions.

    HumanEval's own `data.test` with `data.entry_point` will do as well. Without tests that judge, episodes cannot be rewarded.

    Raises `Incompatible` where code cannot be isolated.
    """

    def __init__(self, task: Task, *, limits: Limits | None = None) -> None:
        try:
            self._shown = msgspec.convert(task.data.get("shown", ()), tuple[str, ...])
            hidden = msgspec.convert(task.data.get("tests", ()), tuple[str, ...])
        except msgspec.ValidationError as error:
            raise InputError(f"Task {task.id!r} has tests that are no lists of assertions: {error}.") from None
        self.task = task
        # HumanEval has its tests in one text.
        self.rewarded = bool(hidden) or isinstance(task.data.get("test"), str)
        settings = {"score": "share", "limits": limits or Limits()}
        self._trial = Code(tests=self._shown, **settings).build(Parts()) if self._shown else None  # type: ignore[arg-type]
        self._judge = Code(tests=hidden, **settings).build(Parts())  # type: ignore[arg-type]

    @property
    def instructions(self) -> str:
        return (
            "You write Python programs. Write one action and nothing else:\nTEST followed by a program runs the tests that you are shown\n"
            "SUBMIT followed by a program hands it in and ends the task"
        )

    @property
    def opening(self) -> str:
        tests = "\n".join(self._shown)
        return f"{self.task.question}\n\nTests:\n{tests}" if tests else self.task.question

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        word, program = _read(actions[-1])
        if word == "SUBMIT":
            return Observation("Your program was handed in.", done=True)
        if word != "TEST":
            return Observation("That is no action. Write TEST or SUBMIT, followed by a program.")
        if self._trial is None:
            return Observation("There are no tests to be seen.")
        scores = await self._trial.score([Candidate(content=program)], self.task)
        if scores.failures:
            return scores.failures[0]
        return Observation("All tests passed." if scores.values[0] == 1.0 else scores.notes[0] or "No test passed.")

    async def reward(self, actions: Sequence[str]) -> Reward | Failure:
        program = self.answer(actions)
        if program is None:
            return Reward(0.0, {"submitted": 0.0, "passed": 0.0}, "Nothing was handed in.")
        scores = await self._judge.score([Candidate(content=program)], self.task)
        if scores.failures:
            return scores.failures[0]
        passed = float(scores.values[0])
        return Reward(float(passed == 1.0), {"submitted": 1.0, "passed": passed}, scores.notes[0])

    def answer(self, actions: Sequence[str]) -> str | None:
        """The program that was handed in."""
        word, program = _read(actions[-1]) if actions else ("", "")
        return program if word == "SUBMIT" else None
