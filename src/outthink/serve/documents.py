"""Answers that must be JSON: what counts as one, what the model is told, and how documents are voted on field by field.

A candidate is valid when its whole text is one JSON document of the form asked for; any other candidate loses, whatever its score. Schemas
hold regular expressions, so they are applied in a worker process with a time limit.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outthink.core.errors import Failure
from outthink.verify.extract import last_json
from outthink.verify.json_fields import compact
from outthink.verify.pool import workers

SECONDS = 2.0


@dataclass(frozen=True)
class Form:
    """What the answer must be: any JSON object, or a document that a schema accepts."""

    schema: dict[str, Any] | None = None
    name: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """The schema that a reply can be held to while it is generated."""
        return self.schema if self.schema is not None else {"type": "object"}

    @property
    def instruction(self) -> str:
        """What the model is told."""
        if self.schema is None:
            return "Answer with one JSON object and nothing else."
        return (
            f"Answer with one JSON document and nothing else. It must fit this JSON schema:\n{json.dumps(self.schema)}"
        )


def parsed(text: str) -> Any:
    """The document that the whole text is. Raises `ValueError`."""

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is no JSON")

    return json.loads(text, parse_constant=constant)


async def problem(text: str, form: Form) -> str:
    """Why the text is not of this form; "" where it is."""
    try:
        document = parsed(text)
    except (ValueError, RecursionError):
        return "no JSON document alone"
    if form.schema is None:
        return "" if isinstance(document, dict) else "no JSON object"
    said: str | Failure = await workers().call("schema-error", document, form.schema, seconds=SECONDS)
    return said.message if isinstance(said, Failure) else said


def canonical(text: str) -> str:
    """One spelling for equal documents."""
    return compact(last_json(text))


def elected(texts: Sequence[str], votes: Sequence[float]) -> dict[str, Any] | None:
    """The object whose every field is the one with most votes, fields that most leave out left out; None where some are no objects.

    Among equals the value that was seen first. Votes are non-negative, one a text, [n].
    """
    documents = [parsed(text) for text in texts]
    if not documents or not all(isinstance(document, dict) for document in documents):
        return None
    names = list(dict.fromkeys(name for document in documents for name in document))
    chosen: dict[str, Any] = {}
    for name in names:
        ballots: dict[str, float] = {}
        values: dict[str, Any] = {}
        for document, weight in zip(documents, votes, strict=True):
            key = compact_value(document[name]) if name in document else ""
            ballots[key] = ballots.get(key, 0.0) + weight
            values.setdefault(key, document.get(name))
        best = max(ballots, key=lambda key: ballots[key])
        if best:
            chosen[name] = values[best]
    return chosen


def compact_value(value: Any) -> str:
    """One spelling for equal values, numbers included."""
    return compact(last_json(json.dumps({"value": value})))
