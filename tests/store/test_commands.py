"""The commands around the store: run and resume, inspect, list, export, remove; a run recorded and replayed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from outthink.cli.main import outthink
from outthink.store import Store
from tests.needs import need

SCRIPTED = [
    "--model",
    "scripted",
    "--set",
    'engine.rules=[{pattern="or not", replies=["yes", "no", "maybe so"]}]',
    "--set",
    "engine.otherwise=it is 42",
]
PROGRAM = "from outthink.cli.main import main; main()"
Outthink = Callable[..., Result]

SLOW = '''
"""An engine that counts to ten, and that never comes to four where HANG is set."""
import os
import time

from outthink.core.component import EngineSettings
from outthink.engines.scripted import END, Behaviour, ScriptedEngine


class Slow(EngineSettings):
    """Counts to ten."""

    def open(self):
        def script(text):
            words = text.rpartition(">")[2].split()
            if len(words) > 3 and "HANG" in os.environ:
                time.sleep(600)
            return {END: 1.0} if len(words) > 9 else {f" {len(words)}a\\n\\n": 0.5, f" {len(words)}b\\n\\n": 0.5}

        vocabulary = [f" {i}{letter}\\n\\n" for i in range(10) for letter in "ab"]
        return ScriptedEngine(script, vocabulary=vocabulary, behaviour=Behaviour(cached=False))
'''


@pytest.fixture
def cli(tmp_path: Path) -> Outthink:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(
            outthink, list(arguments), prog_name="outthink", env={"OUTTHINK_STORE": str(tmp_path / "runs.sqlite")}
        )

    return run


def solved(cli: Outthink, *more: str) -> str:
    """A stored run's name."""
    done = cli("run", "to be or not", "--method", "vote", "--n", "5", "--json", *SCRIPTED, *more)
    assert done.exit_code == 0, done.stderr
    assert "stored as" in done.stderr
    name: str = json.loads(done.stdout)["run"]
    return name


def test_inspect_tells_the_whole_run(cli: Outthink) -> None:
    name = solved(cli)
    shown = cli("inspect", name)
    assert shown.exit_code == 0
    for said in (
        name,
        "to be or not",
        "vote",
        "why it won",
        "of the vote",
        "why it stopped",
        "the method was finished",
    ):
        assert said in shown.stdout
    for said in ("Cost by role", "generate", "5 calls", "Candidates", "Genealogy", "[the answer]", "0…5"):
        assert said in shown.stdout
    assert cli("inspect").stdout == shown.stdout
    assert cli("inspect", name[:-2]).stdout == shown.stdout


def test_inspect_as_json(cli: Outthink) -> None:
    name = solved(cli)
    found = json.loads(cli("inspect", "--json").stdout)
    assert found["id"] == name
    assert found["why_stopped"] == "the method was finished"
    assert len(found["genealogy"]) == 10
    assert found["result"]["by_role"]["generate"]["calls"] == 5
    assert [c["content"] for c in found["candidates"]]
    assert found["recipe"]["algorithm"] == {**found["recipe"]["algorithm"], "type": "vote", "n": 5}


def test_the_picture_draws_every_node(cli: Outthink, tmp_path: Path) -> None:
    solved(cli)
    path = tmp_path / "tree.svg"
    done = cli("inspect", "--picture", str(path))
    assert str(path) in done.stderr
    tree = ET.parse(path)
    nodes = [e.get("data-node") for e in tree.iter() if e.get("data-node") is not None]
    assert sorted(map(int, nodes)) == list(range(10))
    assert cli("inspect", "--picture", str(tmp_path / "no" / "tree.svg")).exit_code == 1


def test_nothing_that_a_model_wrote_is_obeyed_by_the_terminal(cli: Outthink) -> None:
    done = cli(
        "run", "x", "--model", "scripted", "--set", 'engine.otherwise="\\u001b[31m[bold]red"', "--method", "vote"
    )
    assert done.exit_code == 0
    shown = cli("inspect").stdout
    assert "\x1b" not in shown
    assert "[bold]red" in shown


def test_lists(cli: Outthink) -> None:
    names = [solved(cli), solved(cli, "--seed", "1")]
    rows = cli("runs", "list").stdout.splitlines()
    assert [row.split()[0] for row in rows] == names[::-1]
    assert "2 runs in" in cli("runs", "list").stderr
    assert len(cli("runs", "list", "--limit", "1").stdout.splitlines()) == 1
    assert json.loads(cli("runs", "list", "--json", "--all").stdout.splitlines()[1])["id"] == names[0]
    assert cli("runs", "list", "--status", "killed").stdout == ""
    assert cli("runs", "list", "--method", "beam").stdout == ""


def test_export(cli: Outthink, tmp_path: Path) -> None:
    names = [solved(cli), solved(cli, "--seed", "1")]
    lines = [json.loads(line) for line in cli("runs", "export", "--all", "--events").stdout.splitlines()]
    assert [line["id"] for line in lines] == names[::-1]
    assert lines[0]["events"][0]["event"] == "run-started"
    out = tmp_path / "runs.jsonl"
    assert cli("runs", "export", names[0], "--out", str(out)).exit_code == 0
    one = json.loads(out.read_text())
    assert "events" not in one
    assert one["result"]["answer"] in {"yes", "no", "maybe so"}
    for wrong in ([], [names[0], "--all"], ["--all", "--format", "parquet"]):
        assert cli("runs", "export", *wrong).exit_code == 2


def test_export_to_parquet(cli: Outthink, tmp_path: Path) -> None:
    need("parquet")
    from pyarrow import parquet

    name = solved(cli)
    out = tmp_path / "runs.parquet"
    assert cli("runs", "export", "--all", "--format", "parquet", "--out", str(out)).exit_code == 0
    rows = parquet.read_table(out).to_pylist()
    assert len(rows) == 5
    assert {row["run"] for row in rows} == {name}
    assert sum(row["chosen"] for row in rows) == 1
    assert {row["content"] for row in rows} <= {"yes", "no", "maybe so"}


def test_remove(cli: Outthink) -> None:
    names = [solved(cli, "--seed", str(seed)) for seed in range(3)]
    assert "removed 1 runs" in cli("runs", "remove", names[1]).stderr
    assert "removed 1 runs" in cli("runs", "remove", "--keep", "1").stderr
    assert [row.split()[0] for row in cli("runs", "list").stdout.splitlines()] == [names[2]]
    assert "removed 0 runs" in cli("runs", "remove", "--older-than", "1").stderr
    assert cli("runs", "remove").exit_code == 2
    gone = cli("inspect", names[1])
    assert gone.exit_code == 1
    assert "There is no stored run of this name" in gone.stderr


def test_a_run_may_stay_unstored(cli: Outthink, tmp_path: Path) -> None:
    done = cli("run", "q", "--no-store", "--method", "vote", *SCRIPTED)
    assert done.exit_code == 0
    assert "stored as" not in done.stderr
    assert not (tmp_path / "runs.sqlite").exists()


def test_a_store_that_was_named_and_cannot_be_opened_is_an_error(cli: Outthink, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = cli("run", "q", "--store", str(tmp_path / "file" / "runs.sqlite"), "--method", "vote", *SCRIPTED)
    assert done.exit_code == 1
    assert "--store" in done.stderr


def test_a_default_store_that_cannot_be_opened_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = CliRunner().invoke(
        outthink,
        ["run", "q", "--method", "vote", *SCRIPTED],
        env={"OUTTHINK_STORE": "", "XDG_DATA_HOME": str(tmp_path / "file")},
    )
    assert done.exit_code == 0
    assert "this run is not stored" in done.stderr
    assert done.stdout == "it is 42\n"


def test_a_file_of_tasks_is_stored_task_by_task(cli: Outthink, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text('{"id": "a", "prompt": "to be or not"}\n{"id": "b", "prompt": "what"}\n')
    done = cli("run", "--file", str(tasks), "--method", "vote", "--n", "3", *SCRIPTED)
    assert done.exit_code == 0, done.stderr
    results = {json.loads(line)["task"]: json.loads(line) for line in done.stdout.splitlines()}
    rows = [json.loads(line) for line in cli("runs", "list", "--json").stdout.splitlines()]
    assert {row["task"]: row["id"] for row in rows} == {task: result["run"] for task, result in results.items()}
    unstored = cli("run", "--file", str(tasks), "--method", "vote", "--n", "3", "--no-store", *SCRIPTED)
    again = {json.loads(line)["task"]: json.loads(line) for line in unstored.stdout.splitlines()}
    assert {t: r["answer"] for t, r in again.items()} == {t: r["answer"] for t, r in results.items()}


def test_a_budget_stop_goes_on_with_a_larger_budget(cli: Outthink) -> None:
    ask = ["to be or not", "--method", "vote", "--n", "5", "--json", *SCRIPTED]
    whole = json.loads(cli("run", *ask).stdout)
    short = json.loads(cli("run", *ask, "--budget", "calls=2").stdout)
    assert short["stop"] == "budget"
    assert "outthink run --resume" in cli("inspect").stdout
    more = json.loads(cli("run", "--resume", short["run"], "--budget", "calls=9", "--json").stdout)
    assert (more["answer"], more["run"], more["cost" if "cost" in more else "by_role"]) == (
        whole["answer"],
        short["run"],
        whole["cost" if "cost" in whole else "by_role"],
    )
    complete = cli("run", "--resume", short["run"])
    assert complete.exit_code == 1
    assert "is complete" in complete.stderr


@pytest.mark.parametrize("more", [["q"], ["--seed", "1"], ["--method", "vote"], ["--set", "a=1"], ["--no-store"]])
def test_what_a_resumed_run_cannot_change_is_refused_by_name(cli: Outthink, more: list[str]) -> None:
    done = cli("run", "--resume", "last", *more)
    assert done.exit_code == 2
    assert (more[0] if more[0].startswith("--") else "QUESTION") in done.stderr


def test_a_run_is_recorded_and_replayed_without_its_model(cli: Outthink, tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    ask = ["to be or not", "--method", "vote", "--n", "5", "--json", "--no-store"]
    first = json.loads(cli("run", *ask, *SCRIPTED, "--record", str(path)).stdout)
    again = json.loads(cli("run", *ask, "--model", f"recorded:{path}").stdout)
    assert {**again, "seconds": 0} == {**first, "seconds": 0}
    other = cli("run", *ask, "--model", f"recorded:{path}", "--seed", "1")
    assert other.exit_code == 1
    assert "holds no such request" in other.stderr


def test_kill_and_resume_from_the_command_line(tmp_path: Path) -> None:
    site = tmp_path / "site"
    metadata = site / "slow_engine-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "slow_engine.py").write_text(SLOW)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-engine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[outthink.plugins]\nengine.slow = slow_engine:Slow\n")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]),
        "OUTTHINK_STORE": str(tmp_path / "runs.sqlite"),
    }

    def start(*words: str, **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env={**environment, **more}, stdout=pipe, stderr=pipe, text=True)

    def output(*words: str) -> str:
        running = start(*words)
        out, errors = running.communicate(timeout=60)
        assert running.returncode == 0, errors
        return out

    ask = ["run", ">", "--model", "slow", "--method", "particle-filter", "--n", "3", "--verifier", "confidence"]
    ask += ["--set", "process.format=plain", "--set", "process.prompt={question}", "--json"]
    whole = json.loads(output(*ask))
    running = start(*ask, HANG="1")
    try:
        with Store.open(tmp_path / "runs.sqlite") as store:
            until = time.monotonic() + 60
            while time.monotonic() < until and running.poll() is None:
                found = store.runs(limit=1)[0]
                if found.status == "running" and found.steps == 4 and store.run(found.id).unanswered:
                    break
                time.sleep(0.05)
    finally:
        running.send_signal(signal.SIGKILL)
        running.communicate(timeout=30)
    (row,) = [json.loads(line) for line in output("runs", "list", "--json", "--status", "killed").splitlines()]
    resumed = json.loads(output("run", "--resume", row["id"], "--json"))
    same = ("answer", "scores", "weights", "steps", "by_role")
    assert {name: resumed[name] for name in same} == {name: whole[name] for name in same}
