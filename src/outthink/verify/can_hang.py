"""What may take for ever: users' regular expressions, symbolic mathematics, JSON schemas, SQL, HTML, generated tasks. For workers only.

Each entry of `FUNCTIONS` loads what its function needs and returns the function, so that loading does not count as running.
Arguments and results are plain values. Anything raised becomes a failure of the one candidate.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Function = Callable[..., Any]


def _search() -> Function:
    def search(pattern: str, text: str, group: int | str) -> str | None:
        """Group `group` of the last match, None without one."""
        found: str | None = None
        for match in re.finditer(pattern, text):
            found = match.group(group)
        return found

    return search


def _matches() -> Function:
    def matches(pattern: str, text: str, whole: bool) -> bool:
        """Whether `text` matches somewhere, or as a whole."""
        return (re.fullmatch if whole else re.search)(pattern, text) is not None

    return matches


def _schema_error() -> Function:
    import jsonschema

    def schema_error(document: Any, schema: dict[str, Any]) -> str:
        """The first thing that is wrong with `document`, "" for nothing."""
        kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
        errors = sorted(
            kind(schema).iter_errors(document), key=lambda error: [str(part) for part in error.absolute_path]
        )
        return "" if not errors else f"{errors[0].json_path}: {errors[0].message}"

    return schema_error


def _canonical() -> Function:
    from outthink.verify.mathematics_in_worker import canonical

    return canonical


def _equal() -> Function:
    from outthink.verify.mathematics_in_worker import equal

    return equal


def _sql() -> Function:
    from outthink.verify.sqlite_in_worker import result

    return result


def _gym_questions() -> Function:
    from outthink.verify.reasoning_gym_in_worker import questions

    return questions


def _gym_credit() -> Function:
    from outthink.verify.reasoning_gym_in_worker import credit

    return credit


def _page_structure() -> Function:
    from outthink.verify.page_structure_in_worker import similarity

    return similarity


FUNCTIONS: dict[str, Callable[[], Function]] = {
    "search": _search,
    "matches": _matches,
    "schema-error": _schema_error,
    "canonical": _canonical,
    "equal": _equal,
    "sql": _sql,
    "page-structure": _page_structure,
    "gym-questions": _gym_questions,
    "gym-credit": _gym_credit,
}
