from __future__ import annotations

import asyncio
import time

import pytest

from outthink.testing import VirtualLoop, run_virtual


def test_hours_pass_at_once_and_in_order() -> None:
    async def work() -> list[float]:
        loop = asyncio.get_running_loop()
        times: list[float] = []

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds)
            times.append(loop.time())

        await asyncio.gather(sleep(3600), sleep(0.5), sleep(7200), sleep(0))
        assert isinstance(loop, VirtualLoop)
        assert loop.jumps == (0.5, 3600.0, 7200.0)
        return times

    began = time.monotonic()
    assert run_virtual(work()) == [0.0, 0.5, 3600.0, 7200.0]
    assert time.monotonic() - began < 5


def test_timeouts_are_virtual() -> None:
    async def work() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100):
                await asyncio.Event().wait()
        return asyncio.get_running_loop().time()

    assert run_virtual(work()) == 100.0


def test_work_that_is_ready_takes_no_time() -> None:
    async def work() -> float:
        for _ in range(100):
            await asyncio.sleep(0)
        return asyncio.get_running_loop().time()

    assert run_virtual(work()) == 0.0


def test_another_thread_may_wake_the_loop() -> None:
    async def work() -> int:
        return await asyncio.to_thread(lambda: 42)

    assert run_virtual(work()) == 42


def test_a_deadlock_is_told() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run_virtual(work(), patience=0.05)


def test_tasks_left_behind_are_told() -> None:
    async def work() -> asyncio.Task[None]:
        return asyncio.create_task(asyncio.sleep(5), name="forgotten")

    with pytest.raises(RuntimeError, match="forgotten"):
        run_virtual(work())


def test_errors_come_through() -> None:
    async def work() -> None:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        run_virtual(work())
