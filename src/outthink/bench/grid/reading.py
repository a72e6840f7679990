"""Grids from files, presets and flags, their names, and their quick form.

grid = read_grid("bench-laboratory.toml")          # a file, or the name of a preset
digest(grid)                                       # what its folder's journals belong to
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec

from outthink.bench.grid.settings import Grid
from outthink.core.errors import RecipeError, explain, nearest
from outthink.core.settings import Settings, replace
from outthink.recipes.decode import decode
from outthink.recipes.describe import key_name, plain
from outthink.recipes.plan import plan

BLOCKS = ("tasks", "recipes", "axes")
NO_PART_OF_IDENTITY = ("cap", "in_flight", "replies", "description", "missing")
QUICK_LIMIT, QUICK_SIZES = 8, 2


def grid_presets() -> tuple[str, ...]:
    """The names of the grids that come with the package, sorted."""
    folder = resources.files("outthink.bench") / "presets"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def read_grid(source: str | Path) -> Grid:
    """The grid of a file or a preset. Raises `RecipeError`."""
    name = str(source)
    if name in grid_presets():
        text = (resources.files("outthink.bench") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
        return grid_from(text, f"Grid {name!r}")
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            explain(
                f"The grid {name!r} cannot be read: {error}.",
                got=name,
                expected="a TOML file, or one of " + ", ".join(grid_presets()),
                remedy=nearest(name, grid_presets()),
            )
        ) from None
    return grid_from(text, f"Grid {name!r}")


def grid_from(text: str, where: str) -> Grid:
    """The grid that TOML text holds. Raises `RecipeError` that names the place."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(
            explain(
                f"{where} is not TOML.",
                got=str(error),
                expected="tables such as [[tasks]] and lines such as seeds = 3",
                remedy="Correct that line; text stands in quotes.",
            )
        ) from None
    return decode(tables, Grid, "$", where)


def grid_of(
    tasks: Sequence[str],
    methods: Sequence[str],
    *,
    model: str | None = None,
    verifier: str | None = None,
    answer: str | None = None,
    changes: Sequence[str] = (),
    **settings: Any,
) -> Grid:
    """The grid that flags describe; `settings` are the grid's own. Raises `RecipeError` and `SettingsError`."""
    shared: dict[str, Any] = {}
    # Read on a recipe, so that the flags mean what they mean to `outthink run`.
    read = plan(model=model, verifier=verifier, answer=answer).recipe.tables()
    for name, given in (("engine", model), ("verifier", verifier), ("answer", answer)):
        if given is not None and given != "none":
            shared[name] = _sayable(read[name])
    every = [{"recipe": method, "changes": list(changes)} for method in methods]
    tables = {"tasks": [task_table(task) for task in tasks], "recipes": every, **shared, **settings}
    return decode({name: value for name, value in tables.items() if value is not None}, Grid, "$", "The grid")


def over(grid: Grid, model: str | None, sizes: Sequence[int] | None, seeds: int | None) -> Grid:
    """The grid with another model, other sizes for recipes without sizes of their own, or so many seeds; None leaves a part as it is."""
    changes: dict[str, Any] = {}
    if model is not None:
        changes["engine"] = _sayable(plan(model=model).recipe.tables()["engine"])
    if sizes is not None:
        changes["sizes"] = tuple(sizes)
    if seeds is not None:
        changes["seeds"] = seeds
    return replace(grid, **changes)


def _sayable(value: Any) -> Any:
    """A table without settings that were not set: TOML, in which a run's folder keeps it, has no word for them."""
    if isinstance(value, Mapping):
        return {name: _sayable(one) for name, one in value.items() if one is not None}
    return [_sayable(one) for one in value] if isinstance(value, list | tuple) else value


def task_table(text: str) -> dict[str, Any]:
    """The table of "gsm8k:limit=20,offset=5", or of the path of a JSONL file."""
    head, _, rest = text.partition(":")
    table: dict[str, Any] = {"type": "jsonl", "path": head} if head.endswith(".jsonl") else {"type": head}
    for part in filter(None, (one.strip() for one in rest.split(","))):
        name, separator, value = part.partition("=")
        if not separator:
            raise RecipeError(
                explain(
                    "A task's settings are written as NAME=VALUE, with commas between.",
                    got=part,
                    expected="for example gsm8k:limit=20",
                    remedy="Put the setting's name before an equals sign.",
                )
            )
        try:
            table[name.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            table[name.strip()] = value
    return table


def quick(grid: Grid) -> Grid:
    """The same in small: at most 8 questions a task, the first two sizes, one seed."""

    def small(sizes: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(sizes)[:QUICK_SIZES])

    tasks = tuple({**table, "limit": min(QUICK_LIMIT, table.get("limit") or QUICK_LIMIT)} for table in grid.tasks)
    seeds = grid.all_seeds[:1]
    recipes = tuple(
        replace(
            one,
            sizes=None if one.sizes is None else small(one.sizes),
            seeds=None if one.seeds is None else one.seeds[:1],
        )
        for one in grid.recipes
    )
    sizes = small(grid.sizes)
    return replace(grid, tasks=tasks, seeds=seeds, sizes=sizes, recipes=recipes, pool=None)


def digest(grid: Grid) -> str:
    """12 hexadecimal digits that name what a grid measures; its cap and how many units run at once are no part of it."""
    tables = {name: value for name, value in written(grid).items() if name not in NO_PART_OF_IDENTITY}
    return hashlib.sha256(msgspec.json.encode(tables, order="sorted")).hexdigest()[:12]


def written(grid: Grid) -> dict[str, Any]:
    """The grid as plain tables, without what has its default."""
    tables: dict[str, Any] = _stated(grid)
    return tables


def _stated(value: Any) -> Any:
    if isinstance(value, Settings):
        return {
            field.encode_name: _stated(one)
            for field in msgspec.structs.fields(type(value))
            if (one := getattr(value, field.name)) != field.default
        }
    if isinstance(value, Mapping):
        return {name: _stated(one) for name, one in value.items()}
    return [_stated(one) for one in value] if isinstance(value, (list, tuple)) else value


def grid_to_toml(grid: Grid) -> str:
    """TOML text that `grid_from` reads back as an equal grid."""
    tables = written(grid)
    lines = [f"{key_name(name)} = {plain(value)}" for name, value in tables.items() if name not in BLOCKS]
    for name in BLOCKS:
        for block in tables.get(name, ()):
            lines += ["", f"[[{name}]]", *(f"{key_name(key)} = {plain(value)}" for key, value in block.items())]
    return "\n".join(lines) + "\n"
