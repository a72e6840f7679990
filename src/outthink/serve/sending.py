"""How an answer goes out: whole, or as a stream that begins at once, says that it lives, and ends the work when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.types import Receive, Scope, Send

from outthink.core.events import AnyEvent, Charged, RunStarted, StepEnded
from outthink.serve.interface import event
from outthink.serve.refusal import Refusal

T = TypeVar("T")
EARLY_SECONDS = 0.04
"""How long a stream waits for an early refusal, so that it can still be a status; the first byte is promised within 100 ms."""
BEGUN = b": accepted\n\n"
ALIVE = b": still at work\n\n"


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


async def until_gone(receive: Receive, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client leaves. Raises `ClientGone` then."""
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientGone
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


class Progress:
    """What a search does, as a stream tells it: a sink for its events. `how` is the request's `outthink.progress`."""

    def __init__(self, how: str) -> None:
        self._how = how
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._tokens = 0

    def __call__(self, happened: AnyEvent) -> None:
        """Tell of the start, of each step and of what was spent by then; never of any content."""
        if self._how == "none":
            return
        if isinstance(happened, Charged):
            self._tokens = happened.tokens
        elif isinstance(happened, RunStarted):
            self._tell({"type": "started", "method": happened.method})
        elif isinstance(happened, StepEnded):
            self._tell({"type": "step", "step": happened.step, "tokens": self._tokens, "seconds": happened.seconds})

    def _tell(self, said: Mapping[str, Any]) -> None:
        if self._how == "events":
            self.queue.put_nowait(event(said, "outthink.progress"))
        else:
            self.queue.put_nowait(b": outthink " + msgspec.json.encode(said) + b"\n\n")


class EventStream:
    """A stream whose content is `render` of what `work` gives. `started` is work that is under way; it ends with the stream."""

    def __init__(
        self,
        started: asyncio.Task[T],
        render: Callable[[T], Iterator[bytes]],
        progress: Progress,
        *,
        keep_alive: float,
        headers: Mapping[str, str],
    ) -> None:
        self._work = started
        self._parts: Callable[[], Iterator[bytes]] = lambda: render(started.result())
        self._progress = progress
        self._keep_alive = keep_alive
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as an ASGI application."""
        shown = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", **self._headers}
        head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in shown.items()]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        try:
            await until_gone(receive, self._send(send))
        except ClientGone:
            return
        finally:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        async for part in self._stream():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _stream(self) -> AsyncIterator[bytes]:
        yield BEGUN
        told: asyncio.Future[bytes] = asyncio.ensure_future(self._progress.queue.get())
        try:
            while not self._work.done():
                waited: set[asyncio.Future[Any]] = {self._work, told}
                done, _ = await asyncio.wait(waited, timeout=self._keep_alive, return_when=asyncio.FIRST_COMPLETED)
                if told in done:
                    yield told.result()
                    told = asyncio.ensure_future(self._progress.queue.get())
                elif not done:
                    yield ALIVE
        finally:
            told.cancel()
            await asyncio.gather(told, return_exceptions=True)
        while not self._progress.queue.empty():
            yield self._progress.queue.get_nowait()
        try:
            for part in self._parts():
                yield part
        except Refusal as refusal:
            yield event(refusal.document())
