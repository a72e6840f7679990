"""Lines of results: in order as soon as they can be, and none lost when the rest cannot come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Sequence

import pytest

from outthink.cli.many import Lines
from outthink.core.errors import Failure
from outthink.core.result import Result
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Equivalence
from outthink.recipes import Function, plan
from outthink.recipes.solving import solve_tasks

TASKS = tuple(Task(prompt=f"question {i}", id=str(i)) for i in range(4))
LOST = Failure("EngineError", "gone")


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [json.loads(line)["task"] for line in capsys.readouterr().out.splitlines()]


def test_a_result_waits_for_those_before_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(TASKS)
    lines(TASKS[1], LOST)
    assert printed(capsys) == []
    lines(TASKS[0], LOST)
    assert printed(capsys) == ["0", "1"]
    lines(TASKS[3], LOST)
    assert printed(capsys) == []
    lines.flush()
    assert printed(capsys) == ["3"], "what was finished is not lost with the one before it"
    assert lines.failed == 3


async def test_what_finished_is_printed_although_another_task_breaks_everything(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, told = Lines(TASKS), asyncio.Event()

    class Breaks(Equivalence):
        """Has a bug that shows on the second task, after all others have ended."""

        async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
            if task.id == "1":
                await told.wait()
                raise RuntimeError("a bug")
            return [candidate.content for candidate in candidates]

    def each(task: Task, result: Result | Failure) -> None:
        lines(task, result)
        ended.append(task.id)
        if len(ended) == 3:
            told.set()

    ended: list[str] = []
    made = plan(method="vote", n=1, process=Function(generate=lambda prompt: "fine"), answer=Breaks())
    with pytest.raises(ExceptionGroup):
        await solve_tasks(made, TASKS, each=each)
    lines.flush()
    assert printed(capsys) == ["0", "2", "3"]
