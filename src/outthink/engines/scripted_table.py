"""The scripted engine as settings: replies from a table, for recipes, examples and tests.

    Scripted(rules=(Rule(pattern="capital of France", replies=("Paris",)),), otherwise="I do not know.")

The first rule whose pattern is found in the question decides; its replies are equally likely, word by word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta

from outthink.core.component import EngineSettings
from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Positive, Settings
from outthink.engines.scripted import ScriptedEngine
from outthink.engines.scripted_behaviour import Behaviour
from outthink.engines.scripted_tokens import ASSISTANT, END, reply_of

__all__ = ["Rule", "Scripted"]


class Rule(Settings):
    """Replies to every prompt in which `pattern` is found, each as likely as the others."""

    pattern: str
    replies: Annotated[tuple[str, ...], Meta(min_length=1)]

    def check(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise SettingsError(
                explain(
                    "Rule.pattern is not a regular expression.",
                    got=self.pattern,
                    expected="a regular expression",
                    remedy=f"Correct it: {error}.",
                )
            ) from None


class Scripted(EngineSettings):
    """An engine that answers from a table: the first rule whose pattern is found decides; a prompt that no rule knows gets `otherwise`.

    Attributes:
        rules: patterns with their replies, in order.
        otherwise: the reply where no rule's pattern is found.
        context: the window in tokens; None for no bound.
        cached: whether prefixes that were seen before count as cached input. What a request costs then depends on those before it.
    """

    rules: tuple[Rule, ...] = ()
    otherwise: str = "I do not know."
    context: Positive | None = None
    cached: bool = True

    def open(self) -> ScriptedEngine:
        compiled = [(re.compile(rule.pattern), rule.replies) for rule in self.rules]

        def next_token(text: str) -> Mapping[str, float]:
            asked = text[: len(text) - len(reply_of(text))] if ASSISTANT in text else text
            for pattern, replies in compiled:
                found = pattern.search(asked)
                if found is not None:
                    return _next_piece(replies, reply_of(text) if ASSISTANT in text else text[found.end() :])
            return _next_piece((self.otherwise,), reply_of(text) if ASSISTANT in text else "")

        return ScriptedEngine(
            next_token, behaviour=Behaviour(context=self.context, cached=self.cached), name="scripted table"
        )


_PIECE = re.compile(r"\s*\S+|\s+")


def _next_piece(replies: Sequence[str], said: str) -> dict[str, float]:
    """The next word of each reply that begins with what was said, equally likely; the end when there is none left."""
    open_ends = [reply[len(said) :] for reply in replies if reply.startswith(said)]
    pieces = Counter(found.group() if (found := _PIECE.match(rest)) else END for rest in open_ends)
    return {piece: count / pieces.total() for piece, count in pieces.items()} or {END: 1.0}
