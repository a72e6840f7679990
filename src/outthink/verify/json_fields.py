"""Answers that are JSON, compared field by field.

    JsonFields(fields=("name", "size.width")).extract('Sure: {"size": {"width": 2.0}, "name": "box", "note": "..."}')
    # '{"name":"box","size":{"width":2}}'

Key order, white space and the spelling of numbers (2, 2.0, 2e0) make no difference; texts, lists and types do. A text without a JSON
document, or without one of the chosen fields, abstains.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Annotated, Any

from msgspec import Meta

from outthink.core.task import Candidate, Task
from outthink.verify.extract import last_json
from outthink.verify.live_settings import LiveAnswer
from outthink.verify.numbers import canonical

_MISSING = object()


class JsonFields(LiveAnswer):
    """Documents with equal fields are equal answers.

    Attributes:
        fields: names, with dots into nested objects; none for the whole document.
    """

    fields: tuple[Annotated[str, Meta(min_length=1)], ...] = ()

    def extract(self, text: str) -> str | None:
        document = last_json(text)
        if document is None:
            return None
        if not self.fields:
            return compact(document)
        chosen: dict[str, Any] = {}
        for name in self.fields:
            value = _field(document, name.split("."))
            if value is _MISSING:
                return None
            _put(chosen, name.split("."), value)
        return compact(chosen)

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        return [None if candidate.answer is None else self.extract(candidate.answer) for candidate in candidates]


def compact(value: Any) -> str:
    """JSON with sorted names, no white space, and one spelling for each number."""
    if isinstance(value, dict):
        inside = ",".join(f"{json.dumps(key, ensure_ascii=False)}:{compact(value[key])}" for key in sorted(value))
        return "{" + inside + "}"
    if isinstance(value, list):
        return "[" + ",".join(compact(item) for item in value) + "]"
    if isinstance(value, Fraction):
        return canonical(value)
    return json.dumps(value, ensure_ascii=False)


def _field(value: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return _MISSING
        value = value[name]
    return value


def _put(target: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        target = target.setdefault(name, {})
    target[path[-1]] = value
