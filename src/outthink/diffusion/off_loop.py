"""Work that would hold up the event loop, done by a thread; quick work comes back without the loop's turn.

    WORKER = Crew("network", 1)
    value = await off_loop(WORKER, network, samples)                      # the loop is free at once
    value = await off_loop(RATERS, reward, images, moment=MOMENT)         # it waits a moment for what is nearly always quick

A change of thread costs as much as a small reward itself: 0.5 ms through a pool and its futures on a crowded machine. So a thread that
has nothing left to do stays for a while, and what it is handed then is there and back in 0.4. And for quick work the loop waits for a
moment before it goes on with other things: what is done by then costs 0.1 ms, what is not holds the loop up by that moment at most.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Lock, Thread, main_thread
from typing import Any, Generic, TypeVar

from outthink.core.errors import OutthinkError, explain

T = TypeVar("T")

MOMENT = 0.0005
"""Seconds that the loop waits for quick work before it turns to other things."""

STAYS = 0.05
"""Seconds that a thread waits for another call; the program's end waits for it as long."""


class Crew:
    """At most `most` threads that do calls, begun in the order given. A call must not raise. A crew lasts as long as the program."""

    def __init__(self, name: str, most: int) -> None:
        self._name, self._most = name, most
        self._begin()
        if hasattr(os, "register_at_fork"):
            # A forked child has none of the threads, and one of them may have held the lock.
            os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._between = Lock()
        self._open = self._threads = 0

    def give(self, call: Callable[[], None]) -> None:
        """Have it done, by a thread that waits or else by a further one.

        Raises `OutthinkError` when the program is ending, and `RuntimeError` when the system has no thread left; it is not done then.
        """
        if not main_thread().is_alive():
            # The program's end waits for these threads, and a search that goes on in another one would keep them for ever.
            raise OutthinkError(
                explain(
                    "The program is ending.",
                    got="further work for a thread",
                    expected="none after the end of the main thread",
                    remedy="Let the main thread wait for the search.",
                )
            )
        with self._between:
            if self._threads < min(self._open + 1, self._most):
                Thread(target=self._serve, name=self._name, daemon=False).start()
                self._threads += 1
            self._open += 1
            self._calls.put(call)

    def _serve(self) -> None:
        while self._one():
            continue

    def _one(self) -> bool:
        """Do the next call and forget it, for a thread that waits must not hold samples; False where it is to leave."""
        try:
            call = self._calls.get(timeout=STAYS)
        except Empty:
            with self._between:
                # One may have been given since; later ones find this thread gone.
                if self._calls.empty():
                    self._threads -= 1
                    return False
            return True
        call()
        with self._between:
            self._open -= 1
        return True


async def off_loop(crew: Crew, work: Callable[..., T], *given: Any, moment: float = 0.0) -> T:
    """The result of `work(*given)`, run by a thread of the crew in this task's context; what it raises is raised here.

    `moment`: seconds that the loop waits for it. Work that nobody waits for any more when a thread comes to it is not begun.
    """
    call = _Call(asyncio.get_running_loop(), work, given)
    crew.give(call)
    if not (moment and call.over.acquire(timeout=moment)):
        await call.told()
    return call.result()


class _Call(Generic[T]):
    """One piece of work on its way through a thread. `over` is held until it is done."""

    def __init__(self, loop: asyncio.AbstractEventLoop, work: Callable[..., T], given: tuple[Any, ...]) -> None:
        self._loop, self._context, self._work, self._given = loop, copy_context(), work, given
        self._between, self._done = Lock(), False
        self._waiting: asyncio.Future[None] | None = None
        self._value: T
        self._error: BaseException | None = None
        self.over = Lock()
        self.over.acquire()

    def __call__(self) -> None:
        if self._waiting is not None and self._waiting.cancelled():
            return
        try:
            self._value = self._context.run(self._work, *self._given)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where the work was asked for
            self._error = error
        with self._between:
            self._done = True
        self.over.release()
        if self._waiting is not None and not self._waiting.cancelled():
            # A loop that has been closed has cancelled whoever waited.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(_wake, self._waiting)

    async def told(self) -> None:
        """Until the thread says that it is done; the loop goes on meanwhile."""
        with self._between:
            if self._done:
                return
            self._waiting = self._loop.create_future()
        await self._waiting

    def result(self) -> T:
        """What the work returned; what it raised is raised, once."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                # Else the error would hold itself by its traceback, and with it the samples.
                self._error = None
        return self._value


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
