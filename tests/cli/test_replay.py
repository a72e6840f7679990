"""`outthink replay` and `outthink bench report` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from outthink.store import Store
from tests.bench.report.conftest import run_folder
from tests.cli.running import Outthink
from tests.replay.conftest import recorded, written

__all__ = ["run_folder"]
RULES = 'engine.rules=[{pattern="it",replies=["It is 42.","It is 41."]}]'
RUN = ["run", "What is it?", "--model", "scripted", "--set", RULES, "--answer", "numeric"]


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_file_is_drawn_as_a_table_and_printed_as_json(cli: Outthink, tmp_path: Path) -> None:
    rows = recorded(100, 8)
    path = str(written(tmp_path / "samples.jsonl", [*rows, "{broken"]))
    shown = cli("replay", path)
    assert shown.exit_code == 0, shown.output
    for name in ("single", "vote", "best-of-n", "weighted", "oracle", "├", "●", "┤"):
        assert name in shown.stdout
    assert "samples.jsonl:101: This is no JSON" in shown.stderr
    found = {(one["select"], one["size"]): one for one in lines(cli("replay", path, "--json", "--adaptive").stdout)}
    right = sum(sum(row["right"]) for row in rows) / 800
    assert found["single", 1]["right"] == pytest.approx(right)
    assert found["oracle", 8]["right"] == pytest.approx(sum(any(row["right"]) for row in rows) / 100)
    assert found["adaptive", 8]["samples"] < 7  # type: ignore[operator]
    budgets = lines(cli("replay", path, "--budgets", "100", "--select", "vote", "--json").stdout)
    assert budgets[0]["tokens"] <= 100  # type: ignore[operator]


def test_texts_are_read_as_an_answer_says(cli: Outthink, tmp_path: Path) -> None:
    row = {"id": "q", "reference": "1/2", "responses": ["It is 0.5.", "So 50%.", "It is 3.", "No idea"]}
    path = str(written(tmp_path / "texts.jsonl", [row]))
    (plain,) = lines(cli("replay", path, "--select", "vote", "--sizes", "4", "--json").stdout)
    (numeric,) = lines(cli("replay", path, "--select", "vote", "--sizes", "4", "--answer", "numeric", "--json").stdout)
    assert (plain["right"], numeric["right"]) == (0.0, 1.0)


def test_fields_are_mapped_and_misspelt_ones_refused(cli: Outthink, tmp_path: Path) -> None:
    row = {"id": "q", "guess": ["4", "5"], "ok": [1, 0]}
    path = str(written(tmp_path / "theirs.jsonl", [row]))
    done = cli("replay", path, "--field", "answers=guess", "--field", "right=ok", "--json")
    assert lines(done.stdout)[0]["right"] == 0.5
    refused = cli("replay", path, "--field", "answer=guess")
    assert refused.exit_code == 1
    assert "Did you mean 'answers'" in refused.stderr
    assert "neither marks nor a reference" in cli("replay", path, "--field", "answers=guess").stderr
    mapped = ["--field", "answers=guess", "--field", "right=ok"]
    assert cli("replay", path, *mapped, "--sizes", "many").exit_code == 2


def test_a_stored_run_is_chosen_from_again(cli: Outthink, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "runs.sqlite")]
    assert cli(*RUN, "--method", "vote", "--n", "6", *store).exit_code == 0
    shown = lines(cli("replay", "last", "--json", *store).stdout)
    assert [(one["select"], one["size"]) for one in shown] == [("vote", size) for size in (1, 2, 4, 6)]
    for one in shown:
        assert sum(one["answers"].values()) == pytest.approx(1.0)  # type: ignore[attr-defined]
        assert "right" not in one
    single, *_, whole = shown
    with Store.open(tmp_path / "runs.sqlite") as opened:
        result = opened.run("last").result
    assert result is not None
    given = [candidate.answer for candidate in result.candidates]
    assert len(set(given)) == 2
    for answer, chance in single["answers"].items():  # type: ignore[attr-defined]
        assert chance == pytest.approx(given.count(answer) / 6)
    assert whole["answers"] == {result.answer: 1.0}
    known = lines(cli("replay", "last", "--reference", "42.0", "--answer", "numeric", "--json", *store).stdout)
    assert known[0]["right"] == pytest.approx(given.count("42") / 6)
    assert "would answer" in cli("replay", "last", *store).stdout


def test_what_is_no_pool_of_samples_is_refused(cli: Outthink, tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "runs.sqlite")]
    steps = RULES.replace("It is", "Let us see.\\n\\nIt is")
    asked = ["run", "What is it?", "--model", "scripted", "--set", steps, "--answer", "numeric"]
    assert cli(*asked, "--method", "beam", "--n", "4", "--verifier", "arithmetic", *store).exit_code == 0
    refused = cli("replay", "last", *store)
    assert refused.exit_code == 1
    assert "not independent samples" in refused.stderr
    assert cli(*RUN, "--method", "adaptive", "--n", "12", *store).exit_code == 0
    assert "not independent samples" in cli("replay", "last", *store).stderr
    assert "There is no stored run" in cli("replay", "elsewhere", *store).stderr
    assert cli("replay", str(tmp_path), *store).exit_code == 1


def test_a_benchmark_is_replayed_and_reported(cli: Outthink, run_folder: Path, tmp_path: Path) -> None:
    found = {(one["select"], one["size"]): one for one in lines(cli("replay", str(run_folder), "--json").stdout)}
    assert {name for name, _ in found} == {"single", "vote", "best-of-n", "weighted", "oracle"}
    assert found["oracle", 4]["right"] >= found["vote", 4]["right"]  # type: ignore[operator]
    done = cli("bench", "report", str(run_folder), "--out", str(tmp_path), "--format", "html,csv")
    assert done.exit_code == 0
    names = [Path(line).name for line in done.stdout.splitlines()]
    assert names == ["report.html", "methods.csv", "comparisons.csv", "choices.csv"]
    wrong = cli("bench", "report", str(run_folder), "--page", str(tmp_path / "page.md"), "--format", "html")
    assert wrong.exit_code == 2
    assert cli("bench", "report", str(run_folder), "--page", str(tmp_path / "page.md")).exit_code == 0
    assert (tmp_path / "page.md").read_text().count("\n### ") == 4
