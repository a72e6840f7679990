"""Lines of results: in order as soon as they can be, and none lost when the rest cannot come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Sequence
from pathlib import Path

import pytest

from outthink.cli.many import Lines
from outthink.core.errors import Failure, SettingsError
from outthink.core.result import Result
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Equivalence
from outthink.recipes import Function, plan
from outthink.recipes.solving import allocator, solve_tasks
from tests.cli.running import SCRIPTED, Outthink

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


def test_a_file_of_tasks_can_share_its_budget_by_predicted_gain(cli: Outthink, tmp_path: Path) -> None:
    """One sure question, one contested: evenly each may ask eight times, dealt out the contested one asks more than that."""
    rules = 'engine.rules=[{pattern = "sure", replies = ["yes"]}, {pattern = "torn", replies = ["heads", "tails"]}]'
    path = tmp_path / "tasks.jsonl"
    path.write_text('{"prompt": "sure", "id": "a"}\n{"prompt": "torn", "id": "b"}\n')
    arguments = ["run", "--file", str(path), "--method", "adaptive", "--n", "64", "--model", "scripted", "--set", rules]
    arguments += ["--budget", "calls=16", "--no-store", "--set", "process.max_tokens=8"]
    calls = {}
    for how in ("even", "marginal"):
        done = cli(*arguments, "--allocate", how)
        assert done.exit_code == 0, done.stderr
        calls[how] = [json.loads(line)["by_role"]["generate"]["calls"] for line in done.stdout.splitlines()]
    assert calls["even"] == [4, 8]
    assert calls["marginal"] == [4, 12]


def test_how_to_share_needs_something_to_share_among(cli: Outthink) -> None:
    done = cli("run", "What?", "--allocate", "marginal", *SCRIPTED)
    assert done.exit_code == 2
    assert "a file of them" in done.stderr
    with pytest.raises(SettingsError, match="marginal"):
        allocator("margin")
