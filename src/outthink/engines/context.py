"""What a model has in view at a member's place, exactly: for verifiers that append to a copy of it, so that nothing is computed twice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Context:
    """The prompt's tokens and those of the text so far, in the engine's own vocabulary.

    Attributes:
        chat: whether they are a conversation in the model's template, open within the assistant's reply; else raw text.
    """

    tokens: tuple[int, ...]
    chat: bool
