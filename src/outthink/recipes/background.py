"""One event loop in a thread of its own: the thin synchronous door to the asynchronous core.

`run` works in scripts, in notebooks and inside a running loop, because the work happens on this loop and the caller only waits. Ctrl-C
while it waits fires the cut, so that the work ends by itself and hands back its best so far; a second Ctrl-C gives up.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from outthink.core.cut import Cut
from outthink.core.errors import OutthinkError

T = TypeVar("T")


class Background:
    """A daemon thread that runs one event loop, started when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0

    def run(self, work: Callable[[Cut], Coroutine[Any, Any, T]]) -> T:
        """Do the work on the loop and wait for it. Raises what the work raises; `KeyboardInterrupt` on the second Ctrl-C."""
        loop = self._running()
        if threading.current_thread() is self._thread:
            raise OutthinkError(
                "solve was called from inside a search, on the loop that runs it. Got a blocking call; expected a coroutine. "
                "Use `await outthink.asolve(...)` there."
            )
        cut, begin = Cut(), asyncio.Event()

        async def begun() -> T:
            # Waits until the caller is ready to be interrupted, so that no Ctrl-C falls between the two.
            await begin.wait()
            return await work(cut)

        future = asyncio.run_coroutine_threadsafe(begun(), loop)
        try:
            try:
                loop.call_soon_threadsafe(begin.set)
                return future.result()
            except KeyboardInterrupt:
                loop.call_soon_threadsafe(begin.set)
                loop.call_soon_threadsafe(cut.fire, "interrupt")
                return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            # A forked child has no threads but this one.
            if self._loop is None or self._process != os.getpid():
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="outthink", daemon=True)
                self._thread.start()
                self._process = os.getpid()
            return self._loop


BACKGROUND = Background()
