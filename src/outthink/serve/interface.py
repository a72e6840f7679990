"""What each of the three interfaces is to the gateway: a body in, a document or a stream of events out."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from outthink.serve.asking import Ask
from outthink.serve.searching import Outcome
from outthink.serve.selecting import Answered

_PIECE = re.compile(r"\s*\S+|\s+")


@dataclass(frozen=True)
class Reply:
    """One reply that is to be written. `created` is in seconds since 1970."""

    id: str
    created: int
    ask: Ask
    outcome: Outcome


class Interface(ABC):
    """One address of the gateway."""

    @property
    @abstractmethod
    def prefix(self) -> str:
        """How its ids begin."""

    @abstractmethod
    def read(self, body: Mapping[str, Any]) -> Ask:
        """What is asked. Raises `Refusal`."""

    @abstractmethod
    def document(self, reply: Reply) -> dict[str, Any]:
        """The whole reply."""

    @abstractmethod
    def events(self, reply: Reply) -> Iterator[bytes]:
        """The reply as a stream of events."""


def event(document: Any, name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + msgspec.json.encode(document) + b"\n\n"


def pieces(answer: Answered) -> list[tuple[str, int, int]]:
    """The text in the pieces that a stream carries, with the tokens (from, to) that each is made of; words where tokens are not known."""
    if answer.tokens is not None:
        return [(token.text, i, i + 1) for i, token in enumerate(answer.tokens)]
    return [(found.group(), 0, 0) for found in _PIECE.finditer(answer.text)]
