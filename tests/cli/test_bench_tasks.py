"""`outthink bench tasks` from outside."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from outthink.bench.tasks import TASKS
from outthink.cli.main import outthink


def test_every_kind_is_listed() -> None:
    done = CliRunner().invoke(outthink, ["bench", "tasks", "list"], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert all(f" {kind} " in done.output for kind in TASKS)


def test_a_task_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    bad = '{"question": "no answer"}\n' * 7
    path.write_text('{"question": "6 * 7?", "answer": 42}\n' + bad + '{"question": "21 + 21?", "answer": 42}\n')
    done = CliRunner().invoke(outthink, ["bench", "tasks", "show", str(path), "--questions", "1"])
    assert done.exit_code == 0, done.output
    assert "mine: 2 questions, 7 bad rows" in done.output
    assert "'42', right for 100.0%" in done.output
    assert "bad row: mine.jsonl:2:" in done.output
    assert "2 more; --problems prints them" in done.output
    assert "--- mine/1\n6 * 7?\n--> 42" in done.output
    assert "21 + 21?" not in done.output
    done = CliRunner().invoke(outthink, ["bench", "tasks", "show", str(path), "--problems"])
    assert done.output.count("bad row: ") == 7


def test_what_cannot_be_shown_is_one_message() -> None:
    done = CliRunner().invoke(outthink, ["bench", "tasks", "show", "gsm9k"])
    assert done.exit_code == 1
    assert "Did you mean 'gsm8k'?" in done.output
