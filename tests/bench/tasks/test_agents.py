"""Tasks for agents: one seed makes the same again, what is right stays hidden, and episodes are marked by their environment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from outthink.bench.tasks import AgentTasks
from outthink.cli.main import outthink
from outthink.core.errors import VerifierError
from outthink.core.task import Candidate, Message, Task


def episode(*actions: str) -> Candidate:
    said = [
        Message("user", "?"),
        *(message for one in actions for message in (Message("assistant", one), Message("user", "!"))),
    ]
    return Candidate(content=tuple(said), kind="transcript")


@pytest.mark.parametrize("kind", ["text-to-sql", "hidden-columns", "shop", "web-page"])
def test_one_seed_makes_the_same_and_hides_what_is_right(kind: Any) -> None:
    first, again, other = (AgentTasks(kind=kind, limit=6, seed=seed).load() for seed in (1, 1, 2))
    assert [q.task for q in first.questions] == [q.task for q in again.questions]
    assert [q.task for q in first.questions] != [q.task for q in other.questions]
    assert len({q.task.id for q in first.questions}) == 6
    for question in first.questions:
        assert question.asked.reference is None
        assert "goal" not in question.asked.data


def test_an_episode_is_right_where_it_earns_enough() -> None:
    (question,) = AgentTasks(kind="text-to-sql", limit=1).load().questions
    assert question.right(episode("RUN SELECT 1", f"SUBMIT {question.task.reference}"))
    assert not question.right(episode("SUBMIT SELECT 1"))
    assert not question.right(episode(f"RUN {question.task.reference}"))
    with pytest.raises(VerifierError, match="no episode"):
        question.right(Candidate(content=f"SUBMIT {question.task.reference}"))
    (errand,) = AgentTasks(kind="shop", limit=1).load().questions
    (easy,) = AgentTasks(kind="shop", limit=1, least=0.2).load().questions
    bought = episode(f"open[{errand.task.reference}]", "buy[]")
    assert not errand.right(bought)
    assert easy.right(bought)


def test_tasks_are_written_and_played(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    done = CliRunner().invoke(outthink, ["bench", "tasks", "write", "agents:kind=text-to-sql,limit=2", str(file)])
    assert done.exit_code == 0, done.output
    tasks = [msgspec.json.decode(line, type=Task) for line in file.read_bytes().splitlines()]
    assert [task.id for task in tasks] == ["text-to-sql/1", "text-to-sql/2"]
    assert all(task.reference for task in tasks)
    blind = CliRunner().invoke(outthink, ["bench", "tasks", "write", "--blind", "agents:kind=shop,limit=1", "-"])
    assert '"goal"' not in blind.stdout
    how = ["--recipe", "text-to-sql", "--method", "best-of-n", "--n", "2", "--model", "scripted", "--no-store"]
    played = CliRunner().invoke(
        outthink, ["run", "--file", str(file), *how, "--set", f"engine.otherwise=SUBMIT {tasks[0].reference}"]
    )
    assert played.exit_code == 0, played.output
    scores = [msgspec.json.decode(line)["scores"] for line in played.stdout.splitlines()]
    assert scores[0] == [1.0, 1.0]


def test_a_grid_plays_agents(tmp_path: Path) -> None:
    how = [
        "--tasks",
        "agents:kind=shop,limit=2",
        "--methods",
        "best-of-n,refine",
        "--sizes",
        "1,2",
        "--folder",
        str(tmp_path / "run"),
    ]
    changes = ["process.type=agent", "process.environment.type=shop", "verifier.type=episode-reward"]
    changes += ["engine.type=scripted", "engine.otherwise=open[P1]", "process.turns=2"]
    done = CliRunner().invoke(outthink, ["bench", "run", *how, *(word for one in changes for word in ("--set", one))])
    assert done.exit_code == 0, done.output
    assert "8 of 8 outcomes" in done.output
