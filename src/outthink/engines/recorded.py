"""A recorded run as an engine: every reply comes from a file, no model is needed, and nothing is ever sent.

    engine = recorded("run.jsonl")                     # or [engine] type = "recorded", path = "run.jsonl"

Prices, tokenizer and bills are those of the recording, so the same search with the same seed gives the same result, bit for bit. A
request that was not recorded is a `NotRecorded` error that names it: the search, its settings or its seed are not those of the recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from outthink.core.component import EngineSettings
from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut
from outthink.core.errors import EngineClosed, EngineError, Failure, InputError, explain
from outthink.core.half_pairs import from_json
from outthink.core.process import Adaptation
from outthink.core.task import Message
from outthink.engines.cassette import Cassette
from outthink.engines.engine import (
    Continued,
    Engine,
    EngineCapabilities,
    Generation,
    Request,
    ScoresContinuations,
    Tokenizer,
    Tokenizing,
    TokenPrompt,
)
from outthink.engines.paid_failure import PaidFailure
from outthink.engines.recording_capabilities import chat_key, decode_key, describe_rating, encode_key, rating_key
from outthink.engines.reply_codec import decode_continued, decode_costs, decode_generation
from outthink.engines.request_key import describe, request_key, requests_key
from outthink.engines.wrapping import variant


class NotRecorded(EngineError):
    """The recording holds no such request."""

    def __init__(self, cassette: Cassette, kind: str, about: str, key: str, index: int) -> None:
        before = f", which it holds {index} times" if index else ""
        super().__init__(
            explain(
                f"The recording {cassette.path.name} holds no such request.",
                got=f"{kind}: {about} (key {key}, sample {index}{before})",
                expected=f"one of its {len(cassette)} entries",
                remedy="Use the recorded search, settings and seed, or record this one: `outthink run --record FILE`.",
            )
        )


class Described(msgspec.Struct, frozen=True):
    """What the recording says of its engine."""

    name: str
    capabilities: EngineCapabilities
    end_tokens: tuple[int, ...] | None
    rates: bool
    opening: tuple[int, ...] = ()
    adaptations: tuple[Adaptation, ...] = ()


class RecordedEngine(Engine):
    """See the module. Make one with `recorded`, which adds the capabilities that the recorded engine had."""

    def __init__(self, cassette: Cassette, described: Described) -> None:
        self.cassette = cassette
        self.described = described
        self._counters = ZERO
        self._closed = False

    @property
    def name(self) -> str:
        return self.described.name

    @property
    def capabilities(self) -> EngineCapabilities:
        return self.described.capabilities

    @property
    def adaptations(self) -> tuple[Adaptation, ...]:
        """What the recorded engine said, when it was opened, that it does in another way."""
        return self.described.adaptations

    def counters(self) -> Cost:
        return self._counters

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        about = "; ".join(describe(r) for r in requests)
        return decode_costs(self.look_up("most", requests_key(self.name, requests), f"price of {about}"))

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        replies = [
            decode_generation(self.look_up("generate", request_key(self.name, r), describe(r))) for r in requests
        ]
        for reply in replies:
            if isinstance(reply, Generation | PaidFailure):
                self.count(reply.cost)
        return replies

    async def close(self) -> None:
        self._closed = True
        self.cassette.close()

    def look_up(self, kind: str, key: str, about: str) -> bytes:
        """The next recorded reply to this request. Raises `NotRecorded` or `EngineClosed`."""
        if self._closed:
            raise EngineClosed("The recorded engine was used after it was closed.")
        index = self.cassette.place(kind, key)
        value = self.cassette.find(kind, key, index)
        if value is None:
            raise NotRecorded(self.cassette, kind, about, key, index)
        return value

    def count(self, cost: Cost) -> None:
        """Add to what this engine has counted."""
        self._counters = self._counters + cost


class _RecordedTokenizer(Tokenizer):
    """Answers that the recording holds."""

    def __init__(self, cassette: Cassette, described: Described) -> None:
        self._cassette = cassette
        self._name = described.name
        self._end = frozenset(described.end_tokens or ())
        self._opening = tuple(described.opening)

    @property
    def end_tokens(self) -> frozenset[int]:
        return self._end

    @property
    def opening(self) -> tuple[int, ...]:
        return self._opening

    def encode(self, text: str, *, special: bool = False) -> tuple[int, ...]:
        return tuple(self._find("encode", encode_key(self._name, text, special), f"text ending in {text[-60:]!r}"))

    def decode(self, tokens: Sequence[int]) -> str:
        about = f"{len(tokens)} tokens ending in {list(tokens[-4:])}"
        return str(self._find("decode", decode_key(self._name, tokens), about))

    def chat(self, messages: Sequence[Message], *, prefix: str = "") -> tuple[int, ...]:
        about = f"chat of {len(messages)} messages"
        return tuple(self._find("chat", chat_key(self._name, messages, prefix), about))

    def _find(self, kind: str, key: str, about: str) -> Any:
        value = self._cassette.find(kind, key, 0)
        if value is None:
            raise NotRecorded(self._cassette, kind, about, key, 0)
        return from_json(value)


class ReplaysTokenizer(Tokenizing):
    """Added where the recorded engine owned a tokenizer."""

    cassette: Cassette
    described: Described

    @property
    def tokenizer(self) -> Tokenizer:
        """The recorded answers."""
        return _RecordedTokenizer(self.cassette, self.described)


class ReplaysRatings(ScoresContinuations):
    """Added where the recorded engine rated continuations."""

    look_up: Callable[[str, str, str], bytes]
    count: Callable[[Cost], None]
    name: str

    async def log_probs(
        self,
        pairs: Sequence[tuple[TokenPrompt, tuple[int, ...]]],
        *,
        owner: str = "",
        max_uncached: Sequence[int] | None = None,
    ) -> list[Continued | Failure]:
        """The recorded ratings."""
        replies = [
            decode_continued(
                self.look_up("log-probs", rating_key(self.name, prompt, given), describe_rating(prompt, given))
            )
            for prompt, given in pairs
        ]
        for reply in replies:
            if isinstance(reply, Continued):
                self.count(reply.cost)
        return replies


def recorded(source: str | Path | Cassette) -> RecordedEngine:
    """The engine that replays a recording. Raises `InputError` when there is none, or when it holds several engines."""
    cassette = source if isinstance(source, Cassette) else Cassette.read(source)
    names = cassette.keys("engine")
    if len(names) != 1:
        raise InputError(
            explain(
                f"The recording {cassette.path} cannot stand for one engine.",
                got=", ".join(names) or "no engine",
                expected="a recording of exactly one engine",
                remedy="Record each engine in a file of its own.",
            )
        )
    found = cassette.find("engine", names[0], 0) or b""
    described = msgspec.json.decode(found, type=Described)
    mixed = (ReplaysTokenizer,) if described.end_tokens is not None else ()
    rated = (ReplaysRatings,) if described.rates else ()
    return variant(RecordedEngine, *mixed, *rated)(cassette, described)


class Recorded(EngineSettings):
    """An engine that replays the recording in this file.

    Attributes:
        path: the file that a recording engine wrote.
    """

    path: str

    def open(self) -> RecordedEngine:
        return recorded(self.path)
