"""Pipelines as recipes: read, changed, written, priced, stored and resumed like any other."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import outthink
from outthink.core import Budget, Incompatible, RecipeError, Session, Task
from outthink.pipeline import Generate, Pipeline, Rank, Solve
from outthink.recipes import build, digest, load, override, to_toml
from outthink.recipes.most import most
from outthink.recipes.plan import Plan
from outthink.recipes.schema import json_schema
from outthink.recipes.stored import resume_stored, solve_and_store
from outthink.store.store import Store

TABLES: dict[str, Any] = {
    "engine": {"type": "scripted", "otherwise": "[2] > [1], so it is 42.", "cached": False},
    "answer": {"type": "numeric"},
    "layers": [{"type": "generate", "samples": 3}, {"type": "rank", "keep": 2}, {"type": "fuse"}],
}
TASK = Task(prompt="How much is 6 times 7?", id="q")


def solve(recipe: outthink.Recipe, budget: Budget | None = None) -> outthink.Result:
    async def work() -> outthink.Result:
        async with build(recipe) as built:
            return await built.solver.solve(TASK, Session.open(budget=budget))

    return asyncio.run(work())


def test_layers_are_read_written_and_named_by_one_digest() -> None:
    recipe = load(TABLES)
    assert isinstance(recipe.algorithm, Pipeline)
    assert load(to_toml(recipe)) == recipe
    assert load(to_toml(recipe, comments=False, defaults=False)) == recipe
    assert load(recipe.tables()) == recipe
    spelt_out = {**TABLES, "algorithm": {"type": "pipeline", "rules": "paper"}}
    assert digest(load(spelt_out)) == digest(recipe)
    assert digest(override(recipe, ["layers.0.samples=4"])) != digest(recipe)
    assert (
        list(jsonschema.Draft202012Validator(json_schema()).iter_errors(json.loads(json.dumps(recipe.tables())))) == []
    )
    bad = {**TABLES, "layers": [{"type": "generate", "samples": 0}]}
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(bad)


def test_a_change_reaches_a_setting_of_a_layer() -> None:
    recipe = load(TABLES)
    changed = override(
        recipe, ["layers.1.keep=1", "layers.0.type=solve", "layers.0.recipe=vote", "algorithm.choose=random"]
    )
    assert isinstance(changed.algorithm, Pipeline)
    assert changed.algorithm.layers[0] == Solve(recipe="vote")
    assert isinstance(changed.algorithm.layers[1], Rank)
    assert changed.algorithm.layers[1].keep == 1
    assert override(recipe, ["algorithm.type=vote"]).algorithm.name() == "vote"
    for wrong in ("layers.7.keep=1", "layers.x.keep=1", "layers.0=1", "layers.1.kep=1"):
        with pytest.raises(RecipeError):
            override(recipe, [wrong])


@pytest.mark.parametrize(
    ("tables", "named"),
    [
        ({**TABLES, "algorithm": {"type": "vote"}}, r"layers and another method.*type = \"solve\""),
        ({"layers": [{"type": "generat"}]}, r"layers\[0\].*Did you mean 'generate'"),
        ({"layers": [{"type": "rank"}]}, "Layer 1 of the pipeline, 'rank'"),
        ({"layers": [{"type": "solve", "recipe": "voet"}]}, "Did you mean 'vote'"),
        (
            {"layers": [{"type": "solve", "recipe": {"algorithm": {"type": "vote", "n": 0}}}]},
            "in a stage 'solve'.*algorithm.n",
        ),
    ],
)
def test_a_refusal_names_the_place(tables: dict[str, Any], named: str) -> None:
    with pytest.raises(RecipeError, match=named):
        load(tables)


def test_a_recipe_inside_inherits_what_it_lacks_and_keeps_its_share() -> None:
    inner = {"algorithm": {"type": "vote", "n": 8}, "budget": {"calls": 3}}
    recipe = load({**TABLES, "layers": [{"type": "solve", "recipe": inner}, {"type": "rank"}]})
    found = solve(recipe)
    assert found.answer == "42"
    assert found.cost.calls == 3 + 1

    async def work() -> float:
        async with build(recipe) as built:
            return (await most(built, [TASK])).bounds["calls"]

    assert asyncio.run(work()) == 3 + 2


def test_engines_of_stages_and_of_recipes_inside_are_opened_once_and_closed() -> None:
    other = {"type": "scripted", "otherwise": "It is 41."}
    layer = {
        "type": "side-by-side",
        "stages": [
            {"type": "generate", "engine": other},
            {"type": "solve", "recipe": {"algorithm": {"type": "vote", "n": 2}, "engine": other}},
            {"type": "generate"},
        ],
    }
    found = solve(load({**TABLES, "layers": [layer]}))
    assert [c.answer for c in found.candidates] == ["41", "41", "42"]


def test_what_cannot_be_a_pipeline_is_refused_before_anything_is_sent() -> None:
    recipe = load({**TABLES, "layers": [{"type": "generate"}, {"type": "score"}]})
    with pytest.raises(Incompatible, match="needs a verifier"):
        solve(recipe)
    with pytest.raises(Incompatible, match="looks at what a pipeline does not show"):
        solve(override(recipe, ["verifier.type=confidence"]))
    with pytest.raises(Incompatible, match="stages ask models"):
        outthink.solve(
            "What?", method=Pipeline(layers=(Generate(),)), process=outthink.Function(generate=lambda q: "42")
        )


def test_the_bound_holds_and_is_exact_where_every_reply_can_be_read() -> None:
    recipe = load(TABLES)

    async def work() -> Any:
        async with build(recipe) as built:
            return await most(built, [TASK, TASK])

    found = asyncio.run(work())
    assert [layer.calls for layer in found.layers] == [3, 1, 1]
    assert found.bounds["calls"] == 2 * (3 + 2 + 1)
    assert solve(recipe).cost.calls == 5


def test_a_stored_pipeline_goes_on_after_its_last_layer(tmp_path: Path) -> None:
    recipe = load(TABLES)
    whole = solve(recipe)

    async def work() -> tuple[outthink.Result, outthink.Result]:
        store = Store.open(tmp_path / "runs.sqlite")
        try:
            small = override(recipe, ["budget.calls=4"])
            first = await solve_and_store(Plan(small), TASK, store)
            return first, await resume_stored(store, first.run, budget=Budget(calls=50))
        finally:
            store.close()

    first, then = asyncio.run(work())
    assert first.limit == "calls"
    assert first.answer == "42"
    assert then.cost.calls == whole.cost.calls == 5
    assert then.answer == whole.answer
    assert [c.content for c in then.candidates] == [c.content for c in whole.candidates]
