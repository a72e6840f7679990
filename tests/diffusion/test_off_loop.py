"""Work off the event loop: quick or slow, what it returns, what it raises, and that the loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Thread
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
    """Beginning a thread costs more than the work, so that one is begun once for calls that follow each other."""
    crew, begun = Crew("stays", 1), list[str]()

    class Counted(Thread):
        def start(self) -> None:
            begun.append(self.name)
            super().start()

    monkeypatch.setattr("outthink.diffusion.off_loop.Thread", Counted)
    monkeypatch.setattr("outthink.diffusion.off_loop.STAYS", 30.0)
    for number in range(5):
        assert await off_loop(crew, lambda n=number: n) == number
    assert begun == ["stays"]
    # From its next wait on it stays no longer; the call after that finds nobody there.
    monkeypatch.setattr("outthink.diffusion.off_loop.STAYS", 0.0)
    await off_loop(crew, int)
    while crew._threads:
        await asyncio.sleep(0.001)
    assert await off_loop(crew, lambda: "again") == "again"
    assert begun == ["stays", "stays"]


async def test_where_no_thread_can_be_had_nothing_is_done_and_the_next_call_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crew, done = Crew("none-left", 1), list[int]()

    def none_left(self: Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(Thread, "start", none_left)
        with pytest.raises(RuntimeError, match="new thread"):
            await off_loop(crew, done.append, 1)
    await asyncio.wait_for(off_loop(crew, done.append, 2), 30.0)
    assert done == [2]


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


async def test_work_that_nobody_waits_for_any_more_leaves_the_thread_to_others() -> None:
    crew, go_on, begun = Crew("left-alone", 1), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(30.0)

    waiting = asyncio.ensure_future(off_loop(crew, work))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    go_on.set()
    assert await asyncio.wait_for(off_loop(crew, lambda: "next"), 30.0) == "next"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, StopIteration])
async def test_whatever_is_raised_the_thread_goes_on(error: type[BaseException]) -> None:
    crew = Crew("whatever", 1)

    def work() -> None:
        raise error("of its own")

    # A coroutine cannot raise StopIteration: Python makes a RuntimeError of it.
    with pytest.raises((error, RuntimeError), match=r"of its own|StopIteration"):
        await off_loop(crew, work)
    assert await asyncio.wait_for(off_loop(crew, lambda: "next"), 30.0) == "next"


def test_a_loop_that_is_closed_meanwhile_takes_nothing_from_other_loops() -> None:
    crew, go_on = Crew("closed", 1), threading.Event()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(off_loop(crew, go_on.wait, 30.0))
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    go_on.set()
    assert asyncio.run(asyncio.wait_for(off_loop(crew, lambda: "another"), 30.0)) == "another"
    assert not waiting.done()
    with pytest.raises(RuntimeError, match="closed"):
        waiting.cancel()


@pytest.mark.parametrize("most", [1, 3])
def test_loops_of_several_threads_share_a_crew_one_after_the_other_and_at_once(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads leave as soon as they have nothing to do, so that calls are given while they do, in every order that comes."""
    monkeypatch.setattr("outthink.diffusion.off_loop.STAYS", 0.0)
    crew, wrong = Crew("shared", most), list[Any]()

    async def calls(first: int) -> list[int]:
        given = [off_loop(crew, int, first + number, moment=MOMENT * (number % 2)) for number in range(100)]
        return await asyncio.wait_for(asyncio.gather(*given), 30.0)

    def loops(first: int) -> None:
        for again in range(first, first + 300, 100):
            got = asyncio.run(calls(again))
            if got != list(range(again, again + 100)):
                wrong.append(got)

    with switching_often():
        threads = [Thread(target=loops, args=(1000 * number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60.0)
    assert not any(thread.is_alive() for thread in threads)
    assert wrong == []


@contextmanager
def switching_often() -> Iterator[None]:
    """Python's threads take turns 500 times as often."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


PROGRAM = """
import asyncio, os, signal, threading
from outthink.diffusion.off_loop import Crew, off_loop

crew, going = Crew("program", 1), threading.Event()

async def search():
    while True:
        await off_loop(crew, going.set)

assert asyncio.run(off_loop(crew, int, 1)) == 1
child = os.fork()
if not child:
    signal.alarm(30)
    os._exit(asyncio.run(off_loop(crew, int, 7)))
print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
threading.Thread(target=lambda: asyncio.run(search()), daemon=True).start()
assert going.wait(30)
print("end")
"""


def test_a_forked_child_has_threads_of_its_own_and_a_search_that_goes_on_does_not_keep_the_program() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["child", "7", "end"], done.stderr
    assert done.returncode == 0


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


async def test_work_that_fails_holds_nothing_of_what_it_was_given() -> None:
    """Nor does its error, once it has been dealt with, and without the garbage collector's help."""

    class Samples: ...

    async def tried() -> weakref.ref[Samples]:
        samples = Samples()
        with suppress(ValueError):
            await off_loop(crew, lambda given: int("three"), samples)
        return weakref.ref(samples)

    crew = Crew("fails", 1)
    gc.disable()
    try:
        held = await tried()
        while crew._open:
            await asyncio.sleep(0.001)
        assert held() is None
    finally:
        gc.enable()
