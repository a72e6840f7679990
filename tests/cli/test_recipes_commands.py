from __future__ import annotations

import json
from pathlib import Path

from outthink.recipes import components, digest, load, presets
from outthink.recipes.registry import KINDS
from tests.cli.running import Outthink, start


def test_help_is_there_for_every_command(cli: Outthink) -> None:
    for words in (
        [],
        ["run"],
        ["recipes"],
        ["recipes", "list"],
        ["recipes", "check"],
        ["models"],
        ["models", "path"],
        ["demo"],
    ):
        done = cli(*words, "--help")
        assert done.exit_code == 0, words
        assert "Usage: outthink" in done.stdout


def test_list_names_every_preset_and_component(cli: Outthink) -> None:
    done = cli("recipes", "list")
    assert done.exit_code == 0
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")}
    assert listed == {*presets(), *(tag for kind in KINDS for tag in components(kind))}
    one = cli("recipes", "list", "answer").stdout
    assert {line.split()[0] for line in one.splitlines()[1:]} == set(components("answer"))


def test_show_prints_a_recipe_that_is_the_recipe(cli: Outthink) -> None:
    for name in presets():
        done = cli("recipes", "show", name)
        assert done.exit_code == 0
        assert load(done.stdout) == load(name)
        assert digest(load(name)) in done.stdout


def test_show_with_changes_and_as_json(cli: Outthink) -> None:
    document = json.loads(cli("recipes", "show", "vote", "--set", "algorithm.n=3", "--json").stdout)
    assert document["recipe"]["algorithm"]["n"] == 3
    assert document["digest"] == digest(load(document["recipe"]))


def test_show_a_component(cli: Outthink) -> None:
    done = cli("recipes", "show", "algorithm.particle-filter")
    assert "ess_threshold: float >= 0.0, <= 1.0  (default 0.5)" in done.stdout


def test_check_looks_at_every_name(cli: Outthink, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[algorithm]\n")
    done = cli("recipes", "check", str(tmp_path / "bad.toml"), "vote", "beam")
    assert done.exit_code == 1
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["vote", "beam"]
    assert cli("recipes", "check", "vote").exit_code == 0


def test_the_schema_is_json(cli: Outthink) -> None:
    document = json.loads(cli("recipes", "schema").stdout)
    assert {"algorithm", "engine", "budget"} <= set(document["properties"])


def test_a_plugin_is_listed_and_a_broken_one_named(plugged_in: dict[str, str]) -> None:
    process = start("recipes", "list", environment=plugged_in)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "  slow" in output
    assert "'verifier.broken'" in errors
    assert "NotThere" in errors
    assert "Traceback" not in errors
    used = start("recipes", "show", "verifier.broken", environment=plugged_in)
    assert "cannot be loaded" in used.communicate(timeout=60)[1]
