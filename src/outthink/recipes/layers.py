"""Pipelines in recipes: the tables `[[layers]]`, and the recipes inside the stages "solve".

    [[layers]]
    type = "generate"
    samples = 8

    [[layers]]
    type = "vote"

The layers are the setting `layers` of the method "pipeline", which need not be named where there are layers; `[algorithm]` beside them
holds its other settings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from outthink.core.component import EngineSettings
from outthink.core.errors import RecipeError, explain
from outthink.recipes.engines import own_engines

if TYPE_CHECKING:
    from outthink.pipeline import Solve
    from outthink.recipes.recipe import Recipe

LAYERS = "layers"
PIPELINE = "pipeline"
INHERITED = ("engine", "process", "verifier", "answer", "tolerance")


def joined(tables: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The tables with the layers in the method's own table. Raises `RecipeError` beside another method."""
    if LAYERS not in tables:
        return tables
    method = tables.get("algorithm", {})
    if not isinstance(method, Mapping) or method.get("type", PIPELINE) != PIPELINE:
        raise RecipeError(
            explain(
                f"{where} has layers and another method at `$.algorithm`.",
                got=method,
                expected="[[layers]] alone, or one method",
                remedy='A search can be a layer: [[layers]] type = "solve", recipe = "...".',
            )
        )
    rest = {name: table for name, table in tables.items() if name != LAYERS}
    return {**rest, "algorithm": {"type": PIPELINE, **method, LAYERS: tables[LAYERS]}}


def split(tables: dict[str, Any]) -> dict[str, Any]:
    """The same tables with a pipeline's layers on their own."""
    method = tables["algorithm"]
    if method.get("type") != PIPELINE or LAYERS not in method:
        return tables
    rest = {name: value for name, value in method.items() if name != LAYERS}
    return {**tables, "algorithm": rest, LAYERS: _lists(method[LAYERS])}


def _lists(value: Any) -> Any:
    """The same with lists for tuples, so that a change can be made in place."""
    if isinstance(value, dict):
        return {name: _lists(one) for name, one in value.items()}
    return [_lists(one) for one in value] if isinstance(value, (list, tuple)) else value


def inner_recipe(outer: Recipe, stage: Solve, where: str) -> Recipe:
    """The recipe of a stage "solve"; tables that it lacks are the outer recipe's. Raises `RecipeError`."""
    from outthink.recipes.load import load
    from outthink.recipes.recipe import from_tables

    if isinstance(stage.recipe, str):
        return replace(load(stage.recipe), engine=outer.engine)
    given = outer.tables()
    inherited = {name: given[name] for name in INHERITED if name in given and name not in stage.recipe}
    return from_tables({**inherited, **stage.recipe}, f"{where}, in a stage 'solve'")


def inner_recipes(recipe: Recipe, where: str = "The recipe") -> Iterator[tuple[Solve, Recipe]]:
    """The recipes of its stages "solve", in their order."""
    from outthink.pipeline import Pipeline

    if isinstance(recipe.algorithm, Pipeline):
        for stage in recipe.algorithm.solves():
            yield stage, inner_recipe(recipe, stage, where)


def engines_inside(recipe: Recipe) -> tuple[EngineSettings, ...]:
    """The engines that a recipe's method asks for: those of its stages, and all those of the recipes inside it."""
    found = list(own_engines(recipe.algorithm))
    for _, inner in inner_recipes(recipe):
        more = (inner.engine, *own_engines(inner.verifier), *engines_inside(inner))
        found += [one for one in more if one != recipe.engine]
    return tuple(one for at, one in enumerate(found) if one not in found[:at])
