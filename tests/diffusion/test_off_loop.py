"""Work off the event loop: quick or slow, what it returns, what it raises, and that the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import threading
import weakref
from contextvars import ContextVar
from typing import Any

import pytest

from outthink.diffusion.off_loop import MOMENT, Crew, off_loop

WHO = ContextVar("WHO", default="nobody")
POOL = Crew("test-off-loop", 1)


@pytest.mark.parametrize("moment", [0.0, MOMENT])
async def test_a_thread_does_it_in_the_tasks_context(moment: float) -> None:
    WHO.set("somebody")
    name, who = await off_loop(POOL, lambda: (threading.current_thread().name, WHO.get()), moment=moment)
    assert name != threading.current_thread().name
    assert who == "somebody"


async def test_the_loop_goes_on_while_slow_work_is_done() -> None:
    """The work ends only once the loop has run something else: held up by it, the loop would never get there."""
    went_on = threading.Event()
    asyncio.get_running_loop().call_soon(went_on.set)
    assert await off_loop(POOL, went_on.wait, 30.0, moment=MOMENT)


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
        await off_loop(POOL, work, moment=MOMENT)


async def test_one_thread_does_one_thing_at_a_time_in_the_order_given() -> None:
    crew, done = Crew("in-turn", 1), list[int]()
    first = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            assert first.wait(30.0)
        done.append(number)

    calls = [asyncio.ensure_future(off_loop(crew, work, number)) for number in range(5)]
    await asyncio.sleep(0)
    first.set()
    await asyncio.gather(*calls)
    assert done == [0, 1, 2, 3, 4]


async def test_as_many_threads_as_there_is_work_for_and_no_more_than_allowed() -> None:
    crew, together = Crew("together", 3), threading.Barrier(3)
    names = await asyncio.gather(
        *[off_loop(crew, lambda: (together.wait(30.0), threading.get_ident())[1]) for _ in range(6)]
    )
    assert len(set(names)) == 3


async def test_a_thread_stays_for_the_next_call_and_leaves_when_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Handing work to a pool costs more than the work, so the pool is asked once for calls that follow each other."""
    crew = Crew("stays", 1)
    asked = 0
    submit = crew._pool.submit

    def counted(*given: Any) -> Any:
        nonlocal asked
        asked += 1
        return submit(*given)

    monkeypatch.setattr(crew._pool, "submit", counted)
    monkeypatch.setattr("outthink.diffusion.off_loop.STAYS", 30.0)
    for number in range(5):
        assert await off_loop(crew, lambda n=number: n) == number
    assert asked == 1
    # From its next wait on it stays no longer; the call after that finds nobody there.
    monkeypatch.setattr("outthink.diffusion.off_loop.STAYS", 0.0)
    await off_loop(crew, int)
    while crew._threads:
        await asyncio.sleep(0.001)
    assert await off_loop(crew, lambda: "again") == "again"
    assert asked == 2


async def test_what_nobody_waits_for_is_not_begun() -> None:
    crew, go_on, begun = Crew("given-up", 1), threading.Event(), list[str]()
    first = asyncio.ensure_future(off_loop(crew, go_on.wait, 30.0))
    second = asyncio.ensure_future(off_loop(crew, begun.append, "second"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    go_on.set()
    assert await first
    assert await off_loop(crew, lambda: True)
    assert begun == []


@pytest.mark.parametrize("moment", [0.0, MOMENT])
async def test_a_thousand_calls_come_back_with_their_own_results(moment: float) -> None:
    crew = Crew("many", 4)
    assert await asyncio.gather(*[off_loop(crew, int, number, moment=moment) for number in range(1000)]) == list(
        range(1000)
    )


async def test_a_thread_that_waits_holds_nothing_of_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last step's samples are gone with the search that has let go of them."""
    monkeypatch.setattr("outthink.diffusion.off_loop.STAYS", 30.0)

    class Samples: ...

    crew, samples = Crew("forgets", 1), Samples()
    held = weakref.ref(samples)
    assert await off_loop(crew, lambda given: given is not None, samples)
    del samples
    while crew._open:
        await asyncio.sleep(0.001)
    assert crew._threads == 1
    assert held() is None
    monkeypatch.setattr("outthink.diffusion.off_loop.STAYS", 0.0)
    await off_loop(crew, int)
