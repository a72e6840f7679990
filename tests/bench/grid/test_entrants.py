"""Who takes part in a grid: recipes with their tables and sizes, one thing varied at a time, and who reads a stored pool."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from outthink.bench.grid import Axis, Grid, GridRecipe, NotRun, Posed, Variant, grid_presets, not_run_of, read_grid
from outthink.bench.grid.entrants import Entrant, entrants
from outthink.bench.grid.selecting import selects
from outthink.bench.tasks import TaskSet
from outthink.core.errors import RecipeError
from outthink.core.settings import replace
from outthink.search import Adaptive, BestOfN, ParticleFilter, Vote
from tests.bench.grid.grids import a_grid

SETS = Posed({"one": TaskSet("one", (), answer={"type": "numeric"}), "two": TaskSet("two", ())})


ONE = Posed({"one": TaskSet("one", (), answer={"type": "numeric"})})


@cache
def of_preset(name: str) -> tuple[Entrant, ...]:
    """The entrants of a preset on one set."""
    return tuple(entrants(read_grid(name), ONE))


def taking_part(grid: Grid, posed: Posed = SETS) -> dict[tuple[str, int, str], Entrant]:
    return {(one.method, one.size, one.set): one for one in entrants(grid, posed)}


def test_every_recipe_at_every_size_on_every_set(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    found = taking_part(grid)
    assert len(found) == len(entrants(grid, SETS)) == 2 * (1 + 5 * 2)
    assert {one.seeds for key, one in found.items() if key[0] == "greedy"} == {(0,)}
    for (_, size, _), one in found.items():
        algorithm: Any = one.recipe.algorithm
        assert algorithm.n == size
        assert one.recipe.engine.name() == "scripted"
    assert found["vote", 2, "one"].recipe.verifier is None, "the grid's verifier is for recipes that have one"
    assert found["beam", 2, "one"].recipe.verifier is not None
    # Entrants that differ in their size alone share what is opened for them.
    assert found["beam", 2, "one"].part == found["beam", 4, "one"].part != found["vote", 2, "one"].part


def test_answers_are_read_as_the_task_says_unless_the_grid_does(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    assert {one.recipe.answer.name() for one in entrants(grid, SETS)} == {"numeric"}
    own = taking_part(replace(grid, answer=None))
    assert own["vote", 2, "one"].recipe.answer.name() == "numeric"
    assert own["vote", 2, "two"].recipe.answer.name() == "plain"


def test_sizes_go_to_the_setting_and_in_the_unit_that_a_recipe_names(tmp_path: Path) -> None:
    recipes = (
        GridRecipe(recipe="sequential-revision", size_setting="algorithm.rounds", per_size=0.5, sizes=(1, 6)),
        GridRecipe(recipe="vote", size_setting="", sizes=(1,)),
        GridRecipe(recipe="best-first", per_size=3.0),
    )
    found = taking_part(replace(a_grid(tmp_path), recipes=recipes))
    algorithm: Any = found["sequential-revision", 6, "one"].recipe.algorithm
    assert algorithm.rounds == 3
    algorithm = found["sequential-revision", 1, "one"].recipe.algorithm
    assert algorithm.rounds == 1, "never less than one"
    assert found["best-first", 4, "one"].recipe.algorithm.n == 12  # type: ignore[attr-defined]
    assert found["vote", 1, "one"].recipe.algorithm == Vote()


def test_one_thing_is_varied_at_a_time(tmp_path: Path) -> None:
    hot = Variant(name="hot", changes=("process.sampling.temperature=1.5",))
    grid = replace(
        a_grid(tmp_path),
        axes=(
            Axis(name="temperature", variants=(hot, Variant(name="cold", not_run="too cold"))),
            Axis(name="top-p", variants=(Variant(name="0.5", changes=("process.sampling.top_p=0.5",)),), recipes=("vote",)),
        ),
    )  # fmt: skip
    found = taking_part(grid)
    methods = {key[0] for key in found}
    assert methods == {
        *("greedy", "vote", "best-of-n", "adaptive", "beam", "particle-filter"),
        *(f"{one.called} temperature=hot" for one in grid.recipes),
        "vote top-p=0.5",
    }
    process: Any = found["vote temperature=hot", 2, "one"].recipe.process
    assert (process.sampling.temperature, process.sampling.top_p) == (1.5, 1.0)
    process = found["vote top-p=0.5", 2, "one"].recipe.process
    assert (process.sampling.temperature, process.sampling.top_p) == (1.0, 0.5)
    said = not_run_of(grid)
    everyone = ", ".join(one.called for one in grid.recipes)
    assert said == (NotRun(f"methods {everyone} temperature=cold", "too cold"),)
    alone = replace(grid, axes=(replace(grid.axes[0], recipes=("vote",)),))
    assert not_run_of(alone) == (NotRun("method vote temperature=cold", "too cold"),)


def test_a_recipe_that_cannot_be_is_named(tmp_path: Path) -> None:
    for bad in (
        GridRecipe(recipe="vot"),
        GridRecipe(recipe="vote", changes=("algorithm.m=3",)),
        GridRecipe(recipe="vote", size_setting="algorithm.k"),
    ):
        with pytest.raises(RecipeError, match=rf"'{bad.called}' of the grid, at size 2"):
            entrants(replace(a_grid(tmp_path), recipes=(bad,)), SETS)


def test_who_reads_a_pool() -> None:
    assert selects(BestOfN(n=4), None)
    assert selects(Vote(n=4), None)
    assert selects(Adaptive(n=4), None)
    assert not selects(Vote(n=4, redraws=2), None), "a redraw is a sample more than a pool has"
    assert not selects(ParticleFilter(n=4), None)


@pytest.mark.parametrize("name", grid_presets())
def test_presets_hold_and_say_what_is_not_run_here(name: str) -> None:
    found = of_preset(name)
    assert len({(one.method, one.size) for one in found}) == len(found), "every method at every size has a name"
    assert all(one.why and one.what for one in not_run_of(read_grid(name)))


def test_the_laboratory_preset_is_the_grid_that_was_asked_for() -> None:
    grid = read_grid("laboratory")
    assert [table["limit"] for table in grid.tasks] == [100] * 3
    assert len(grid.recipes) == 8
    assert (grid.sizes, grid.all_seeds) == ((4, 8, 16, 32), (0, 1, 2))
    # All but greedy decoding at all sizes; those that select read one pool.
    assert [one.called for one in grid.recipes if one.sizes is not None] == ["greedy"]
    pools = {one.part for one in of_preset("laboratory") if one.method in ("best-of-n", "weighted-best-of-n")}
    assert len(pools) == 1


def test_the_bag_of_tricks_is_six_methods_over_eight_tasks_with_its_axes() -> None:
    grid = read_grid("bag-of-tricks")
    methods = ["best-of-n", "step-best-of-n", "beam", "tree-search", "self-consistency", "self-refine"]
    assert [one.called for one in grid.recipes] == methods
    tasks = ["gsm8k", "gsm-hard", "math-500", "prontoqa", "human-eval", "bamboogle", "fever", "hotpotqa"]
    assert [table["type"] for table in grid.tasks] == tasks
    axes = {axis.name: [one.name for one in axis.variants] for axis in grid.axes}
    assert set(axes) == {"prompt", "temperature", "top-p", "reward", "step-reward", "model"}
    # With the grid's own value, each goes from 0.6 to 1.0.
    assert (
        sorted([*axes["temperature"], "0.7"]) == sorted([*axes["top-p"], "0.9"]) == ["0.6", "0.7", "0.8", "0.9", "1.0"]
    )
    assert axes["prompt"] == ["standard", "reflective", "few-shot"]
    few: Any = next(one for one in of_preset("bag-of-tricks") if one.method == "beam prompt=few-shot")
    assert [one.answer[-2:] for one in few.recipe.process.examples] == ["21", "15", "54"]
    assert grid.process is not None
    assert grid.process["sampling"] == {"temperature": 0.7, "top_p": 0.9}
    missing = {one.what.partition(" ")[2] for one in not_run_of(grid)}
    assert {f"best-of-n reward={name}" for name in axes["reward"][-3:]} <= missing
    assert {f"{', '.join(methods)} model={model}" for model in axes["model"]} <= missing


def test_the_verifier_free_study_has_no_trained_verifier() -> None:
    found = of_preset("verifier-free")
    judges = {one.recipe.verifier.name() for one in found if one.recipe.verifier is not None}
    assert judges <= {"judge", "marker-rate", "length", "arithmetic"}
    chains: Any = {one.size: one.recipe.algorithm for one in found if one.method == "parallel-and-sequential"}
    # P chains of one answer and S - 1 revisions: P S = N.
    assert {size: one.n * (one.rounds + 1) for size, one in chains.items()} == {4: 4, 8: 8, 16: 16, 32: 32}
    mixtures: Any = {one.size: one.recipe.algorithm.layers for one in found if one.method == "mixture-aggregation"}
    assert set(mixtures) == {2, 4, 8}
    assert all([layer.name() for layer in layers] == ["generate", "fuse"] for layers in mixtures.values())
    assert all(layers[0].samples == size for size, layers in mixtures.items())
