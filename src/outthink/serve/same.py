"""Which answers of a request's search are the same: documents by their fields, tool calls by name and arguments."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import msgspec

from outthink.core.task import Candidate, Task
from outthink.core.verifier import Equivalence
from outthink.serve.asking import Ask
from outthink.serve.documents import Form, canonical, problem
from outthink.serve.tap import Tap


def equivalence_of(ask: Ask, tap: Tap | None) -> Equivalence | None:
    """What a form or tools ask for; None where the recipe decides."""
    if ask.form is not None:
        return Documents(ask.form)
    return Calls(tap) if ask.tools is not None and tap is not None else None


class Documents(Equivalence):
    """Equal documents are equal answers; what is not of the form abstains."""

    def __init__(self, form: Form) -> None:
        self._form = form

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        texts = [str(candidate.content) for candidate in candidates]
        return [None if await problem(text, self._form) else canonical(text) for text in texts]


class Calls(Equivalence):
    """Equal calls are equal answers, whatever is said besides; without calls the text counts."""

    def __init__(self, tap: Tap) -> None:
        self._tap = tap

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        return [self._key(str(candidate.content)) for candidate in candidates]

    def _key(self, content: str) -> Hashable | None:
        text, calls = self._tap.split(content)
        if not calls:
            return text.strip() or None
        return msgspec.json.encode([(call.name, canonical(call.arguments)) for call in calls])
