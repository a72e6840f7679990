"""What a reward model is to read of one candidate, and what it read: plain data between the verifier and whoever runs the model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from outthink.core.errors import Failure
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Rating:
    """What was read of one candidate.

    Attributes:
        rows: the head's numbers where they are read, [steps, classes]; a single row for a whole answer.
        tokens: how many the candidate and its prompt are; `computed`: those of them that were not at hand from before.
    """

    rows: FloatArray
    tokens: int
    computed: int


class AnswerScorer(ABC):
    """A reward model that is open. Usable from one thread at a time."""

    @abstractmethod
    def prompt_tokens(self, question: str) -> int:
        """Tokens of a prompt without any answer."""

    @abstractmethod
    def rate(self, question: str, answers: Sequence[Sequence[str]], *, most: int) -> list[Rating | Failure]:
        """One rating an answer, each given as its steps, in order. What is longer than `most` tokens with its prompt fails by itself."""

    @abstractmethod
    def close(self) -> None:
        """Free the model."""
