"""Worker processes: what hangs is killed, what crashes is replaced, nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import outthink.verify.pool as module
from outthink.core import EngineClosed, Failure
from outthink.verify.pool import CRASH, TIMEOUT, WorkerPool, workers

HANGS = (r"(a+)+$", "a" * 60 + "b", False)


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(2)
    yield made
    made.close()


def gone(pid: int) -> bool:
    """Whether a process of ours has ended and been waited for."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_for(happened: Callable[[], bool]) -> None:
    """Block until it has happened, ten seconds at most."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "it has not happened"
        time.sleep(0.01)


async def test_results_errors_and_arguments(pool: WorkerPool) -> None:
    assert await pool.call("matches", "b+", "abbc", False, seconds=5.0) is True
    assert await pool.call("search", "(b)(c)?", "abbc", 2, seconds=5.0) == "c"
    broken = await pool.call("matches", "(", "x", False, seconds=5.0)
    assert isinstance(broken, Failure)
    assert broken.kind in ("error", "PatternError")
    unknown = await pool.call("no such function", seconds=5.0)
    assert isinstance(unknown, Failure)
    assert unknown.kind == "KeyError"
    huge = await pool.call("matches", "x", 1 << 70, False, seconds=5.0)
    assert isinstance(huge, Failure)
    assert huge.kind == "OverflowError"
    assert await pool.call("matches", "y$", "x" * 1_000_000 + "y", False, seconds=5.0) is True
    assert pool.started == 1, "one worker served them all"


async def test_a_hang_is_killed_and_the_others_are_served(pool: WorkerPool) -> None:
    await pool.call("matches", "a", "a", False, seconds=5.0)
    before = set(pool.pids())
    replies = await asyncio.gather(
        pool.call("matches", *HANGS, seconds=0.5),
        *[pool.call("matches", "a", "a" * i, False, seconds=5.0) for i in range(10)],
    )
    assert isinstance(replies[0], Failure)
    assert replies[0].kind == TIMEOUT
    assert "0.5 s" in replies[0].message
    assert replies[1:] == [False] + [True] * 9
    assert await pool.call("matches", "a", "a", False, seconds=5.0) is True
    assert any(gone(pid) for pid in before)
    assert len(pool.pids()) <= 2


async def test_the_loop_goes_on_while_a_worker_hangs(pool: WorkerPool) -> None:
    hang = asyncio.ensure_future(pool.call("matches", *HANGS, seconds=0.5))
    beats = 0
    while not hang.done():
        await asyncio.sleep(0.005)
        beats += 1
    assert beats > 20
    assert isinstance(hang.result(), Failure)


async def test_a_crashed_worker_is_a_failure_and_is_replaced(pool: WorkerPool) -> None:
    await pool.call("matches", "a", "a", False, seconds=5.0)
    (pid,) = pool.pids()
    hang = asyncio.ensure_future(pool.call("matches", *HANGS, seconds=20.0))
    await asyncio.sleep(0.2)
    os.kill(pid, signal.SIGKILL)
    lost = await hang
    assert isinstance(lost, Failure)
    assert lost.kind == CRASH
    assert await pool.call("matches", "a", "a", False, seconds=5.0) is True
    assert pool.started == 2


async def test_a_worker_that_died_while_idle_is_replaced(pool: WorkerPool) -> None:
    await pool.call("matches", "a", "a", False, seconds=5.0)
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(wait_for, lambda: not pool.pids())
    assert await pool.call("matches", "a", "a", False, seconds=5.0) is True


async def test_a_cancelled_call_ends_its_work(pool: WorkerPool) -> None:
    await pool.call("matches", "a", "a", False, seconds=5.0)
    (pid,) = pool.pids()
    hang = asyncio.ensure_future(pool.call("matches", *HANGS, seconds=60.0))
    await asyncio.sleep(0.2)
    hang.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hang
    await asyncio.to_thread(wait_for, lambda: gone(pid))
    assert await pool.call("matches", "a", "a", False, seconds=5.0) is True


async def test_closing_leaves_no_process(pool: WorkerPool) -> None:
    await asyncio.gather(*[pool.call("matches", "a", "a", False, seconds=5.0) for _ in range(6)])
    pids = pool.pids()
    assert pids
    pool.close()
    pool.close()
    assert all(gone(pid) for pid in pids)
    with pytest.raises(EngineClosed):
        await pool.call("matches", "a", "a", False, seconds=5.0)


async def test_closing_ends_calls_under_way(pool: WorkerPool) -> None:
    await pool.call("matches", "a", "a", False, seconds=5.0)
    hang = asyncio.ensure_future(pool.call("matches", *HANGS, seconds=60.0))
    await asyncio.sleep(0.2)
    await asyncio.to_thread(pool.close)
    lost = await hang
    assert isinstance(lost, Failure)


def test_callers_without_a_loop(pool: WorkerPool) -> None:
    assert pool.call_and_wait("matches", "a", "a", False, seconds=5.0) is True


def test_several_loops_share_a_pool(pool: WorkerPool) -> None:
    for _ in range(2):
        assert asyncio.run(pool.call("matches", "a", "a", False, seconds=5.0)) is True
    assert pool.started == 1


def test_nothing_is_started_before_it_is_needed(pool: WorkerPool) -> None:
    assert pool.pids() == []
    assert workers() is workers()


def test_a_process_that_ends_takes_its_workers_along() -> None:
    """Also one that is killed: its workers see their input end, or their own timers end them."""
    code = (
        "import asyncio, os, signal\n"
        "from outthink.verify.pool import workers\n"
        "asyncio.run(workers().call('matches', 'a', 'a', False, seconds=5.0))\n"
        "print(workers().pids()[0], flush=True)\n"
        "END"
    )
    source = Path(module.__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(source)}
    for end in ("pass", "os.kill(os.getpid(), signal.SIGKILL)"):
        program = [sys.executable, "-c", code.replace("END", end)]
        said = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=60, check=False)
        pid = int(said.stdout)
        wait_for(lambda: gone(pid))  # noqa: B023 - called at once
