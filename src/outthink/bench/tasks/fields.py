"""Fields of a row, each of the type that its reader needs; what is missing or of another type is said by name.

question = text(data, "question")        # raises BadField("no field 'question'; it has answer, id")
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from outthink.verify.numbers import number


class BadField(Exception):
    """A row that cannot become a question; the message is for its report."""


def present(data: Mapping[str, Any], *names: str) -> Any:
    """The first of these fields that the row has with a value. Raises `BadField`."""
    for name in names:
        if data.get(name) is not None:
            return data[name]
    empty = [name for name in names if name in data]
    if empty:
        raise BadField(f"the field {empty[0]!r} is empty")
    has = ", ".join(sorted(map(str, data))[:12]) or "nothing"
    raise BadField(f"no field {' or '.join(map(repr, names))}; it has {has}")


def text(data: Mapping[str, Any], *names: str) -> str:
    """A text with something in it."""
    value = present(data, *names)
    if not isinstance(value, str):
        raise BadField(f"the field {_held(data, names)!r} is {_a(value)}, expected a text")
    if not value.strip():
        raise BadField(f"the field {_held(data, names)!r} is empty")
    return value


def answer_text(data: Mapping[str, Any], *names: str) -> str:
    """An answer that is a text, or a number or truth value that can be written as one."""
    value = present(data, *names)
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, float):
        return _written(value, _held(data, names))
    return text(data, *names)


def exact_number(data: Mapping[str, Any], *names: str) -> Fraction:
    """A number, or a text that is one as a whole."""
    value = present(data, *names)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadField(f"the field {_held(data, names)!r} is {_a(value)}, expected a number")
    if isinstance(value, float):
        return Fraction(_written(value, _held(data, names)))
    found = Fraction(value) if isinstance(value, int) else number(value, percent_is_fraction=False)
    if found is None:
        raise BadField(f"the field {_held(data, names)!r} is {str(value)[:60]!r}, expected a number")
    return found


def listed(data: Mapping[str, Any], *names: str) -> list[Any]:
    """A list with something in it."""
    value = present(data, *names)
    if not isinstance(value, list) or not value:
        raise BadField(f"the field {_held(data, names)!r} is {_a(value)}, expected a list")
    return value


def own_id(data: Mapping[str, Any], *names: str) -> str:
    """The row's own id as text, "" where it has none."""
    for name in names:
        value = data.get(name)
        if isinstance(value, bool | list | dict):
            raise BadField(f"the field {name!r} is {_a(value)}, expected a text or a number")
        if value is not None and str(value).strip():
            return str(value).strip()
    return ""


def _held(data: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if data.get(name) is not None), names[0])


def _written(value: float, name: str) -> str:
    if not math.isfinite(value):
        raise BadField(f"the field {name!r} is {value}, expected a finite number")
    return str(int(value)) if value.is_integer() else repr(value)


def _a(value: Any) -> str:
    kinds = {
        dict: "an object",
        list: "a list",
        bool: "true or false",
        str: "a text",
        int: "a number",
        float: "a number",
    }
    return kinds.get(type(value), f"of type {type(value).__name__}") if value != [] else "an empty list"
