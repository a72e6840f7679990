"""One table of a recipe into its settings class, and messages that a person can act on.

`msgspec` says what it expected and where; the value that stood there, the names that would have been right and the default are found here
by walking the same path through the table and the class.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin

import msgspec

from outthink.core.errors import RecipeError, explain, nearest
from outthink.core.settings import Settings

S = TypeVar("S", bound=Settings)

_PLACE = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_PIECE = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")
NOTHING = object()


def decode(table: Mapping[str, Any], cls: type[S], place: str, where: str) -> S:
    """The settings that `table` holds; `place` is its path in the recipe `where`. Raises `RecipeError`."""
    try:
        return msgspec.convert(dict(table), cls)
    except msgspec.ValidationError as error:
        raise RecipeError(_message(error, table, cls, place, where)) from None


def fields_of(cls: Any) -> dict[str, Any]:
    """The settings of a class, name to annotated type."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(cls)}


def choices(annotation: Any) -> tuple[type[Settings], ...]:
    """The settings classes that a value of this type may be: the members of a union, one class, or none."""
    if get_origin(annotation) is Annotated:
        return choices(get_args(annotation)[0])
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return (annotation,)
    if get_origin(annotation) is not None and not _is_container(annotation):
        return tuple(found for part in get_args(annotation) for found in choices(part))
    return ()


def class_for(annotation: Any, value: Any) -> type[Settings] | None:
    """The settings class that `value` is meant for, by its `type`; None when it is for none."""
    found = choices(annotation)
    tag = value.get("type") if isinstance(value, Mapping) else None
    named = [c for c in found if c.__struct_config__.tag == tag]
    return named[0] if named else found[0] if len(found) == 1 else None


def type_at(annotation: Any, value: Any, path: Sequence[str]) -> Any:
    """The annotated type at `path` below a value of type `annotation`; `NOTHING` where the path leads nowhere."""
    if not path:
        return annotation
    cls = class_for(annotation, value)
    if cls is not None:
        below = fields_of(cls).get(path[0], NOTHING)
        inner = value.get(path[0]) if isinstance(value, Mapping) else None
        return NOTHING if below is NOTHING else type_at(below, inner, path[1:])
    return _type_inside(annotation, value, path)


def value_at(value: Any, path: Sequence[str]) -> Any:
    """What stands at `path` below `value`; `NOTHING` where there is nothing."""
    for piece in path:
        if isinstance(value, Mapping) and piece in value:
            value = value[piece]
        elif isinstance(value, Sequence) and not isinstance(value, str) and piece.isdigit() and int(piece) < len(value):
            value = value[int(piece)]
        else:
            return NOTHING
    return value


def _type_inside(annotation: Any, value: Any, path: Sequence[str]) -> Any:
    """The same below a list, tuple, dictionary or union of them."""
    if get_origin(annotation) is Annotated or not _is_container(annotation):
        for part in get_args(annotation):
            found = type_at(part, value, path) if get_args(part) or choices(part) else NOTHING
            if found is not NOTHING:
                return found
        return NOTHING
    inner = value_at(value, path[:1])
    arguments = [a for a in get_args(annotation) if a is not Ellipsis]
    return type_at(arguments[-1], None if inner is NOTHING else inner, path[1:]) if arguments else NOTHING


def _is_container(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, (list, tuple, dict, set, frozenset, Mapping))


def _message(
    error: msgspec.ValidationError, table: Mapping[str, Any], cls: type[Settings], place: str, where: str
) -> str:
    text = str(error)
    found = _PLACE.search(text)
    problem = text[: found.start()] if found else text
    path = [a or b for a, b in _PIECE.findall(found.group("path"))] if found else []
    at = place + (found.group("path") if found else "")
    got = value_at(table, path)
    if isinstance(error.__cause__, ValueError):
        # A rule between settings: its own message has all four parts, only the place is missing.
        return f"{where} at `{at}`: {problem}"
    if unknown := _UNKNOWN.fullmatch(problem):
        inside = class_for(type_at(cls, table, path), got)
        known = sorted(fields_of(inside)) if inside else []
        return explain(
            f"{where} has an unknown setting at `{at}.{unknown.group(1)}`.",
            got=unknown.group(1),
            expected="one of " + ", ".join(known) if known else "no settings at all",
            remedy=nearest(unknown.group(1), known) if known else "Leave it out.",
        )
    if missing := _MISSING.fullmatch(problem):
        return explain(
            f"{where} lacks a setting at `{at}.{missing.group(1)}`.",
            got="nothing" if got is NOTHING else got,
            expected=_tags_expected(cls, table, path)
            if missing.group(1) == "type"
            else f"a value for {missing.group(1)}",
            remedy="Write it into the recipe: it has no default.",
        )
    if path and path[-1] == "type":
        tags = [str(c.__struct_config__.tag) for c in choices(type_at(cls, table, path[:-1]))]
        return explain(
            f"{where} has an unknown `type` at `{at}`.",
            got=got,
            expected="one of " + ", ".join(sorted(tags)),
            remedy=nearest(str(got), tags),
        )
    return explain(
        f"{where} has a bad value at `{at}`.",
        got=None if got is NOTHING else got,
        expected=problem.removeprefix("Expected ").split(", got ")[0],
        remedy="Correct it, or leave it out for the default.",
    )


def _tags_expected(cls: type[Settings], table: Mapping[str, Any], path: Sequence[str]) -> str:
    tags = sorted(str(c.__struct_config__.tag) for c in choices(type_at(cls, table, path)))
    return "type = " + " or ".join(repr(t) for t in tags)
