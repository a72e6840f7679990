"""What an engine offers besides replies, kept in a log: its tokenizer's answers, and its ratings of given continuations.

`RecordsTokenizer` and `RecordsRatings` are added to a recording engine whose inside has these capabilities, never to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from outthink.core.errors import Failure
from outthink.core.task import Message
from outthink.engines.engine import Continued, Engine, ScoresContinuations, Tokenizer, Tokenizing, TokenPrompt
from outthink.engines.reply_codec import decode_continued, encode_continued
from outthink.engines.reply_log import ReplyLog
from outthink.engines.request_key import digest
from outthink.engines.wrapping import ratings_in, tokenizer_in

T = TypeVar("T")


class _RecordingTokenizer(Tokenizer):
    """A tokenizer whose answers are kept."""

    def __init__(self, name: str, tokenizer: Tokenizer, log: ReplyLog) -> None:
        self._name = name
        self._tokenizer = tokenizer
        self._log = log

    @property
    def end_tokens(self) -> frozenset[int]:
        return self._tokenizer.end_tokens

    @property
    def opening(self) -> tuple[int, ...]:
        return self._tokenizer.opening

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        tokens = self._tokenizer.encode(text, special=special)
        return self._keep("encode", encode_key(self._name, text, special), tokens)

    def decode(self, tokens: Sequence[int]) -> str:
        return self._keep("decode", decode_key(self._name, tokens), self._tokenizer.decode(tokens))

    def chat(self, messages: Sequence[Message], *, prefix: str = "") -> tuple[int, ...]:
        tokens = self._tokenizer.chat(messages, prefix=prefix)
        return self._keep("chat", chat_key(self._name, messages, prefix), tokens)

    def _keep(self, kind: str, key: str, value: T) -> T:
        if self._log.find(kind, key, 0) is None:
            self._log.answered(kind, key, 0, msgspec.json.encode(value))
        return value


class RecordsTokenizer(Tokenizing):
    """Added to a recording engine whose inside owns a tokenizer."""

    engine: Engine
    log: ReplyLog

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer inside; its answers are kept where the log wants them, for a replay without a model."""
        inside = tokenizer_in(self.engine)
        return _RecordingTokenizer(self.engine.name, inside, self.log) if "encode" in self.log.kinds else inside


class RecordsRatings(ScoresContinuations):
    """Added to a recording engine whose inside rates given continuations."""

    engine: Engine
    log: ReplyLog

    async def log_probs(
        self,
        pairs: Sequence[tuple[TokenPrompt, tuple[int, ...]]],
        *,
        owner: str = "",
        max_uncached: Sequence[int] | None = None,
    ) -> list[Continued | Failure]:
        """Ratings from the log where it has them, from the engine inside for the rest."""
        inside = ratings_in(self.engine)
        keys = [rating_key(self.engine.name, prompt, continuation) for prompt, continuation in pairs]
        indices = [self.log.place("log-probs", key) for key in keys]
        kept = [self.log.find("log-probs", key, index) for key, index in zip(keys, indices, strict=True)]
        found = [None if data is None else decode_continued(data) for data in kept]
        results: list[Continued | Failure | None] = [None if isinstance(one, Failure) else one for one in found]
        fresh = [i for i, result in enumerate(results) if result is None]
        if fresh:
            for i in fresh:
                self.log.asked("log-probs", keys[i], indices[i], describe_rating(*pairs[i]))
            await self.log.kept()
            promised = None if max_uncached is None else [max_uncached[i] for i in fresh]
            replies = await inside.log_probs([pairs[i] for i in fresh], owner=owner, max_uncached=promised)
            for i, reply in zip(fresh, replies, strict=True):
                results[i] = reply
                self.log.answered("log-probs", keys[i], indices[i], encode_continued(reply))
            await self.log.kept()
        return [result for result in results if result is not None]


def encode_key(engine: str, text: str, special: bool) -> str:
    """The key of `Tokenizer.encode`."""
    return digest(engine, "encode", text, special)


def decode_key(engine: str, tokens: Sequence[int]) -> str:
    """The key of `Tokenizer.decode`."""
    return digest(engine, "decode", list(tokens))


def chat_key(engine: str, messages: Sequence[Message], prefix: str) -> str:
    """The key of `Tokenizer.chat`."""
    return digest(engine, "chat", list(messages), prefix)


def rating_key(engine: str, prompt: TokenPrompt, continuation: Sequence[int]) -> str:
    """The key of one rated continuation."""
    return digest(engine, "rating", prompt.tokens, list(continuation))


def describe_rating(prompt: TokenPrompt, continuation: Sequence[int]) -> str:
    """One rated continuation in one line."""
    return f"log-probabilities of {len(continuation)} tokens after {len(prompt.tokens)}"
