"""Pipelines from the command line: rehearsed, run, shown layer by layer, and made of Archon's configurations."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.running import Outthink

RECIPE = """
[engine]
type = "scripted"
otherwise = "[2] > [1], so it is 42."

[[layers]]
type = "generate"
samples = 3

[[layers]]
type = "rank"
keep = 2

[[layers]]
type = "fuse"
"""
ARCHON = {
    "name": "two",
    "layers": [
        [{"type": "generator", "model": "m", "model_type": "x", "temperature": 0.5, "max_tokens": 9, "top_k": 1}],
        [{"type": "fuser", "model": "m", "model_type": "x", "temperature": 0.5, "max_tokens": 9, "samples": 1}],
    ],
}


def test_a_pipeline_is_rehearsed_run_and_shown(cli: Outthink, tmp_path: Path) -> None:
    recipe = tmp_path / "pipeline.toml"
    recipe.write_text(RECIPE)
    store = ["--store", str(tmp_path / "runs.sqlite")]
    rehearsed = cli("run", "--recipe", str(recipe), "How much?", "--dry-run")
    assert "layer 1, generate: 3 calls; leaves 3 at most" in rehearsed.stdout
    assert "layer 2, rank: 1 calls, 2 with all retries; leaves 2 at most" in rehearsed.stdout
    assert "calls at most: 6" in rehearsed.stdout
    done = cli("run", "--recipe", str(recipe), "How much?", "--set", "layers.0.samples=2", *store)
    assert done.exit_code == 0
    assert done.stdout.strip() == "[2] > [1], so it is 42."
    shown = cli("inspect", *store).stdout
    layers = shown[shown.index("Layers") :].splitlines()[2:5]
    assert [line.split()[:3] for line in layers] == [["1", "generate", "0"], ["2", "rank", "2"], ["3", "fuse", "2"]]


def test_a_method_takes_the_place_of_the_layers(cli: Outthink, tmp_path: Path) -> None:
    recipe = tmp_path / "pipeline.toml"
    recipe.write_text(RECIPE)
    done = cli("run", "--recipe", str(recipe), "--method", "vote", "--n", "2", "How much?", "--no-store")
    assert done.exit_code == 0
    assert done.stderr.startswith("vote: done")


def test_a_configuration_of_archon_becomes_a_recipe(cli: Outthink, tmp_path: Path) -> None:
    file = tmp_path / "archon.json"
    file.write_text(json.dumps(ARCHON))
    made = cli("recipes", "from-archon", str(file), "--map", "m=scripted")
    assert made.exit_code == 0
    assert "'top_k' is left out" in made.stderr
    recipe = tmp_path / "made.toml"
    recipe.write_text(made.stdout)
    assert cli("recipes", "check", str(recipe)).exit_code == 0
    assert cli("run", "--recipe", str(recipe), "How much?", "--no-store").exit_code == 0
    unmapped = cli("recipes", "from-archon", str(file))
    assert unmapped.exit_code == 1
    assert "a model that the map lacks" in unmapped.stderr
    assert cli("recipes", "from-archon", str(file), "--map", "m").exit_code == 1
