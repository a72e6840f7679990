"""Opening from settings: with a probe, without one, from a thread, and from a recipe's table."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest

from outthink.core import EngineError, Message
from outthink.engines import ChatPrompt, Generation, Request
from outthink.engines.openai import Openai, OpenAIEngine, connect
from outthink.recipes.registry import find
from outthink.testing.openai_server import OpenAIServer

HELLO = Request(ChatPrompt((Message("user", "hello"),)), seed=1, max_tokens=4)


async def test_opening_probes_once(tmp_path: Path) -> None:
    async with OpenAIServer() as server:
        settings = Openai(model=server.model, base_url=server.base_url, cache=str(tmp_path))
        first = await asyncio.to_thread(settings.open)
        probed = server.counters.requests
        assert probed > 0
        assert first.abilities.n == "yes"
        assert first.counters().calls == 0, "what the probe cost stands in its record, not in the engine's bill"
        second = await connect(settings)
        assert server.counters.requests == probed
        for engine in (first, second):
            (reply,) = await engine.generate([HELLO])
            assert isinstance(reply, Generation)
            await engine.close()


def test_opening_needs_no_loop(tmp_path: Path) -> None:
    engine = Openai(model="m", preset="vllm", probe="never").open()
    assert isinstance(engine, OpenAIEngine)
    assert engine.name == "m at 127.0.0.1:8000 (vllm, chat)"
    asyncio.run(engine.close())
    with pytest.raises(EngineError, match="cannot be reached"):
        Openai(model="m", base_url="http://127.0.0.1:9/v1", cache=str(tmp_path)).open()
    assert list(tmp_path.iterdir()) == []


async def test_opening_inside_a_running_loop() -> None:
    engine = Openai(model="m", probe="never").open()
    await engine.close()


def test_a_recipes_table() -> None:
    table = {
        "type": "openai",
        "model": "m",
        "preset": "llama-cpp",
        "limits": {"in_flight": 4, "tokens_per_minute": 1000},
        "timeouts": {"idle": 5.0},
        "prices": {"input": 1.0, "output": 2.0},
        "assume": {"seeds": "no"},
    }
    cls = find("engine", "openai")
    assert cls is Openai
    settings = msgspec.convert(table, Openai)
    assert settings == Openai(**{name: value for name, value in table.items() if name != "type"})
    assert msgspec.convert(msgspec.to_builtins(settings), Openai) == settings
