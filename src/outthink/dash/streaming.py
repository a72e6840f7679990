"""Streams of what is new, as server-sent events: each looks at the store a few times a second and speaks when something changed.

A browser keeps one stream a page and closes it when nobody looks at the page. Streams are counted, so that forgotten ones cannot eat up
the server; who comes too late is told to come again. Every look is made in a thread, so the loop is never held.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.responses import Response, StreamingResponse

from outthink.core.half_pairs import as_json
from outthink.dash.members import members_of
from outthink.dash.runs_page import news
from outthink.dash.state import parts_of, state_of
from outthink.dash.watching import Watch
from outthink.store import NoSuchRun, Store

LOOK_SECONDS = 0.3
LIST_SECONDS = 1.0
ALIVE_SECONDS = 15.0
MOST = 64


class Streams:
    """The streams of one dashboard. `open` counts them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.open = 0

    async def run(self, name: str, part: str | None) -> Response:
        """The state of a run whenever it changed; the event "ended" after the last. Raises `NoSuchRun`."""
        watch = await asyncio.to_thread(Watch.open, self._store, name)

        async def told() -> AsyncIterator[bytes]:
            yield _event("state", await asyncio.to_thread(state_in, watch, part))
            spoke = time.monotonic()
            while watch.going:
                await asyncio.sleep(LOOK_SECONDS)
                try:
                    if await asyncio.to_thread(watch.look):
                        yield _event("state", await asyncio.to_thread(state_in, watch, part))
                        spoke = time.monotonic()
                except NoSuchRun:
                    break
                if time.monotonic() - spoke > ALIVE_SECONDS:
                    yield b": alive\n\n"
                    spoke = time.monotonic()
            yield _event("ended", {})

        return self._stream(told)

    async def list(self) -> Response:
        """The runs at work and the newest run, whenever they changed."""

        async def told() -> AsyncIterator[bytes]:
            last: dict[str, Any] = {}
            spoke = time.monotonic()
            while True:
                now = await asyncio.to_thread(news, self._store)
                if now != last:
                    yield _event("news", now)
                    last, spoke = now, time.monotonic()
                elif time.monotonic() - spoke > ALIVE_SECONDS:
                    yield b": alive\n\n"
                    spoke = time.monotonic()
                await asyncio.sleep(LIST_SECONDS)

        return self._stream(told)

    def _stream(self, told: Callable[[], AsyncIterator[bytes]]) -> Response:
        if self.open >= MOST:
            return Response("Too many pages are being watched.", status_code=503, headers={"retry-after": "10"})

        async def counted() -> AsyncIterator[bytes]:
            self.open += 1
            try:
                async for piece in told():
                    yield piece
            finally:
                self.open -= 1

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(counted(), media_type="text/event-stream", headers=headers)


def state_in(watch: Watch, part: str | None) -> dict[str, Any]:
    """The state of what is watched, with the drawing of this part of it; None: the first that has members."""
    known = parts_of(watch.run.events)
    drawn = part if part in known else "" if "" in known or not known else known[0]
    if not drawn:
        return state_of(watch.run)
    name = watch.run.line.id
    return state_of(watch.run, drawn, watch.store.read(lambda connection: members_of(connection, name, drawn)))


def _event(name: str, value: object) -> bytes:
    return f"event: {name}\ndata: ".encode() + as_json(value) + b"\n\n"
