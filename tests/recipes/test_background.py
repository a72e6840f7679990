from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from outthink.core.cut import Cut
from outthink.core.errors import OutthinkError
from outthink.recipes.background import Background


async def quick(cut: Cut) -> str:
    return threading.current_thread().name


def test_work_runs_on_one_thread_of_its_own() -> None:
    background = Background()
    assert background.run(quick) == background.run(quick) == "outthink"


async def test_it_works_inside_a_running_loop() -> None:
    assert Background().run(quick) == "outthink"


def test_errors_come_through() -> None:
    async def broken(cut: Cut) -> None:
        raise ValueError("as it was")

    with pytest.raises(ValueError, match="as it was"):
        Background().run(broken)


def test_it_refuses_to_wait_for_itself() -> None:
    background = Background()

    async def nested(cut: Cut) -> str:
        return background.run(quick)

    with pytest.raises(OutthinkError, match="asolve"):
        background.run(nested)


def test_ctrl_c_fires_the_cut_and_the_work_hands_back_what_it_has() -> None:
    async def work(cut: Cut) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return await cut.wait()

    assert Background().run(work) == "interrupt"


def test_a_second_ctrl_c_gives_up() -> None:
    ended = threading.Event()

    async def stubborn(cut: Cut) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await cut.wait()
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        Background().run(stubborn)
    assert ended.wait(5), "the work was not cancelled"
