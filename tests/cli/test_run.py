"""`outthink run` with a scripted engine: what goes in, what comes out, and where."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from outthink.core.result import Result
from tests.cli.running import SCRIPTED, Outthink, start


def test_the_answer_goes_to_standard_output_and_the_bill_to_standard_error(cli: Outthink) -> None:
    done = cli("run", "What is it?", "--method", "vote", "--n", "3", "--answer", "numeric", *SCRIPTED)
    assert (done.exit_code, done.stdout) == (0, "42\n")
    assert "vote: done" in done.stderr
    assert "3 calls" in done.stderr


def test_json_is_all_that_is_on_standard_output(cli: Outthink) -> None:
    done = cli("run", "What is it?", "--method", "vote", "--n", "3", "--seed", "7", "--json", *SCRIPTED)
    assert done.exit_code == 0
    result = Result.from_json(done.stdout)
    assert (result.method, result.seed, len(result.candidates)) == ("vote", 7, 3)
    assert result.to_json() == done.stdout.strip()


@pytest.mark.parametrize("way", ["file", "dash", "stdin"])
def test_the_question_can_come_from_elsewhere(cli: Outthink, tmp_path: Path, way: str) -> None:
    (tmp_path / "question.txt").write_text("What is it?\n")
    arguments = {"file": ["--file", str(tmp_path / "question.txt")], "dash": ["--file", "-"], "stdin": []}[way]
    done = cli("run", *arguments, "--method", "vote", "--n", "2", "--json", *SCRIPTED, stdin="What is it?\n")
    direct = cli("run", "What is it?", "--method", "vote", "--n", "2", "--json", *SCRIPTED)
    assert Result.from_json(done.stdout).candidates == Result.from_json(direct.stdout).candidates


def test_a_recipe_file_is_a_method(cli: Outthink, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '[engine]\ntype = "scripted"\notherwise = "it is 7"\n[algorithm]\ntype = "vote"\nn = 2\n[answer]\ntype = "numeric"'
    )
    done = cli("run", "What is it?", "--method", str(path))
    assert (done.exit_code, done.stdout) == (0, "7\n")


def test_a_budget_holds_and_says_so(cli: Outthink) -> None:
    done = cli("run", "What is it?", "--method", "vote", "--n", "64", "--budget", "tokens=100", "--json", *SCRIPTED)
    result = Result.from_json(done.stdout)
    assert 0 < result.cost.tokens <= 100
    assert (result.stop.value, result.limit) == ("budget", "tokens")


def test_no_answer_has_its_own_status(cli: Outthink) -> None:
    done = cli("run", "What is it?", "--method", "vote", "--budget", "tokens=1", *SCRIPTED)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "no answer" in done.stderr


def test_a_dry_run_spends_nothing_and_says_the_most(cli: Outthink) -> None:
    arguments = ["run", "What is it?", "--method", "vote", "--n", "3", *SCRIPTED, "--set", "process.max_tokens=50"]
    dry = cli(*arguments, "--dry-run")
    assert dry.exit_code == 0
    assert "steps of members at most: 3" in dry.stdout
    assert "calls at most: 3" in dry.stdout
    assert "output_tokens at most: 150" in dry.stdout
    assert "seconds at most: no bound" in dry.stdout
    document = json.loads(cli(*arguments, "--dry-run", "--json", "--budget", "tokens=60").stdout)
    assert document["most"]["tokens"] == 60
    assert document["limited_by_budget"] == ["tokens"]
    assert document["recipe"]["algorithm"]["n"] == 3
    spent = Result.from_json(cli(*arguments, "--json").stdout).cost
    assert spent.tokens <= json.loads(cli(*arguments, "--dry-run", "--json").stdout)["most"]["tokens"]


@pytest.mark.parametrize("method", ["best-of-n", "vote", "particle-filter", "beam"])
def test_a_dry_run_is_an_upper_bound_for_every_method(cli: Outthink, method: str) -> None:
    arguments = ["run", "What is it?", "--method", method, *SCRIPTED, "--json", "--set", "process.max_tokens=20"]
    most = json.loads(cli(*arguments, "--dry-run").stdout)["most"]
    cost = Result.from_json(cli(*arguments).stdout).cost
    for name, bound in most.items():
        assert bound is None or cost.column(name) <= bound, name
    assert most["tokens"] is not None


def test_the_same_seed_prints_the_same(cli: Outthink) -> None:
    rules = '[{pattern = "", replies = ["1", "2", "3", "4"]}]'
    arguments = ["run", "x", "--method", "vote", "--model", "scripted", "--set", f"engine.rules={rules}", "--json"]
    one, two, other = [
        [c.content for c in Result.from_json(cli(*arguments, "--seed", seed).stdout).candidates]
        for seed in ("1", "1", "2")
    ]
    assert one == two != other


def test_lines_go_in_and_out_in_order(cli: Outthink, tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    lines = ['{"prompt": "a", "id": "first"}', "", '{"prompt": "b"}', "{not json", '{"prompt": "c", "id": "last"}']
    path.write_text("\n".join(lines) + "\n")
    done = cli("run", "--file", str(path), "--method", "vote", "--n", "2", *SCRIPTED)
    results = [Result.from_json(line) for line in done.stdout.splitlines()]
    assert [result.task for result in results] == ["first", "3", "last"]
    assert done.exit_code == 1, "a bad line shows in the status"
    assert f"{path}:4: This is no task" in done.stderr
    assert "3 of 3 tasks answered" in done.stderr


def test_lines_from_standard_input(cli: Outthink) -> None:
    done = cli("run", "--jsonl", "--method", "vote", "--n", "2", *SCRIPTED, stdin='{"prompt": "a"}\n{"prompt": "b"}\n')
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 2


def test_a_task_that_fails_is_a_line_of_its_own(cli: Outthink) -> None:
    lines = '{"prompt": "a", "reference": "42"}\n{"prompt": "b"}\n'
    done = cli("run", "--jsonl", "--method", "best-of-n", "--n", "2", "--verifier", "exact", *SCRIPTED, stdin=lines)
    good, bad = [json.loads(line) for line in done.stdout.splitlines()]
    assert good["task"] == "1"
    assert bad["task"] == "2"
    assert "the task has none" in bad["failure"]["message"]
    assert done.exit_code == 1


def test_the_budget_of_a_file_is_shared(cli: Outthink) -> None:
    lines = "\n".join(json.dumps({"prompt": f"question {i}"}) for i in range(4))
    done = cli("run", "--jsonl", "--method", "vote", "--budget", "calls=8", *SCRIPTED, stdin=lines)
    assert [Result.from_json(line).cost.calls for line in done.stdout.splitlines()] == [2, 2, 2, 2]


def test_ctrl_c_prints_the_best_so_far(plugged_in: dict[str, str], tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    arguments = ["--model", "slow", "--set", f"engine.mark={mark}", "--set", "process.max_tokens=8"]
    running = start("run", "q", "--method", "vote", "--n", "64", *arguments, environment=plugged_in)
    try:
        until = time.monotonic() + 30
        while not mark.exists() and running.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=30)
    finally:
        running.kill()
    assert (running.returncode, output) == (130, "42\n"), errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
