from __future__ import annotations

import asyncio

import pytest

from outthink.core import Cut, gather_until
from outthink.testing import run_virtual


async def after(seconds: float, value: str, ended: list[str]) -> str:
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        ended.append(f"{value} cancelled")
        raise
    ended.append(value)
    return value


async def others() -> set[asyncio.Task[object]]:
    return {task for task in asyncio.all_tasks() if task is not asyncio.current_task()}


def test_everything_finishes_without_a_cut() -> None:
    async def work() -> list[str | None]:
        ended: list[str] = []
        got = await gather_until(Cut(), [after(3, "c", ended), after(1, "a", ended), after(2, "b", ended)])
        assert ended == ["a", "b", "c"]
        assert asyncio.get_running_loop().time() == 3.0
        assert not await others()
        return got

    assert run_virtual(work()) == ["c", "a", "b"]


def test_what_had_finished_is_kept_and_the_rest_is_cancelled() -> None:
    async def work() -> None:
        cut, ended = Cut(), list[str]()
        asyncio.get_running_loop().call_later(2.5, cut.fire, "seconds")
        got = await gather_until(cut, [after(s, str(s), ended) for s in (1, 4, 2, 3)])
        assert got == ["1", None, "2", None]
        assert asyncio.get_running_loop().time() == 2.5
        assert ended == ["1", "2", "4 cancelled", "3 cancelled"]
        assert not await others()

    run_virtual(work())


def test_what_finishes_together_with_the_cut_is_kept() -> None:
    async def work() -> list[str | None]:
        cut = Cut()
        asyncio.get_running_loop().call_later(1.0, cut.fire, "seconds")
        return await gather_until(cut, [after(1.0, "a", []), after(1.5, "b", [])])

    assert run_virtual(work())[1] is None


def test_an_error_ends_all_and_leaves_nothing_behind() -> None:
    async def broken() -> str:
        await asyncio.sleep(1)
        raise LookupError("broken")

    async def work() -> None:
        ended: list[str] = []
        with pytest.raises(LookupError, match="broken"):
            await gather_until(Cut(), [after(5, "late", ended), broken()])
        assert ended == ["late cancelled"]
        assert not await others()

    run_virtual(work())


def test_whoever_waits_may_be_cancelled() -> None:
    async def work() -> None:
        ended: list[str] = []
        task = asyncio.create_task(gather_until(Cut(), [after(5, "late", ended)]))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended == ["late cancelled"]
        assert not await others()

    run_virtual(work())


def test_no_work_and_no_cut() -> None:
    async def work() -> None:
        assert await gather_until(Cut(), []) == []
        assert await gather_until(None, [after(1, "a", [])]) == ["a"]

    run_virtual(work())


def test_a_cut_fires_once_and_tells_everyone() -> None:
    async def work() -> None:
        cut, heard = Cut(), list[str]()
        cut.on_fire(lambda: heard.append("early"))
        remove = cut.on_fire(lambda: heard.append("removed"))
        remove()
        remove()
        assert cut.reason is None
        waiting = asyncio.create_task(cut.wait())
        cut.fire("seconds")
        cut.fire("interrupt")
        assert cut.reason == "seconds"
        assert await waiting == "seconds"
        cut.on_fire(lambda: heard.append("late"))()
        assert heard == ["early", "late"]

    run_virtual(work())
