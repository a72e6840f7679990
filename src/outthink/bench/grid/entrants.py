"""Who takes part: every recipe of a grid at every size, on every set of tasks, with one thing varied at a time.

    for entrant in entrants(grid, posed): entrant.method, entrant.size, entrant.recipe

A method that only selects (`selecting.selects`) reads a stored pool of samples, billed in full; the others grow their answers themselves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from outthink.bench.grid.posing import NotRun, Posed
from outthink.bench.grid.settings import Grid, GridRecipe, Variant
from outthink.core.errors import RecipeError
from outthink.recipes.load import load
from outthink.recipes.override import override
from outthink.recipes.recipe import Recipe, from_tables

SHARED = ("engine", "process", "answer", "verifier")
PARTS = ("engine", "process", "answer", "verifier", "tolerance")
DRAWN = ("engine", "process", "answer")


@dataclass(frozen=True)
class Entrant:
    """One method at one size on one set of tasks.

    Attributes:
        method, size: as they stand in the tables. set: the name of the set.
        part: names engine, process, verifier and answer; entrants that share it share what is opened.
    """

    method: str
    size: int
    seeds: tuple[int, ...]
    set: str
    recipe: Recipe
    part: str


def entrants(grid: Grid, posed: Posed) -> list[Entrant]:
    """Every entrant that runs here. Raises `RecipeError`, naming the recipe."""
    found = []
    for entry, method, variant in _methods(grid):
        if entry.not_run or variant.not_run:
            continue
        for name, tasks in posed.sets.items():
            for size in entry.sizes or grid.sizes:
                recipe = resolved(grid, entry, variant, tasks.answer, size)
                seeds = grid.all_seeds if entry.seeds is None else entry.seeds
                found.append(Entrant(method, size, seeds, name, recipe, part_of(recipe, PARTS)))
    return found


def not_run(grid: Grid) -> tuple[NotRun, ...]:
    """The methods of a grid that are not run here, and why: one line for all that a variant of an axis keeps out."""
    kept_out: dict[tuple[str, str], list[str]] = {}
    for entry, method, variant in _methods(grid):
        if why := entry.not_run or variant.not_run:
            kept_out.setdefault((method.removeprefix(entry.called), why), []).append(entry.called)
    return tuple(
        NotRun(f"method{'s' * (len(called) > 1)} {', '.join(called)}{varied}", why)
        for (varied, why), called in kept_out.items()
    )


def resolved(grid: Grid, entry: GridRecipe, variant: Variant, answer: Mapping[str, Any], size: int) -> Recipe:
    """The whole recipe of a method at a size on a set whose answers are read by the table `answer`."""
    where = f"Recipe {entry.called!r} of the grid"
    try:
        given = entry.recipe
        tables: dict[str, Any] = load(given).tables()
        own = set(given) if isinstance(given, dict) else set()
        for kind in SHARED:
            table = getattr(grid, kind)
            if table is not None and kind not in own and (kind != "verifier" or kind in tables):
                tables[kind] = table
        if grid.answer is None and "answer" not in own:
            tables["answer"] = dict(answer)
        sized = [(entry.size_setting, max(1, round(size * entry.per_size)))] if entry.size_setting else []
        return override(from_tables(tables, where), [*entry.changes, *variant.changes, *sized], where=where)
    except RecipeError as error:
        raise RecipeError(f"{where}, at size {size}: {error}") from None


def part_of(recipe: Recipe, kinds: tuple[str, ...]) -> str:
    """12 hexadecimal digits that name these parts of a recipe."""
    tables = recipe.tables()
    # The layers of a pipeline say which engines and searches its process holds.
    chosen = {kind: tables[kind] for kind in (*kinds, "layers") if kind in tables}
    return hashlib.sha256(msgspec.json.encode(chosen, order="sorted")).hexdigest()[:12]


def _methods(grid: Grid) -> Iterator[tuple[GridRecipe, str, Variant]]:
    plain = Variant(name="as it is")
    for entry in grid.recipes:
        yield entry, entry.called, plain
        for axis in grid.axes:
            if axis.recipes and entry.called not in axis.recipes:
                continue
            for variant in axis.variants:
                yield entry, f"{entry.called} {axis.name}={variant.name}", variant
