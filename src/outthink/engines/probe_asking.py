"""The probe's own small client: raw fields, one reply at a time, every request and token counted against a limit."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from outthink.core.errors import EngineError
from outthink.core.settings import Positive, Settings
from outthink.engines.openai.body import PATHS
from outthink.engines.openai.drafts import Draft, Reply
from outthink.engines.openai.presets import Preset
from outthink.engines.openai.reading import Api, complete, read_event, read_whole
from outthink.engines.openai.transport import Transport
from outthink.engines.openai.usage import Usage, most_tokens

_TRIES = 3
_WAIT_SECONDS = 0.2


class ProbeLimits(Settings):
    """What a probe may cost at most: requests, and tokens in and out. What does not fit stays unknown."""

    requests: Positive = 16
    tokens: Positive = 2000


class OutOfLimits(Exception):
    """The probe's limit leaves no room for another question."""


@dataclass(frozen=True)
class Heard:
    """An answer, or the error in its place. `streamed`: whether it came in more than one piece."""

    reply: Reply
    error: EngineError | None = None
    events: int = 0

    @property
    def ok(self) -> bool:
        """Whether there is an answer."""
        return self.error is None

    @property
    def first(self) -> Draft:
        """The first choice."""
        return self.reply.drafts.get(0, Draft())

    @property
    def text(self) -> str:
        """The first choice's text."""
        return self.first.text

    @property
    def usage(self) -> Usage | None:
        """What the server reported for the whole reply."""
        return self.reply.usage if self.reply.usage_final else None


class Asker:
    """Asks, counts, and stops at the limit."""

    def __init__(self, transport: Transport, model: str, api: Api, preset: Preset, limits: ProbeLimits) -> None:
        self._transport = transport
        self._model = model
        self.api = api
        self.preset = preset
        self._limits = limits
        self.requests = 0
        self.input_tokens = 0
        self.output_tokens = 0

    async def models(self) -> dict[str, Any]:
        """What the server says about the model; empty when it has no such list. Raises `EngineError` when it cannot be reached at all."""
        try:
            document = await self._transport.get("/models")
        except EngineError as error:
            if error.status in (None, 401, 403):
                raise
            return {}
        listed = document.get("data") if isinstance(document, dict) else None
        entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
        return next((entry for entry in entries if entry.get("id") == self._model), {})

    async def ask(
        self,
        user: str,
        *,
        most: int,
        api: Api | None = None,
        messages: list[dict[str, Any]] | None = None,
        stream: bool = False,
        **fields: Any,
    ) -> Heard:
        """One question. Refusals come back as errors; connection errors and wrong keys are raised."""
        api = api or self.api
        body: dict[str, Any] = {"model": self._model, "temperature": 0.0, "top_p": 1.0, **fields}
        given = messages or [{"role": "user", "content": user}]
        if api == "completions":
            body |= {"prompt": user, "max_tokens": most}
        elif api == "responses":
            body |= {"input": given, "max_output_tokens": most}
        else:
            body |= {"messages": given, self.preset.limit_field: most}
        if stream:
            body["stream"] = True
            if api != "responses":
                body["stream_options"] = {"include_usage": True}
        return await self._heard(api, body, stream=stream, most=most * int(fields.get("n", 1)))

    async def _heard(self, api: Api, body: dict[str, Any], *, stream: bool, most: int) -> Heard:
        for attempt in range(_TRIES):
            if self.requests >= self._limits.requests or self.input_tokens + self.output_tokens >= self._limits.tokens:
                raise OutOfLimits
            self.requests += 1
            reply, events = Reply(), 0
            try:
                if stream:
                    async with self._transport.events(PATHS[api], body) as arriving:
                        async for event in arriving:
                            events += 1
                            read_event(api, event, reply)
                    complete(reply)
                else:
                    read_whole(api, await self._transport.post(PATHS[api], body), reply)
            except EngineError as error:
                if error.status in (401, 403) or (error.status is None and not getattr(error, "billed", False)):
                    raise
                if error.retryable and attempt < _TRIES - 1:
                    await asyncio.sleep(getattr(error, "retry_after", None) or _WAIT_SECONDS)
                    continue
                return Heard(reply, error, events)
            self._count(reply, body, most)
            return Heard(reply, None, events)
        raise OutOfLimits

    def _count(self, reply: Reply, body: dict[str, Any], most: int) -> None:
        if reply.usage is not None:
            self.input_tokens += reply.usage.input
            self.output_tokens += reply.usage.output
        else:
            self.input_tokens += most_tokens(str(body.get("messages") or body.get("prompt") or body.get("input")))
            self.output_tokens += most
