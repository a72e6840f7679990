"""Changes to a recipe by dotted names: what command-line flags are, and nothing else.

    override(load("best-of-n"), ["algorithm.n=16", "verifier.type=exact", "budget.tokens=4000"])

A value is read as TOML (`16`, `0.5`, `true`, `["a", "b"]`, `{ type = "running-max" }`); what the setting takes as text may stand without
quotes. Another `type` starts that table afresh with the defaults of that type. `verifier.type=none` and `answer.type=none` take the table
away. Changes apply in order.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from outthink.core.errors import RecipeError, explain, nearest
from outthink.core.settings import Settings
from outthink.recipes.decode import NOTHING, class_for, type_at
from outthink.recipes.layers import LAYERS, PIPELINE
from outthink.recipes.recipe import OPTIONAL, PLAIN, TABLES, Recipe, from_tables, settings_class
from outthink.recipes.registry import KINDS

NONE = "none"
_EXAMPLES = {"budget": "tokens", "tolerance": "quorum"}


def override(recipe: Recipe, changes: Sequence[str | tuple[str, Any]], *, where: str = "The recipe") -> Recipe:
    """The recipe with changes: "PATH=VALUE" texts, or pairs of path and plain value. Raises `RecipeError`."""
    if not changes:
        return recipe
    tables = recipe.tables()
    named = [(change, None) if isinstance(change, str) else change for change in changes]
    shown = ", ".join(change if isinstance(change, str) else f"{change[0]}={change[1]}" for change in changes)
    where = f"{where} with {shown}"
    for change, (path_text, value) in zip(changes, named, strict=True):
        if isinstance(change, str):
            path_text, separator, raw = change.partition("=")
            if not separator or not path_text.strip():
                raise RecipeError(
                    explain(
                        "A change of a recipe is written as PATH=VALUE.",
                        got=change,
                        expected="for example algorithm.n=16",
                        remedy="Put the path of a setting before an equals sign.",
                    )
                )
            path = _path(path_text)
            _set(tables, path, _typed(raw.strip(), _annotation(tables, path, where)), where)
        else:
            _set(tables, _path(path_text), value, where)
    return from_tables(tables, where)


def _path(text: str) -> list[str]:
    path = text.strip().split(".")
    if path[0] not in (*TABLES, LAYERS):
        raise RecipeError(
            explain(
                "A recipe has no such table.",
                got=path[0],
                expected="one of " + ", ".join((*TABLES, LAYERS)),
                remedy=nearest(path[0], (*TABLES, LAYERS)),
            )
        )
    if len(path) < 2 or not all(path):
        raise RecipeError(
            explain(
                "A change names a setting inside a table.",
                got=text,
                expected=f"for example {path[0]}.{_EXAMPLES.get(path[0], 'type')}",
                remedy="Add the name of the setting after a dot.",
            )
        )
    return path


def _annotation(tables: Mapping[str, Any], path: Sequence[str], where: str) -> Any:
    """The type of the setting at `path`; `NOTHING` where it is not known (decoding will then say so)."""
    table = tables.get(path[0], {})
    if path[-1] == "type":
        return str
    if path[0] in PLAIN:
        return type_at(PLAIN[path[0]], table, path[1:])
    if path[0] == LAYERS:
        return type_at(settings_class("algorithm", {"type": PIPELINE}, where), tables, path)
    for kind in KINDS:
        if kind == path[0] and "type" in table:
            return type_at(settings_class(kind, table, where), table, path[1:])
    return NOTHING


def _typed(raw: str, annotation: Any) -> Any:
    try:
        value = tomllib.loads(f"value = {raw}")["value"]
    except (tomllib.TOMLDecodeError, KeyError):
        return raw
    if annotation is NOTHING or _fits(value, annotation) or not _fits(raw, annotation):
        return value
    return raw


def _fits(value: Any, annotation: Any) -> bool:
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return False
    return True


def _set(tables: dict[str, Any], path: Sequence[str], value: Any, where: str) -> None:
    if path[1:] == ["type"] and path[0] in OPTIONAL and value == NONE:
        tables.pop(path[0], None)
        return
    if path == ["algorithm", "type"] and value != PIPELINE:
        tables.pop(LAYERS, None)  # they are of the method that goes
    at: Any = tables
    for i, piece in enumerate(path[:-1]):
        at = _below(at, piece)
        if not isinstance(at, dict) and not (isinstance(at, list) and i + 2 < len(path)):
            raise RecipeError(
                explain(
                    f"{where}: `{'.'.join(path[: i + 1])}` has no settings of its own.",
                    got=at,
                    expected="a table",
                    remedy=f"Set {'.'.join(path[: i + 1])} itself.",
                )
            )
    if path[-1] == "type" and at.get("type") != value:
        at.clear()
        at["type"] = value
        at.update(_defaults(tables, path[:-1], where))
    else:
        at[path[-1]] = value


def _below(at: Any, piece: str) -> Any:
    """What stands at `piece` of a table, or at that place of a list; an empty table where a table has nothing there."""
    if isinstance(at, list):
        return at[int(piece)] if piece.isdigit() and int(piece) < len(at) else None
    if at.get(piece) is None:
        at[piece] = {}
    return at[piece]


def _defaults(tables: Mapping[str, Any], path: Sequence[str], where: str) -> dict[str, Any]:
    """The defaults of the settings class at `path`, written out, so that later changes find them there."""
    table, cls = tables[path[0]], None
    for kind in KINDS:
        if kind == path[0]:
            top = settings_class(kind, table, where)
            found: Any = type_at(top, table, path[1:])
            inner: Any = table
            for piece in path[1:]:
                inner = inner[piece]
            cls = None if found is NOTHING else class_for(found, inner)
    return {} if cls is None else written_defaults(cls)


def written_defaults(cls: type[Settings]) -> dict[str, Any]:
    """Every default of a settings class, as plain values."""
    defaults: dict[str, Any] = {}
    for field in msgspec.structs.fields(cls):
        if field.default is not msgspec.NODEFAULT:
            defaults[field.encode_name] = msgspec.to_builtins(field.default)
        elif field.default_factory is not msgspec.NODEFAULT:
            defaults[field.encode_name] = msgspec.to_builtins(field.default_factory())
    return defaults
