"""Recipes: a search as data, from a file, a preset or the command line to something that solves.

    recipe = load("particle-filter")                       # or a path, or TOML text
    recipe = override(recipe, ["algorithm.n=16"])          # what command-line flags are
    async with build(recipe) as built: ...                 # opens the engine, closes it again

`registry` knows which word stands for which settings class, plug-ins included; `digest` names what a recipe does; `most` says what it can
cost at most, spending nothing. If unsure which preset: "vote" for short answers, "particle-filter" with a verifier of steps.
"""

from outthink.recipes.build import Built, Live, build
from outthink.recipes.digest import digest
from outthink.recipes.engines import Engines
from outthink.recipes.function import Function
from outthink.recipes.load import load, presets
from outthink.recipes.override import override
from outthink.recipes.plan import Plan, plan
from outthink.recipes.recipe import Recipe, from_tables
from outthink.recipes.registry import KINDS, Kind, Registry, components, find
from outthink.recipes.schema import json_schema
from outthink.recipes.show import to_toml
from outthink.recipes.solving import as_task, solve_task, solve_tasks

__all__ = [
    "KINDS",
    "Built",
    "Engines",
    "Function",
    "Kind",
    "Live",
    "Plan",
    "Recipe",
    "Registry",
    "as_task",
    "build",
    "components",
    "digest",
    "find",
    "from_tables",
    "json_schema",
    "load",
    "override",
    "plan",
    "presets",
    "solve_task",
    "solve_tasks",
    "to_toml",
]
