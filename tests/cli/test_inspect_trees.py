"""`outthink inspect` shows search trees as such, in the terminal and as a picture."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from outthink.cli.main import outthink

ENGINE = ["--model", "scripted", "--set", "engine.otherwise=1 + 2 = 3\n3 + 4 = 7\nAnswer: 7"]
STEPS = ["--set", 'process.stepper={type="delimiter", text="\\n", most=16}', "--verifier", "arithmetic"]


@pytest.mark.parametrize(("method", "said"), [("tree", "at the root"), ("best-first", "lower goes first")])
def test_search_trees(method: str, said: str, tmp_path: Path) -> None:
    env = {"OUTTHINK_STORE": str(tmp_path / "runs.sqlite")}

    def cli(*arguments: str) -> str:
        done = CliRunner().invoke(outthink, list(arguments), prog_name="outthink", env=env)
        assert done.exit_code == 0, done.output
        return done.stdout

    cli("run", "What is 1 + 2 + 4?", "--method", method, "--n", "12", *ENGINE, *STEPS)
    shown = cli("inspect")
    assert "Search tree" in shown
    assert said in shown
    assert "1 + 2 = 3" in shown
    assert "[the answer]" in shown
    picture = tmp_path / "tree.svg"
    cli("inspect", "--picture", str(picture))
    drawn = ET.parse(picture)
    genealogy = json.loads(cli("inspect", "--json"))["genealogy"]
    boxes = [element.get("data-node") for element in drawn.iter() if element.get("data-node")]
    assert sorted(map(int, boxes)) == sorted(node["node"] for node in genealogy if node["parent"] is not None)
    assert all({"visits", "value"} <= set(node) for node in genealogy)
