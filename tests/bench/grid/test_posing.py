"""A grid's questions: what is missing is refused or named, and answers reach no solver."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outthink.bench.contest import Question
from outthink.bench.grid import Folder, pose
from outthink.bench.tasks import TaskSet
from outthink.core.errors import Incompatible, InputError
from outthink.core.settings import replace
from outthink.core.task import Task
from tests.bench.grid.grids import a_grid, ran, sums

GONE = {"type": "gsm8k", "path": "no-such-file.jsonl"}


def test_data_that_is_not_here_is_refused_or_named(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    both = replace(grid, tasks=(*grid.tasks, GONE, {"type": "my-own", "not_run": "no reader"}))
    with pytest.raises(InputError, match="does not exist"):
        pose(both)
    posed = pose(replace(both, missing="leave-out"))
    assert list(posed.sets) == ["sums"]
    first, second = posed.not_run
    assert first.what == "task gsm8k"
    assert "does not exist" in first.why
    assert (second.what, second.why) == ("task my-own", "no reader")
    with pytest.raises(InputError, match="no questions"):
        pose(replace(grid, tasks=(GONE,), missing="leave-out"))


def test_what_cannot_be_marked_here_is_refused_or_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outthink.bench.tasks.confined.refusal", lambda: "no sandbox")
    grid = a_grid(tmp_path)
    both = replace(grid, tasks=(*grid.tasks, {"type": "human-eval", "path": "HumanEval.jsonl.gz"}))
    with pytest.raises(Incompatible, match="no sandbox"):
        pose(both)
    (left,) = pose(replace(both, missing="leave-out")).not_run
    assert left.what == "task human-eval"
    assert left.why.startswith("These answers cannot be marked here")


def test_two_sets_of_one_name_and_two_questions_of_one_id_are_refused(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    with pytest.raises(InputError, match="one name"):
        pose(replace(grid, tasks=(*grid.tasks, *grid.tasks)))
    question = Question(Task(prompt="?", id="same"), lambda candidate: True)

    def load(table: Mapping[str, Any]) -> TaskSet:
        return TaskSet(str(table["called"]), (question,))

    with pytest.raises(InputError, match="share an id"):
        pose(replace(grid, tasks=({"called": "a"}, {"called": "b"})), load)


def test_files_are_found_in_the_folder_of_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    data.mkdir()
    row = {"question": "1 + 1?", "answer": "#### 2"}
    (data / "gsm8k_test.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (data / "other.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    grid = a_grid(tmp_path)
    grid = replace(grid, tasks=({"type": "gsm8k"}, {"type": "gsm8k", "path": "other.jsonl", "called": "other"}))
    monkeypatch.setenv("OUTTHINK_DATA", str(data))
    posed = pose(grid)
    assert {name: len(found.questions) for name, found in posed.sets.items()} == {"gsm8k": 1, "other": 1}
    assert posed.sets["gsm8k"].origin["path"] == "gsm8k_test.jsonl"
    # A file at the path itself comes first.
    monkeypatch.chdir(tmp_path)
    other = {"question": "2 + 2?", "answer": "#### 4"}
    Path("other.jsonl").write_text(json.dumps(other) + "\n", encoding="utf-8")
    assert pose(grid).sets["other"].questions[0].task.reference == "4"


async def test_bad_rows_are_kept_with_file_and_line_and_the_rest_is_asked(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    path = sums(tmp_path)
    good = path.read_bytes()
    bad = b'{"id": "x"}\n{"question": 3, "answer": 4}\n{"id": "2-1", "question": "again?", "answer": 3}\n'
    path.write_bytes(good + bad + b'{"question": "' + b"x" * 10_000_000 + b'"}\n{"question": "what is it?"}\n')
    _, running = await ran(tmp_path / "run", grid)
    assert len(running.outcomes.rows) == running.total == 84
    record = Folder.found(tmp_path / "run").record()
    assert record.bad_rows == 5
    found = [json.loads(line) for line in (tmp_path / "run" / "problems.jsonl").read_text().splitlines()]
    assert [(one["file"], one["line"]) for one in found] == [("sums.jsonl", line) for line in range(5, 10)]


@pytest.mark.parametrize(
    ("style", "question", "said"),
    [
        ("said", "Which word?", "plum"),
        ("left-out", "Which word?", "pear"),
        # The rule that finds a leak finds one.
        ("left-out", "Which word? Not xylograph.", "leaked"),
    ],
)
async def test_no_answer_reaches_the_engine(tmp_path: Path, style: str, question: str, said: str) -> None:
    path = tmp_path / "secret.jsonl"
    path.write_text(json.dumps({"question": question, "answer": "xylograph"}) + "\n", encoding="utf-8")
    rules = [
        {"pattern": "xylograph", "replies": ["Answer: leaked"]},
        {"pattern": "as few words as possible", "replies": ["Answer: plum"]},
        {"pattern": "Which word", "replies": ["Answer: pear"]},
    ]
    grid = a_grid(
        tmp_path,
        tasks=[{"type": "jsonl", "path": str(path)}],
        engine={"type": "scripted", "rules": rules, "cached": False},
        answer=None,
        verifier={"type": "judge", "rubric": "correctness", "n_evaluate": 1},
        style=style,
    )
    _, running = await ran(tmp_path / "run", grid)
    assert {one.answer for one in running.outcomes.rows if one.answer is not None} == {said}
    assert any(one.judged.calls for one in running.outcomes.rows), "judges are asked too"
    (row,) = (json.loads(line) for line in (tmp_path / "run" / "questions.jsonl").read_text().splitlines())
    assert row["reference"] == "xylograph"
