"""An engine as one request of the gateway sees it: with that request's tools, and with an ear on every token.

The engine inside is shared by all requests; each request that needs one has a tap of its own. Tool calls travel through the search as text
behind a mark that no model can know, so that votes, verifiers and records work on them as on any other answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from outthink.core.cost import Cost
from outthink.core.cut import Cut
from outthink.core.errors import Failure
from outthink.engines.engine import (
    ChatPrompt,
    Engine,
    Generation,
    Request,
    TextPrompt,
    TokenPrompt,
)
from outthink.engines.tools import ToolCall, Tools
from outthink.engines.wrapping import Wrapper, with_capabilities


@dataclass(frozen=True)
class Heard:
    """One reply of a backend that deals in text: what it began from, and its tokens."""

    before: str
    names: tuple[str, ...]
    log_probs: tuple[float, ...]


class Tap(Wrapper):
    """See the module. Make one with `tapped`, which adds the capabilities of the engine inside."""

    def __init__(self, engine: Engine, name: str, *, tools: Tools | None = None, log_probs: bool = False) -> None:
        super().__init__(engine)
        self.heard: list[Heard] = []
        self._tools = tools
        self._listens = log_probs
        self._mark = f"<tool-calls {name}>"
        self._chain: dict[int, float] = {}

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        return self.engine.most([self._with_tools(request) for request in requests])

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        sent = [self._with_tools(request) for request in requests]
        replies = await self.engine.generate(sent, cut=cut)
        return [
            self._taken(request, reply) if isinstance(reply, Generation) else reply
            for request, reply in zip(sent, replies, strict=True)
        ]

    async def close(self) -> None:
        """Nothing: the engine inside belongs to the gateway."""

    # -- what was heard ---------------------------------------------------------------------------------------------

    def log_prob(self, tokens: Sequence[int], count: int) -> list[float | None]:
        """Of the last `count` of these tokens (prompt and reply), each given those before it, as the backend gave it; nats."""
        found: list[float | None] = []
        link = 0
        for i, token in enumerate(tokens):
            link = hash((link, token))
            if i >= len(tokens) - count:
                found.append(self._chain.get(link))
        return found

    def split(self, text: str) -> tuple[str, tuple[ToolCall, ...]]:
        """The text and the tool calls behind it."""
        said, mark, calls = text.partition(self._mark)
        if not mark:
            return text, ()
        try:
            return said, msgspec.json.decode(calls, type=tuple[ToolCall, ...])
        except msgspec.DecodeError:
            # A model that was shown an answer of its own may repeat the mark; what follows it then is text.
            return text, ()

    # -- inside -----------------------------------------------------------------------------------------------------

    def _with_tools(self, request: Request) -> Request:
        return replace(request, tools=self._tools) if self._tools is not None else request

    def _taken(self, request: Request, reply: Generation) -> Generation:
        if self._listens and reply.log_probs is not None:
            self._listen(request, reply, reply.log_probs)
        if not reply.tool_calls:
            return reply
        calls = msgspec.json.encode(reply.tool_calls).decode()
        return replace(reply, text=reply.text + self._mark + calls)

    def _listen(self, request: Request, reply: Generation, log_probs: tuple[float, ...]) -> None:
        prompt = request.prompt
        if isinstance(prompt, TokenPrompt) and reply.tokens is not None:
            link = 0
            for token in prompt.tokens:
                link = hash((link, token))
            for token, value in zip(reply.tokens, log_probs, strict=False):
                link = hash((link, token))
                self._chain[link] = value
        elif reply.names is not None and isinstance(prompt, ChatPrompt | TextPrompt):
            before = prompt.prefix if isinstance(prompt, ChatPrompt) else prompt.text
            self.heard.append(Heard(before, reply.names, log_probs))


def tapped(engine: Engine, *, name: str, tools: Tools | None = None, log_probs: bool = False) -> Tap:
    """`engine` for one request. `name`: something that no model can know, which marks where calls begin."""
    return with_capabilities(Tap, engine)(engine, name, tools=tools, log_probs=log_probs)
