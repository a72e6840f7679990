"""`outthink bench` from outside: a run, its estimate, its cap, its resumption, and what is refused."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from outthink.bench.grid import Folder, grid_presets, grid_to_toml, not_run_of, read_grid
from outthink.cli.bench import CAPPED, INTERRUPTED
from outthink.cli.main import outthink
from outthink.core.settings import replace
from tests.bench.grid.grids import a_grid, sums
from tests.cli.running import start


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(outthink, ["bench", *arguments])


def flags(folder: Path, *more: str) -> list[str]:
    """Vote and best-of-n on four sums by an engine that says the same each time."""
    reply = "2 + 1 = 3\\nAnswer: 3"
    return [
        *("--tasks", str(sums(folder)), "--methods", "vote,best-of-n", "--sizes", "2,4", "--seeds", "2"),
        *("--model", "scripted", "--set", f"engine.otherwise={json.dumps(reply)}", "--verifier", "arithmetic"),
        *("--folder", str(folder / "run"), *more),
    ]


def grid_file(folder: Path, **changes: Any) -> Path:
    path = folder / "grid.toml"
    path.write_text(grid_to_toml(a_grid(folder, **changes)), encoding="utf-8")
    return path


def test_a_run_from_flags_says_what_it_will_cost_and_what_it_has(tmp_path: Path) -> None:
    done = bench("run", *flags(tmp_path))
    assert done.exit_code == 0, done.output
    folder = Folder.found(tmp_path / "run")
    assert f"32 of 32 outcomes in {folder.path}; spent" in done.stderr
    assert "units first, for an estimate" in done.stderr
    assert "5 pools and 0 searches to go: about" in done.stderr
    assert {one.recipe for one in folder.grid.recipes} == {"vote", "best-of-n"}
    with folder.outcomes() as journal:
        assert {one.answer for one in journal.rows} == {"3"}
        assert sum(one.right for one in journal.rows) == 8, "one of four sums comes to 3"
    before = (tmp_path / "run" / "outcomes.jsonl").read_bytes()
    again = bench("run", *flags(tmp_path))
    assert again.exit_code == 0
    assert "0 pools and 0 searches to go" in again.stderr
    assert (tmp_path / "run" / "outcomes.jsonl").read_bytes() == before
    other = bench("run", *flags(tmp_path), "--seeds", "3")
    assert other.exit_code == 1
    assert "holds the run of another grid" in other.stderr


def test_an_estimate_spends_nothing_and_a_pilot_is_part_of_the_run(tmp_path: Path) -> None:
    said = bench("estimate", *flags(tmp_path))
    assert said.exit_code == 0, said.output
    assert said.stdout.startswith("8 pools and 0 searches to go: at most about")
    assert "nothing was measured" in said.stdout
    assert Folder.found(tmp_path / "run").record().spent == {}
    piloted = bench("estimate", "--pilot", *flags(tmp_path))
    assert piloted.stdout.startswith("5 pools and 0 searches to go: about")
    assert "from 3 pools" in piloted.stdout
    run = bench("run", *flags(tmp_path))
    assert "5 pools and 0 searches to go" in run.stderr


def test_a_cap_ends_a_run_with_a_status_of_its_own_and_how_to_go_on(tmp_path: Path) -> None:
    done = bench("run", str(grid_file(tmp_path)), "--cap", "tokens=1500", "--folder", str(tmp_path / "run"))
    assert done.exit_code == CAPPED, done.output
    assert "the cap was reached" in done.stderr
    assert f"outthink bench resume {tmp_path / 'run'} --cap LIMITS" in done.stderr
    record = Folder.found(tmp_path / "run").record()
    assert 0 < sum(cost.tokens for cost in record.spent.values()) <= 1500
    assert 0 < record.done < record.total
    assert record.ended == "cap"
    listed = bench("list", str(tmp_path))
    assert f"{tmp_path / 'run'}: cap, {record.done} of {record.total} outcomes" in listed.stdout
    more = bench("resume", str(tmp_path / "run"), "--cap", "tokens=1000000")
    assert more.exit_code == 0, more.output
    assert Folder.found(tmp_path / "run").record().ended == "done"


def test_ctrl_c_ends_with_whole_rows_and_says_how_to_go_on(tmp_path: Path) -> None:
    path = grid_file(tmp_path, n=12, in_flight=1)
    folder = tmp_path / "run"
    process = start("bench", "run", str(path), "--folder", str(folder))
    outcomes, until = folder / "outcomes.jsonl", time.monotonic() + 60
    while not outcomes.exists() or outcomes.read_bytes().count(b"\n") < 60:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, said
    assert f"go on with: outthink bench resume {folder}" in said
    assert "Traceback" not in said
    record = Folder.found(folder).record()
    assert record.ended == "interrupted"
    with Folder.found(folder).outcomes() as journal:
        assert 60 <= len(journal.rows) == record.done < record.total


def test_flags_go_over_a_grid_and_a_quick_run_is_a_small_one(tmp_path: Path) -> None:
    path = grid_file(tmp_path, n=12)
    over = ["--sizes", "6", "--seeds", "1", "--in-flight", "2"]
    done = bench("estimate", str(path), *over, "--folder", str(tmp_path / "over"))
    assert done.exit_code == 0, done.output
    found = Folder.found(tmp_path / "over").grid
    assert found == replace(a_grid(tmp_path, 12), sizes=(6,), seeds=1, in_flight=2)
    done = bench("estimate", str(path), "--quick", "--folder", str(tmp_path / "quick"))
    assert done.exit_code == 0, done.output
    # 8 of 12 questions: one pool of greedy decoding and one of samples for each.
    assert done.stdout.startswith("16 pools and 32 searches to go")


def test_the_default_folder_is_named_by_the_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = grid_file(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert bench("estimate", str(path)).exit_code == 0
    (folder,) = (tmp_path / "bench-runs").iterdir()
    assert folder.name.startswith("grid-")
    assert f"{Path('bench-runs') / folder.name}: " in bench("list").stdout


def test_bad_rows_are_said_and_counted(tmp_path: Path) -> None:
    arguments = flags(tmp_path)
    with (tmp_path / "sums.jsonl").open("a") as file:
        file.write('{"answer": 1}\n' * 7)
    done = bench("estimate", *arguments)
    assert "outthink: sums.jsonl:5: no field 'question'" in done.stderr
    assert done.stderr.count("no field 'question'") == 5
    assert "7 bad rows in all; see" in done.stderr


def test_presets_are_listed_with_what_is_not_run_here(tmp_path: Path) -> None:
    done = bench("list", str(tmp_path))
    assert done.exit_code == 0, done.output
    for name in grid_presets():
        grid = read_grid(name)
        assert f"{name}: {grid.description}" in done.stdout
        for one in not_run_of(grid):
            assert f"    not run here: {one.what}: {one.why}" in done.stdout
    assert "not run here: task live-code-bench" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["run"], 2, "Name a GRID"),
        (["run", "--tasks", "laboratory"], 2, "Name a GRID"),
        (["run", "laboratory", "--tasks", "gsm8k"], 2, "--tasks describe a grid"),
        (["run", "laboratry"], 1, "Did you mean 'laboratory'"),
        (["run", "laboratory", "--sizes", "4,x"], 2, "list of numbers"),
        (["run", "laboratory", "--cap", "tokans=3"], 1, "NAME=NUMBER"),
        (["run", "--tasks", "gsm8k:limit=0", "--methods", "vote"], 1, "limit"),
        (["resume", "nowhere"], 1, "no folder of a benchmark"),
    ],
)
def test_what_is_wrong_is_one_message(
    arguments: list[str], status: int, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = bench(*arguments)
    assert done.exit_code == status, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output
