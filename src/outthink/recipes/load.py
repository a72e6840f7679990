"""Where recipes come from: a TOML file, a preset that ships with the package, the bare name of a method, or text.

    load("particle-filter")        # a preset
    load("searches/mine.toml")     # a file
    load('[algorithm]\ntype = "vote"')

A preset shares its name with the method that it uses where one stands for the method as such; a method without a preset of its own (one
from a plug-in) is a recipe with that method and defaults otherwise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from outthink.core.errors import RecipeError, explain, nearest
from outthink.recipes.recipe import Recipe, from_tables
from outthink.recipes.registry import registry


@cache
def presets() -> tuple[str, ...]:
    """The names of the presets, sorted."""
    folder = resources.files("outthink.recipes") / "presets"
    return tuple(sorted(f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")))


def load(source: str | Path | Mapping[str, Any]) -> Recipe:
    """The recipe that `source` names or holds. Raises `RecipeError`."""
    if isinstance(source, Mapping):
        return from_tables(source, "The recipe given")
    if isinstance(source, Path):
        return _from_file(source)
    if "\n" in source or "=" in source:
        return from_tables(_parse(source, "The recipe given as text"), "The recipe given as text")
    if source.endswith(".toml") or "/" in source:
        return _from_file(Path(source))
    if source in presets():
        return _preset(source)
    if source in registry().tags("algorithm"):
        return from_tables({"algorithm": {"type": source}}, f"Method {source!r}")
    known = {*presets(), *registry().tags("algorithm")}
    raise RecipeError(
        explain(
            "There is no recipe or method of this name.",
            got=source,
            expected="a preset, a method, or the path of a .toml file",
            remedy=nearest(source, known) + " `outthink recipes list` shows them all.",
        )
    )


@cache
def _preset(name: str) -> Recipe:
    """A preset ships with the package and does not change, and neither does a recipe."""
    text = (resources.files("outthink.recipes") / "presets" / f"{name}.toml").read_text(encoding="utf-8")
    where = f"Recipe {name!r}"
    return from_tables(_parse(text, where), where)


def _from_file(path: Path) -> Recipe:
    where = f"Recipe {str(path)!r}"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(
            explain(
                f"{where} cannot be read: {error.strerror or error}.",
                got=str(path),
                expected="a readable TOML file",
                remedy="Check the path. `outthink recipes list` shows the presets.",
            )
        ) from None
    except UnicodeDecodeError as error:
        raise RecipeError(
            explain(
                f"{where} is not text.",
                got=f"byte {error.object[error.start]:#04x} at position {error.start}",
                expected="TOML in UTF-8",
                remedy="Check that this is the file you meant.",
            )
        ) from None
    return from_tables(_parse(text, where), where)


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(
            explain(
                f"{where} is not TOML.",
                got=str(error),
                expected="tables such as [algorithm] and lines such as n = 8",
                remedy="Correct that line; text stands in quotes.",
            )
        ) from None
