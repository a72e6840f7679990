"""A recipe as TOML, in full: every default written out, each setting with its type and what it is for as a comment."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from outthink.core.settings import Settings
from outthink.recipes.describe import Described, describe, key_name, plain, summary
from outthink.recipes.layers import LAYERS
from outthink.recipes.recipe import TABLES, Recipe

WIDTH = 100


def to_toml(recipe: Recipe, *, comments: bool = True, defaults: bool = True) -> str:
    """TOML text that `load` reads back as an equal recipe.

    Args:
        comments: whether to say of each setting its type and what it is for.
        defaults: whether to write out settings that have their default.
    """
    lines = [f"description = {plain(recipe.description)}"] if recipe.description else []
    written = recipe.tables()
    for name in TABLES:
        part: Settings | None = getattr(recipe, name)
        if part is None or name not in written or (name == "budget" and not recipe.budget.limits()):
            continue
        lines += ["", f"[{name}]"]
        if comments:
            lines += _comment(summary(type(part)))
        lines += _settings(type(part), written[name], comments, defaults)
    for layer, table in zip(getattr(recipe.algorithm, LAYERS, ()), written.get(LAYERS, ()), strict=True):
        lines += ["", f"[[{LAYERS}]]"]
        if comments:
            lines += _comment(summary(type(layer)))
        lines += _settings(type(layer), table, comments, defaults)
    return "\n".join(lines).strip() + "\n"


def settings_table(cls: type[Settings]) -> str:
    """What a component can be set to, as lines of text."""
    lines = [summary(cls), ""]
    for one in describe(cls):
        lines.append(f"{one.name}: {one.type}" + _default(one))
        if one.doc:
            lines += textwrap.wrap(one.doc, WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(lines)


def _default(one: Described) -> str:
    if one.default.startswith("("):
        return f"  {one.default}"
    return f"  (default {one.default or 'none'})"


def _settings(cls: type[Settings], table: Mapping[str, Any], comments: bool, defaults: bool) -> Iterator[str]:
    if "type" in table:
        yield f"type = {plain(table['type'])}"
    for one in describe(cls):
        if one.name == LAYERS and LAYERS not in table:
            continue  # they stand in tables of their own
        value = table.get(one.name)
        if not defaults and plain(value) == one.default:
            continue
        if comments:
            yield from _comment(f"{one.name}: {one.type}." + (f" {one.doc}" if one.doc else ""))
        if value is not None:
            yield f"{key_name(one.name)} = {plain(value)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ")
