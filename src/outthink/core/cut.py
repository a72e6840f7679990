"""A signal that cuts a step short: the deadline passed, or the user pressed Ctrl-C.

Whoever works on several members passes the cut on, keeps what has finished when it fires, and cancels the rest. It fires once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Cut:
    """Fires at most once, with a reason such as "seconds" or "interrupt". Belongs to one event loop."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._reason: str | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def reason(self) -> str | None:
        """Why it fired; None while it has not."""
        return self._reason

    def fire(self, reason: str) -> None:
        """Fire; later calls change nothing."""
        if self._reason is None:
            self._reason = reason
            self._event.set()
            for listener in self._listeners:
                listener()

    async def wait(self) -> str:
        """Wait until it fires; the reason."""
        await self._event.wait()
        return self._reason or ""

    def on_fire(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` when it fires (at once if it has). The function returned removes it."""
        if self._reason is not None:
            listener()
            return lambda: None
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None


async def gather_until(cut: Cut | None, work: Sequence[Awaitable[T]]) -> list[T | None]:
    """Results in order; None for what had not finished when the cut fired (it is cancelled, and awaited).

    Errors propagate as they are after the rest has been cancelled; work that must survive its neighbours returns failures as values.
    """
    if not work:
        return []
    tasks = [asyncio.ensure_future(w) for w in work]
    watch = asyncio.ensure_future(cut.wait()) if cut is not None else None
    try:
        pending: set[asyncio.Future[T]] = set(tasks)
        while pending and not (watch is not None and watch.done()):
            wanted: set[asyncio.Future[Any]] = {*pending, watch} if watch is not None else {*pending}
            await asyncio.wait(wanted, return_when=asyncio.FIRST_COMPLETED)
            for task in [t for t in pending if t.done()]:
                pending.discard(task)
                if (error := task.exception()) is not None:
                    raise error
        return [t.result() if t.done() and not t.cancelled() else None for t in tasks]
    finally:
        for task in tasks:
            if not task.done():
                task.cancel()
        if watch is not None:
            watch.cancel()
        await asyncio.gather(*tasks, *([watch] if watch is not None else []), return_exceptions=True)
