"""Sending one reply: at the pace that was asked for, counting each token as it is generated, whole or as a stream, with its faults."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from outthink.engines.engine import ChatPrompt
from outthink.testing.openai_server import shapes
from outthink.testing.openai_server.asking import Ask
from outthink.testing.openai_server.counters import Counters
from outthink.testing.openai_server.http import Connection
from outthink.testing.openai_server.personality import Fault, Personality
from outthink.testing.openai_server.speaking import Piece, Spoken


class Telling:
    """One reply on its way to the client. `begun`: when work on it began, on the loop's clock."""

    def __init__(
        self,
        connection: Connection,
        ask: Ask,
        replies: Sequence[Spoken],
        who: Personality,
        counters: Counters,
        fault: Fault | None,
        begun: float,
    ) -> None:
        self._connection = connection
        self._begun = begun
        self._ask = ask
        self._replies = replies
        self._who = who
        self._counters = counters
        self._fault = fault
        self._generated = 0
        self._thought = len(who.reasoning.split()) * len(replies)
        self.input_tokens = replies[0].input_tokens
        self.cached_tokens = replies[0].cached_tokens

    async def tell(self) -> None:
        """Send it."""
        # From the beginning: what it took to make the reply up is part of the latency, not on top of it.
        worked = asyncio.get_running_loop().time() - self._begun
        await asyncio.sleep(max(0.0, self._who.first_seconds - worked))
        self._generated += self._thought
        self._counters.output_tokens += self._thought
        self._counters.reasoning_tokens += self._thought
        if self._ask.stream:
            await self._connection.start_stream()
            await (self._response_events() if self._ask.api == "responses" else self._chunks())
            if not self._connection.closing:
                await self._connection.end_stream()
        else:
            await self._whole()

    # -- whole replies ----------------------------------------------------------------------------------------------

    async def _whole(self) -> None:
        longest = max(len(reply.pieces) for reply in self._replies)
        for position in range(longest):
            await self._pace(position)
        if self._kind == "stall":
            await asyncio.Event().wait()
        document = self._document()
        if self._who.usage in {"yes", "wrong", "no-stream"}:
            document["usage"] = self._usage()
        body = msgspec.json.encode(document)
        missing = len(body) // 2 if self._kind == "truncated-json" else 0
        await self._connection.reply_bytes(200, body, "application/json", missing=missing)

    def _document(self) -> dict[str, Any]:
        if self._ask.api == "responses":
            reply = self._replies[0]
            document = shapes.response(self._ask, reply, self._echo + reply.text, self._who)
            return {**document, "output": []} if self._kind == "empty-choices" else document
        shown = [
            shapes.choice(self._ask, i, reply, self._echo + reply.text, self._who)
            for i, reply in enumerate(self._replies)
        ]
        return shapes.whole(self._ask, [] if self._kind == "empty-choices" else shown)

    # -- streams ----------------------------------------------------------------------------------------------------

    async def _chunks(self) -> None:
        send = self._connection.event
        await self._openings()
        sent = 0
        called = {
            index: shapes.call_deltas(reply.text)
            for index, reply in enumerate(self._replies)
            if shapes.calls(self._ask, reply.text)
        }
        for position in range(max(len(reply.pieces) for reply in self._replies)):
            await self._pace(position)
            for index, reply in enumerate(self._replies):
                if position < len(reply.pieces) and self._kind != "empty-choices":
                    if await self._ended_early(sent):
                        return
                    piece = reply.pieces[position]
                    extra: dict[str, Any] = self._ids(piece)
                    if index in called:
                        extra["delta"] = called[index][position] if position < len(called[index]) else {}
                    await send(self._counted(shapes.chunk(self._ask, index, piece.text, (piece,), **extra)))
                    sent += 1
        for index, reply in enumerate(self._replies):
            if self._kind != "empty-choices":
                await send(self._counted(shapes.chunk(self._ask, index, "", (), **self._finish(reply))))
        if self._ask.include_usage and self._who.usage in {"yes", "wrong"}:
            await send({**shapes.whole(self._ask, []), "usage": self._usage()})
        await send("[DONE]")

    async def _openings(self) -> None:
        """What stands before the first token of each reply."""
        send = self._connection.event
        if self._ask.api == "chat":
            thought: dict[str, Any] = {self._who.reasoning_field: self._who.reasoning} if self._who.reasoning else {}
            for index in range(len(self._replies)):
                delta = {"role": "assistant", "content": "", **thought}
                await send(self._counted(shapes.chunk(self._ask, index, "", (), delta=delta)))
        if self._echo:
            for index in range(len(self._replies)):
                await send(self._counted(shapes.chunk(self._ask, index, self._echo, ())))

    async def _response_events(self) -> None:
        send, reply = self._connection.event, self._replies[0]
        if self._who.reasoning:
            name = "response.reasoning_summary_text.delta"
            await send({"type": name, "delta": self._who.reasoning}, name)
        for position, piece in enumerate(reply.pieces):
            await self._pace(position)
            if await self._ended_early(position):
                return
            name = "response.output_text.delta"
            given = shapes.log_probs(self._ask, (piece,))
            extra = {} if given is None else {"logprobs": given["content"]}
            await send({"type": name, "delta": piece.text, **extra}, name)
        document = shapes.response(self._ask, reply, reply.text, self._who)
        if self._who.usage in {"yes", "wrong"}:
            document["usage"] = self._usage()
        name = f"response.{document['status']}"
        await send({"type": name, "response": document}, name)

    # -- small parts ------------------------------------------------------------------------------------------------

    @property
    def _kind(self) -> str:
        return self._fault.kind if self._fault is not None else ""

    @property
    def _echo(self) -> str:
        prompt = self._ask.prompt
        return prompt.prefix if self._who.prefix_echo and isinstance(prompt, ChatPrompt) else ""

    async def _ended_early(self, sent: int) -> bool:
        """Whether the stream ends here, after so many pieces, without having said so. One that stalls never comes back."""
        if self._fault is None or sent < self._fault.after:
            return False
        if self._kind == "stall":
            await asyncio.Event().wait()
        if self._kind in {"cut-stream", "truncated-json"}:
            self._connection.close()
            return True
        return False

    async def _pace(self, position: int) -> None:
        """Generate the tokens at one position of every reply."""
        await asyncio.sleep(self._who.token_seconds)
        alive = sum(position < len(reply.pieces) for reply in self._replies)
        self._generated += alive
        self._counters.output_tokens += alive

    def _usage(self) -> dict[str, Any]:
        return shapes.usage(self._ask, self.input_tokens, self.cached_tokens, self._generated, self._thought, self._who)

    def _counted(self, document: dict[str, Any]) -> dict[str, Any]:
        if self._ask.continuous and self._who.usage in {"yes", "wrong"}:
            document["usage"] = self._usage()
        return document

    def _ids(self, piece: Piece) -> dict[str, Any]:
        return {"token_ids": [piece.id]} if self._ask.token_ids else {}

    def _finish(self, reply: Spoken) -> dict[str, Any]:
        called = shapes.calls(self._ask, reply.text)
        finish: dict[str, Any] = {"finish_reason": "tool_calls" if called else reply.finish}
        if self._who.tells_stop:
            finish["stop_reason"] = reply.stop_text or None
        return finish
