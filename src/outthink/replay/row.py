"""One decoded row as samples of a question; what is wrong with it is said in one sentence."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from outthink.core.errors import InputError
from outthink.replay.fields import MISSING, Fields
from outthink.replay.samples import ABSTAINS, QuestionSamples

Keys = Callable[[Sequence[str | None]], Sequence[Hashable | None]]
SCORE = "score"
"""The name of scores that have none."""


def read_row(row: dict[str, Any], fields: Fields, number: int, keys: Keys) -> QuestionSamples:
    """The samples of one row. Raises `InputError`: a missing field, a wrong type, lists of unequal length, no way to tell what is right."""
    responses = fields.of_row(row, "responses")
    objects = responses if isinstance(responses, list) and responses and isinstance(responses[0], dict) else None

    def column(role: str) -> list[Any] | None:
        if objects is None:
            return _list(fields.of_row(row, role), role)
        found = [fields.of_sample(_object(one), role) for one in objects]
        if all(value is MISSING for value in found):
            return None
        return [None if value is MISSING else value for value in found]

    texts = column("responses")
    answers = column("answers")
    said = answers if answers is not None else texts
    if said is None:
        raise InputError("There are no answers and no responses.")
    n = len(said)
    if n == 0:
        raise InputError("There are no samples.")
    found = keys([_text(one) for one in said])
    right = column("right")
    if right is None:
        right = _against(fields.of_row(row, "reference"), said, keys)
    tokens = column("tokens")
    scores = _scores(fields.of_row(row, "scores") if objects is None else column("scores"), fields.aggregate)
    for name, values in {"right": right, "tokens": tokens, **scores}.items():
        if values is not None and len(values) != n:
            raise InputError(f"There are {len(values)} entries of {name!r} for {n} samples.")
    failed = [bool(_object(one).get("failure")) for one in objects] if objects is not None else None
    return QuestionSamples(
        question=_name(fields.of_row(row, "id"), str(number)),
        set=_name(fields.of_row(row, "set"), ""),
        answers=_classes(found),
        right=[_mark(one) for one in right],
        tokens=None if tokens is None else [_number(one, "tokens") for one in tokens],
        scores={name: np.array(values, float) for name, values in scores.items()},
        failed=failed,
    )


def _classes(keys: Sequence[Hashable | None]) -> list[int]:
    seen: dict[Hashable, int] = {}
    return [ABSTAINS if key is None else seen.setdefault(key, len(seen)) for key in keys]


def _against(reference: Any, said: list[Any], keys: Keys) -> list[bool]:
    if reference is MISSING or reference is None:
        raise InputError("Nothing says what is right: neither marks nor a reference.")
    *own, wanted = keys([*(_text(one) for one in said), _text(reference)])
    if wanted is None:
        raise InputError("The reference is blank.")
    return [key is not None and key == wanted for key in own]


def _scores(found: Any, aggregate: str) -> dict[str, list[float]]:
    if found is MISSING or found is None:
        return {}
    named = found if isinstance(found, dict) else {SCORE: found}
    if isinstance(found, list) and any(isinstance(one, dict) for one in found):
        tables = [_object(one) if one is not None else {} for one in found]
        named = {name: [table.get(name) for table in tables] for name in sorted({k for t in tables for k in t})}
    return {str(name): [_one_score(one, aggregate) for one in _list(v, "scores") or []] for name, v in named.items()}


def _one_score(value: Any, aggregate: str) -> float:
    if not isinstance(value, list):
        return _number(value, "scores")
    steps = [_number(one, "scores") for one in value]
    if not steps:
        return math.nan
    how: dict[str, Callable[[list[float]], float]] = {
        "last": lambda s: s[-1],
        "min": min,
        "prod": math.prod,
        "mean": lambda s: math.fsum(s) / len(s),
    }
    return how[aggregate](steps)


def _list(value: Any, role: str) -> list[Any] | None:
    if value is MISSING or value is None:
        return None
    if not isinstance(value, list):
        raise InputError(f"Expected a list of {role!r}, got {type(value).__name__}.")
    return value


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"Expected every sample to be an object, got {type(value).__name__}.")
    return value


def _number(value: Any, role: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"Expected numbers as {role!r}, got {type(value).__name__}.")
    if math.isinf(value):
        raise InputError(f"Expected finite numbers as {role!r}, got {value}.")
    return float(value)


def _mark(value: Any) -> bool:
    if isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1)):
        return bool(value)
    raise InputError(f"Expected true or false, 1 or 0 for what is right, got {value!r}.")


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"Expected answers as texts or numbers, got {type(value).__name__}.")
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e15 and value == int(value) else str(value)


def _name(value: Any, otherwise: str) -> str:
    if value is MISSING or value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"Expected an id as text or a whole number, got {type(value).__name__}.")
    return str(value)
