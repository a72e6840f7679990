"""Work off the event loop: quick or slow, what it returns, what it raises, and that the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from outthink.diffusion.off_loop import off_loop

WHO = ContextVar("WHO", default="nobody")
POOL = ThreadPoolExecutor(1)


async def test_a_thread_does_it_in_the_tasks_context() -> None:
    WHO.set("somebody")
    name, who = await off_loop(POOL, lambda: (threading.current_thread().name, WHO.get()))
    assert name != threading.current_thread().name
    assert who == "somebody"


async def test_the_loop_goes_on_while_slow_work_is_done() -> None:
    """The work ends only once the loop has run something else: held up by it, the loop would never get there."""
    went_on = threading.Event()
    asyncio.get_running_loop().call_soon(went_on.set)
    assert await off_loop(POOL, went_on.wait, 30.0)


@pytest.mark.parametrize("slow", [False, True])
async def test_what_it_raises_is_raised_here(slow: bool) -> None:
    """A time-out of the work's own among it, which is no sign that the work is slow."""
    went_on = threading.Event()
    asyncio.get_running_loop().call_soon(went_on.set)

    def work() -> None:
        if slow:
            went_on.wait(30.0)
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await off_loop(POOL, work)
