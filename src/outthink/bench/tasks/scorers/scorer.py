"""What all scorers share: the text that is marked, and the place where an answer has to stand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from outthink.core.errors import Failure, VerifierError
from outthink.core.task import Candidate
from outthink.verify.extract import after_marker, boxed, last_line
from outthink.verify.finders import MARKERS


class Scorer(ABC):
    """Marks finished candidates of one question. Blocks for as long as it takes: call it off the event loop (`Question.marks`)."""

    def __call__(self, candidate: Candidate) -> bool:
        """Whether the answer is right. Raises `VerifierError` where it cannot be told."""
        return self.credit(candidate) >= 1.0

    def credit(self, candidate: Candidate) -> float:
        """What the answer is worth, in [0, 1]; an unfinished candidate is worth nothing, for its answer may be half written."""
        said = said_by(candidate)
        return self.mark(said) if candidate.final and said.strip() else 0.0

    @abstractmethod
    def mark(self, text: str) -> float:
        """What a finished text is worth, in [0, 1]."""


def said_by(candidate: Candidate) -> str:
    """What was said: the text, or the extracted answer of what is none."""
    return candidate.content if isinstance(candidate.content, str) else candidate.answer or ""


def marked_place(text: str) -> str | None:
    """What stands in the last box, else after the last marker; None without either."""
    return boxed(text) or after_marker(text, MARKERS)


def place_or_line(text: str) -> str | None:
    """The marked place, else the last line; for answers that are compared as a whole."""
    return marked_place(text) or last_line(text)


def known(reply: Any, what: str) -> Any:
    """A worker's reply. Raises `VerifierError` for a failure."""
    if isinstance(reply, Failure):
        raise VerifierError(f"{what}: {reply.kind}: {reply.message}")
    return reply
