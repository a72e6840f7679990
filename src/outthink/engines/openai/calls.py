"""Which requests share a call, and what a call may cost at most."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from outthink.core.errors import ContextOverflow, EngineError, explain
from outthink.engines.engine import ChatPrompt, Prompt, Request, TextPrompt
from outthink.engines.openai.body import Written
from outthink.engines.openai.drafts import Reply
from outthink.engines.openai.usage import Usage, least_tokens, most_tokens

_REMEMBERED = 4096


@dataclass
class Call:
    """One call to the backend, for one request or for several that differ in nothing but their seed.

    Attributes:
        slots: where its replies belong among the requests of one `generate`.
        input_least, input_most: bounds of the prompt in tokens; equal where the backend has counted this prompt before.
    """

    slots: list[int]
    requests: list[Request]
    written: Written
    input_least: int
    input_most: int
    reply: Reply = field(default_factory=Reply)
    settled: bool = False

    @property
    def n(self) -> int:
        """How many replies it asks for."""
        return len(self.slots)

    @property
    def request(self) -> Request:
        """The first of its requests; the others equal it but for the seed."""
        return self.requests[0]

    def over_promised(self) -> EngineError | None:
        """The refusal of a call that may bill more input than its requests allow; None when it may not."""
        allowed = [request.max_uncached for request in self.requests if request.max_uncached is not None]
        if len(allowed) < self.n or sum(allowed) >= self.input_most:
            return None
        return EngineError(
            explain(
                "The request was not sent: the server may bill more uncached input than the request allows.",
                got=f"up to {self.input_most} tokens",
                expected=f"at most {sum(allowed)}",
                remedy="Allow what `most` says; what a server has cached is not known before it answers.",
            )
        )

    @property
    def most(self) -> Usage:
        """The most that it can use."""
        return Usage(self.input_most, self.n * self.request.max_tokens)


def grouped(calls: Sequence[Call], most: int | None) -> list[Call]:
    """Calls that are equal but for the seed, put together, in order of their first; at most `most` replies in each (None: no bound)."""
    found: dict[bytes, list[Call]] = {}
    for call in calls:
        content = (call.written.api, call.written.body, call.request.stop, call.request.owner, call.written.prefix)
        found.setdefault(msgspec.json.encode(content), []).append(call)
    together = []
    for same in found.values():
        size = len(same) if most is None else most
        for start in range(0, len(same), size):
            part = same[start : start + size]
            one = part[0]
            slots, requests = [c.slots[0] for c in part], [c.request for c in part]
            together.append(Call(slots, requests, one.written, one.input_least, one.input_most))
    return sorted(together, key=lambda call: call.slots[0])


class PromptSizes:
    """What is known of the length of prompts, in tokens: exactly for those that the backend has counted, by bounds for the others."""

    def __init__(self, *, template_tokens: int, image_tokens: int, context: int | None) -> None:
        self._template = template_tokens
        self._image = image_tokens
        self._context = context
        self._counted: OrderedDict[bytes, int] = OrderedDict()

    def bounds(self, prompt: Prompt) -> tuple[int, int]:
        """The fewest and the most tokens. Raises `ContextOverflow` for a prompt that surely does not fit."""
        key = _digest(prompt)
        known = self._counted.get(key)
        if known is not None:
            self._counted.move_to_end(key)
        least, most = (known, known) if known is not None else self._estimated(prompt)
        if self._context is not None and least >= self._context:
            raise ContextOverflow(
                explain(
                    "The prompt does not fit into the model's window.",
                    got=f"at least {least} tokens",
                    expected=f"fewer than {self._context} tokens",
                    remedy="Shorten the prompt.",
                )
            )
        return least, most

    def learn(self, prompt: Prompt, tokens: int) -> None:
        """The backend has counted this prompt."""
        self._counted[_digest(prompt)] = tokens
        if len(self._counted) > _REMEMBERED:
            self._counted.popitem(last=False)

    def _estimated(self, prompt: Prompt) -> tuple[int, int]:
        if isinstance(prompt, TextPrompt):
            # A start token may be added.
            return max(1, least_tokens(prompt.text)), most_tokens(prompt.text) + 1
        if not isinstance(prompt, ChatPrompt):
            raise EngineError("Token ids cannot be sent to a server.")
        least, most = least_tokens(prompt.prefix), most_tokens(prompt.prefix) + self._template
        for message in prompt.messages:
            texts, images = _contents(message.content)
            least += sum(least_tokens(text) for text in texts)
            most += sum(most_tokens(text) for text in texts) + images * self._image + self._template
        return max(1, least), most


def _contents(content: str | tuple[dict[str, Any], ...]) -> tuple[list[str], int]:
    """The texts of a message, and how many parts are no text."""
    if isinstance(content, str):
        return [content], 0
    texts = [str(part["text"]) for part in content if isinstance(part.get("text"), str)]
    return texts, len(content) - len(texts)


def _digest(prompt: Prompt) -> bytes:
    return hashlib.blake2b(msgspec.json.encode((type(prompt).__name__, prompt)), digest_size=16).digest()


def wire_seed(seed: int, bits: int) -> int:
    """The seed as a server takes it: itself where it fits into so many bits, else mixed down to them."""
    if 0 <= seed < 1 << bits:
        return seed
    mixed = hashlib.blake2b(seed.to_bytes(16, "little", signed=True), digest_size=8).digest()
    return int.from_bytes(mixed, "little") & ((1 << bits) - 1)


def wait_seconds(attempt: int, shaken: float, asked: float | None, *, backoff: float, patience: float) -> float | None:
    """How long to wait before the next attempt; None when the backend asks for more patience than there is.

    `attempt` counts from 0; `shaken` is uniform in [0, 1).
    """
    own = min(backoff * math.ldexp(1.0, min(attempt, 60)), patience) * (0.5 + shaken)
    if asked is None:
        return own
    return None if asked > patience else asked + own * 0.1
