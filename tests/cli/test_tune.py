"""`outthink tune` on a scripted model whose votes get better with more samples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from outthink.cli.main import outthink
from outthink.recipes import load

RECIPE = """
[engine]
type = "scripted"
otherwise = "The answer is 5."
cached = false
[[engine.rules]]
pattern = "What"
replies = ["The answer is 4.", "The answer is 4.", "The answer is 5.", "The answer is 6."]
[algorithm]
type = "vote"
n = 1
[answer]
type = "numeric"
"""

PROBLEM = """
recipe = "{recipe}"
tokens = {tokens}
questions = 16
held_out = 12
chunk = 8
initial = 2
at_most = {at_most}
[[tasks]]
type = "jsonl"
path = "{questions}"
[space."algorithm.n"]
type = "whole"
low = 1
high = 12
"""


@pytest.fixture
def problem(tmp_path: Path) -> Path:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    rows = [json.dumps({"question": f"What is 2 + 2, time {i}?", "answer": "4"}) for i in range(30)]
    (tmp_path / "questions.jsonl").write_text("\n".join(rows))
    text = PROBLEM.format(
        recipe=tmp_path / "recipe.toml", questions=tmp_path / "questions.jsonl", tokens=30_000, at_most=5000
    )
    (tmp_path / "problem.toml").write_text(text)
    return tmp_path / "problem.toml"


def tuned(problem: Path, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(outthink, ["tune", str(problem), "--folder", str(problem.parent / "out"), *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_it_finds_that_more_votes_are_worth_it_and_goes_on_for_nothing(problem: Path) -> None:
    status, output = tuned(problem)
    assert status == 0
    folder = problem.parent / "out"
    chosen = load(folder / "tuned.toml")
    assert chosen.algorithm.n >= 4  # type: ignore[attr-defined]
    assert "95% interval" in output
    assert "12 questions that were never tuned on" in output
    for name in ("history.svg", "front.svg", "along-algorithm.n.svg"):
        assert (folder / name).read_text().startswith("<svg")
    lines = (folder / "trials.jsonl").read_text().splitlines()
    paid = sum(json.loads(line)["tokens"] for line in lines[1:])
    assert 0 < paid <= 30_000
    again, second = tuned(problem)
    assert again == 0
    assert (folder / "trials.jsonl").read_text().splitlines() == lines
    assert second.splitlines()[-1] == output.splitlines()[-1]


def test_a_bound_on_an_answers_price_binds(problem: Path) -> None:
    problem.write_text(problem.read_text().replace("at_most = 5000", 'at_most = "default"'))
    status, output = tuned(problem)
    assert status == 0
    chosen = load(problem.parent / "out" / "tuned.toml")
    assert chosen.algorithm.n == 1  # type: ignore[attr-defined]
    assert "no difference is shown" in output


def test_problems_that_cannot_be_are_refused_by_name(problem: Path) -> None:
    status, output = tuned(problem.parent / "missing.toml")
    assert (status, "cannot be read" in output) == (1, True)
    good = problem.read_text()
    problem.write_text(good.replace('"algorithm.n"', '"algorithm.m"'))
    status, output = tuned(problem)
    assert (status, "algorithm" in output) == (1, True)
    problem.write_text(good.replace("held_out = 12", "held_out = 50"))
    status, output = tuned(problem)
    assert (status, "too few questions" in output) == (1, True)
    problem.write_text(good + "\nextra = 1")
    status, output = tuned(problem)
    assert (status, "extra" in output) == (1, True)


def test_a_folder_of_another_problem_is_refused(problem: Path) -> None:
    assert tuned(problem)[0] == 0
    problem.write_text(problem.read_text().replace("high = 12", "high = 9"))
    status, output = tuned(problem)
    assert status == 1
    assert "journal" in output.lower() or "another" in output.lower()
