"""How an answer goes out: whole, or as a stream that begins at once, says that it lives, and ends the work when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from starlette.types import Receive, Scope, Send

from outthink.core.cut import Cut
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


class Work:
    """Work on one request, under way. `cut` ends it in order, within `seconds`; then it is cancelled."""

    def __init__(self, task: asyncio.Task[bytes], cut: Cut, seconds: float) -> None:
        self.task = task
        self._cut = cut
        self._seconds = seconds

    async def until_gone(self, receive: Receive, waiting: asyncio.Future[T]) -> T:
        """What `waiting` gives, unless the client leaves first: then the work ends. Raises `ClientGone` then."""
        gone = asyncio.ensure_future(_gone(receive))
        try:
            either: set[asyncio.Future[Any]] = {waiting, gone}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise ClientGone
            return waiting.result()
        finally:
            waiting.cancel()
            gone.cancel()
            await asyncio.gather(waiting, gone, return_exceptions=True)

    async def end(self) -> None:
        """End the work, if it is not over, and wait for that."""
        if not self.task.done():
            self._cut.fire("interrupt")
            await asyncio.wait({self.task}, timeout=self._seconds)
            self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


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
            self._tell({"type": "started", "method": happened.method, "run": happened.run or None})
        elif isinstance(happened, StepEnded):
            self._tell({"type": "step", "step": happened.step, "tokens": self._tokens, "seconds": happened.seconds})

    def _tell(self, said: Mapping[str, Any]) -> None:
        if self._how == "events":
            self.queue.put_nowait(event(said, "outthink.progress"))
        else:
            self.queue.put_nowait(b": outthink " + msgspec.json.encode(said) + b"\n\n")


class EventStream:
    """A stream whose content is what the work gives.

    `broken` makes a refusal of an error that nobody meant; `left` is told that the client is gone.
    """

    def __init__(
        self,
        work: Work,
        progress: Progress,
        *,
        keep_alive: float,
        headers: Mapping[str, str],
        broken: Callable[[BaseException], Refusal],
        left: Callable[[], None],
    ) -> None:
        self._work = work
        self._progress = progress
        self._keep_alive = keep_alive
        self._headers = headers
        self._broken = broken
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, as an ASGI application."""
        shown = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache", **self._headers}
        head = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in shown.items()]
        try:
            await send({"type": "http.response.start", "status": 200, "headers": head})
            await self._work.until_gone(receive, asyncio.ensure_future(self._send(send)))
        except ClientGone:
            self._left()
        finally:
            await self._work.end()

    async def _send(self, send: Send) -> None:
        async for part in self._stream():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _stream(self) -> AsyncIterator[bytes]:
        yield BEGUN
        task = self._work.task
        told: asyncio.Future[bytes] = asyncio.ensure_future(self._progress.queue.get())
        try:
            while not task.done():
                waited: set[asyncio.Future[Any]] = {task, told}
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
        error = task.exception()
        if error is None:
            yield task.result()
        else:
            refusal = error if isinstance(error, Refusal) else self._broken(error)
            yield event(refusal.document())
