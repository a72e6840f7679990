"""Work that would hold up the event loop, done by a thread; quick work comes back without the loop's turn.

Waking an idle event loop from another thread costs 0.2 ms, as much as a small reward itself. So the loop waits for a moment before it goes
on with other things: what is done by then costs half as much, and what is not holds the loop up by that moment at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")

_MOMENT = 0.0005
"""Seconds that the loop waits for before it turns to other work."""


async def off_loop(pool: Executor, work: Callable[..., T], *given: Any) -> T:
    """The result of `work(*given)`, run by a thread of the pool in this task's context; what it raises is raised here."""
    future = pool.submit(copy_context().run, work, *given)
    with suppress(TimeoutError):
        future.exception(timeout=_MOMENT)
    return future.result() if future.done() else await asyncio.wrap_future(future)
