"""Archon's configurations as recipes: models are mapped by texts such as `gpt-4o=openai:NAME`, as the command line has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from outthink.core.errors import SettingsError, explain
from outthink.pipeline import read_archon
from outthink.pipeline.stage import AnyEngine
from outthink.recipes.plan import plan
from outthink.recipes.recipe import Recipe, from_tables


def from_archon(path: Path, models: Sequence[str]) -> tuple[Recipe, tuple[str, ...]]:
    """The recipe of a configuration, and what was read otherwise. Raises `SettingsError` for what cannot be read, or names no engine."""
    found = read_archon(path.read_bytes(), dict(_mapped(one) for one in models))
    base = from_tables({"layers": [{"type": "generate"}], "description": f"{found.name}, from Archon"}, str(path))
    return plan(recipe=base, method=found.pipeline, model=found.engine).recipe, found.notes


def _mapped(text: str) -> tuple[str, AnyEngine]:
    name, separator, engine = text.rpartition("=")
    if not separator or not name or not engine:
        raise SettingsError(
            explain(
                "A model is mapped as NAME=ENGINE[:MODEL].",
                got=text,
                expected="for example gpt-4o=openai:NAME, or *=local for any other",
                remedy="Put the model's name before an equals sign.",
            )
        )
    settings = plan(model=engine).recipe.engine
    if not isinstance(settings, AnyEngine):
        raise SettingsError(
            explain("A stage cannot ask this engine.", got=engine, expected=str(AnyEngine), remedy="Map another.")
        )
    return name, settings
