"""Grids from files, presets and flags: what they say, what they refuse, and the name that their folders go by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outthink.bench.grid import (
    Axis,
    Grid,
    GridRecipe,
    Variant,
    digest,
    grid_from,
    grid_of,
    grid_presets,
    grid_to_toml,
    over,
    quick,
    read_grid,
)
from outthink.bench.grid.reading import task_table
from outthink.core.cost import Budget
from outthink.core.errors import RecipeError, SettingsError
from outthink.core.settings import replace
from tests.bench.grid.grids import a_grid

SMALL = """
seeds = [3, 5]
sizes = [2, 4]
cap = { tokens = 100 }
[[tasks]]
type = "laboratory"
limit = 20
[[recipes]]
recipe = "vote"
"""


def test_a_file_is_a_grid_and_is_written_back_as_the_same(tmp_path: Path) -> None:
    grid = grid_from(SMALL, "it")
    assert (grid.all_seeds, grid.sizes, grid.cap) == ((3, 5), (2, 4), Budget(tokens=100))
    assert replace(grid, seeds=2).all_seeds == (0, 1)
    path = tmp_path / "mine.toml"
    path.write_text(SMALL, encoding="utf-8")
    assert read_grid(path) == grid
    axes = (Axis(name="t", variants=(Variant(name="hot", changes=('a.b="c"',)), Variant(name="x", not_run="why"))),)
    full = replace(a_grid(tmp_path), axes=axes, match="tokens", description='a "quoted" one\nin two lines')
    assert grid_from(grid_to_toml(full), "it") == full


@pytest.mark.parametrize("name", grid_presets())
def test_presets_are_written_back_as_the_same(name: str) -> None:
    grid = read_grid(name)
    assert grid.description
    assert grid_from(grid_to_toml(grid), "it") == grid
    assert digest(grid_from(grid_to_toml(grid), "it")) == digest(grid)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds = ", "is not TOML"),
        ('[[tasks]]\ntype = "laboratory"', "recipes"),
        ("tasks = []\n[[recipes]]\nrecipe = 'vote'", "length >= 1"),
        (SMALL + "sizess = 3\n", "sizess"),
        (SMALL.replace("[2, 4]", "[0]"), r"sizes\[0\]"),
        (SMALL.replace("[2, 4]", "[]"), r"\$\.sizes"),
        (SMALL + '[[recipes]]\nrecipe = "vote"', "Two recipes"),
        (SMALL + "[[recipes]]\n[recipes.recipe.algorithm]\ntype = 'vote'", "needs a name"),
        (SMALL + '[[axes]]\nname = "t"\nrecipes = ["beam"]\n[[axes.variants]]\nname = "x"', "does not have"),
        (SMALL + '[[axes]]\nname = "t"\nvariants = []', r"\$\.axes\[0\]"),
    ],
)
def test_what_is_no_grid_is_refused_by_its_place(text: str, said: str) -> None:
    with pytest.raises((RecipeError, SettingsError), match=said):
        grid_from(text, "it")


def test_a_misspelt_preset_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Did you mean 'laboratory'"):
        read_grid("laboratry")
    with pytest.raises(RecipeError, match="cannot be read"):
        read_grid(tmp_path)


def test_flags_describe_a_grid() -> None:
    grid = grid_of(
        ["laboratory:limit=5", "mine.jsonl:limit=2"],
        ["vote", "best-of-n"],
        model="scripted",
        verifier="arithmetic",
        changes=["process.max_tokens=9"],
        sizes=[3],
        seeds=None,
    )
    assert grid.tasks == ({"type": "laboratory", "limit": 5}, {"type": "jsonl", "path": "mine.jsonl", "limit": 2})
    assert grid.engine is not None
    assert (grid.engine["type"], grid.sizes, grid.seeds) == ("scripted", (3,), 1)
    assert grid.verifier is not None
    assert grid.verifier["type"] == "arithmetic"
    assert [one.changes for one in grid.recipes] == [("process.max_tokens=9",)] * 2
    again = grid_from(grid_to_toml(grid), "it")
    assert again == grid
    assert digest(again) == digest(grid)
    with pytest.raises(RecipeError):
        grid_of(["laboratory"], ["vote"], model="no-such-engine")


@pytest.mark.parametrize(
    ("text", "table"),
    [
        ("gsm8k", {"type": "gsm8k"}),
        ("gsm8k:limit=20, offset=5", {"type": "gsm8k", "limit": 20, "offset": 5}),
        ("jsonl:path=a b.jsonl,called=mine", {"type": "jsonl", "path": "a b.jsonl", "called": "mine"}),
        ("hotpotqa:context=true", {"type": "hotpotqa", "context": True}),
        ("questions.jsonl", {"type": "jsonl", "path": "questions.jsonl"}),
    ],
)
def test_a_task_in_a_word(text: str, table: dict[str, Any]) -> None:
    assert task_table(text) == table


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(RecipeError, match="NAME=VALUE"):
        task_table("gsm8k:20")


def test_a_flag_goes_over_a_grid_and_leaves_the_rest(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    assert over(grid, None, None, None) == grid
    changed = over(grid, "local:laboratory", [7], 9)
    assert changed.engine is not None
    assert (changed.engine["model"], changed.sizes, changed.seeds) == ("laboratory", (7,), 9)
    assert changed.recipes == grid.recipes, "sizes of a recipe's own stay"
    assert changed.process == grid.process
    assert grid_from(grid_to_toml(changed), "it") == changed


def test_the_quick_form_is_a_part_of_the_whole(tmp_path: Path) -> None:
    grid = replace(
        a_grid(tmp_path),
        tasks=({"type": "laboratory"}, {"type": "laboratory", "limit": 5, "called": "b"}),
        seeds=(4, 2, 9),
        sizes=(16, 4, 8),
        pool=64,
        recipes=(GridRecipe(recipe="vote"), GridRecipe(recipe="beam", sizes=(32, 8, 16), seeds=(7, 8))),
    )
    small = quick(grid)
    assert [table["limit"] for table in small.tasks] == [8, 5]
    assert (small.all_seeds, small.sizes, small.pool) == ((4,), (4, 8), None)
    assert (small.recipes[0].sizes, small.recipes[1].sizes, small.recipes[1].seeds) == (None, (8, 16), (7,))
    assert small.engine == grid.engine


def test_the_digest_names_what_is_measured_and_nothing_else(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    same: dict[str, Any] = {"cap": Budget(tokens=5), "in_flight": 3, "replies": "kept", "description": "x"}
    for name, value in same.items():
        assert digest(replace(grid, **{name: value})) == digest(grid), name
    others: dict[str, Any] = {"sizes": (2,), "seeds": 1, "pool": 9, "match": "tokens", "answer": None, "style": "said"}
    others |= {"recipes": grid.recipes[1:], "tasks": ({"type": "laboratory"},)}
    assert len({digest(grid), *(digest(replace(grid, **{name: value})) for name, value in others.items())}) == 9


def test_settings_are_checked_in_python_too() -> None:
    with pytest.raises(SettingsError):
        Grid(tasks=(), recipes=())
    with pytest.raises(SettingsError):
        GridRecipe(recipe="vote", per_size=0.0)
    with pytest.raises(SettingsError, match=r"engine\.rules\[0\]\.reply = None"):
        Grid(tasks=({"type": "laboratory"},), recipes=(GridRecipe(recipe="vote"),), engine={"rules": [{"reply": None}]})
    assert GridRecipe(recipe="folder/mine.toml").called == "mine"
