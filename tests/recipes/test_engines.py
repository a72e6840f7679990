from __future__ import annotations

import asyncio
import threading

import pytest

from outthink.core.component import EngineSettings
from outthink.core.errors import EngineClosed, ModelMissing
from outthink.engines.engine import Engine, Request, TextPrompt
from outthink.engines.scripted_table import Scripted
from outthink.recipes import Engines, Live, build, load, override


class Missing(EngineSettings):
    """An engine whose model is not there."""

    def open(self) -> Engine:
        raise ModelMissing("no model")


async def is_open(engine: Engine) -> bool:
    try:
        (reply,) = await engine.generate([Request(prompt=TextPrompt("x"), seed=0, max_tokens=1)])
    except EngineClosed:
        return False
    return type(reply).__name__ != "Failure"


async def test_equal_settings_share_an_engine() -> None:
    engines = Engines()
    one, two, other = [await engines.lease(s) for s in (Scripted(), Scripted(rules=()), Scripted(otherwise="x"))]
    assert one is two
    assert other is not one
    await engines.close()
    assert not await is_open(one)


async def test_an_engine_stays_until_its_last_user_has_gone() -> None:
    engines = Engines(idle=0)
    engine = await engines.lease(Scripted())
    await engines.lease(Scripted())
    await engines.release(Scripted())
    assert await is_open(engine)
    await engines.release(Scripted())
    assert not await is_open(engine)


async def test_only_the_last_idle_engines_stay() -> None:
    engines = Engines(idle=1)
    settings = [Scripted(otherwise=word) for word in "abc"]
    opened = [await engines.lease(one) for one in settings]
    for one in settings:
        await engines.release(one)
    assert [await is_open(engine) for engine in opened] == [False, False, True]
    assert await engines.lease(settings[2]) is opened[2]
    await engines.close()


async def test_two_that_start_together_open_one() -> None:
    engines = Engines()
    opened = await asyncio.gather(*[engines.lease(Scripted()) for _ in range(8)])
    assert len(set(map(id, opened))) == 1
    await engines.close()


async def test_opening_does_not_hold_the_loop() -> None:
    threads: list[str] = []

    class Watched(EngineSettings):
        def open(self) -> Engine:
            threads.append(threading.current_thread().name)
            return Scripted().open()

    engines = Engines()
    await engines.lease(Watched())
    assert threads != [threading.current_thread().name]
    await engines.close()


async def test_an_engine_that_does_not_open_says_why_and_leaves_nothing() -> None:
    engines = Engines()
    for _ in range(2):
        with pytest.raises(ModelMissing):
            await engines.lease(Missing())
    await engines.release(Missing())


async def test_a_built_recipe_closes_what_it_opened_and_nothing_else() -> None:
    recipe = override(load("vote"), ["engine.type=scripted"])
    async with build(recipe) as built:
        assert built.engine is not None
        assert await is_open(built.engine)
    assert not await is_open(built.engine)
    mine = Scripted().open()
    async with build(recipe, live=Live(engine=mine)) as built:
        assert built.engine is mine
    assert await is_open(mine)


async def test_a_failure_while_building_closes_the_engine() -> None:
    engines = Engines(idle=0)
    recipe = override(load("vote"), ["engine.type=scripted"])
    with pytest.raises(RuntimeError):
        async with build(recipe, engines=engines) as built:
            raise RuntimeError
    assert built.engine is not None
    assert not await is_open(built.engine)
