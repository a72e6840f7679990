"""Engines on a scripted server, opened without a probe unless a test says otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from outthink.core import Cut
from outthink.engines.openai import Openai, OpenAIEngine, Prices, connect, preset
from outthink.engines.openai.abilities import Abilities
from outthink.testing.openai_server import OpenAIServer, Personality, able_model

PRICES = Prices(input=1.0, output=4.0, cached_input=0.5)
ABLE = preset("vllm").abilities


@dataclass(frozen=True)
class Pair:
    """A server and an engine that talks to it."""

    server: OpenAIServer
    engine: OpenAIEngine


@asynccontextmanager
async def pair(
    personality: Personality | None = None,
    *,
    script: Callable[[str], Any] = able_model,
    vocabulary: tuple[str, ...] = (),
    assume: Abilities | None = None,
    **settings: Any,
) -> AsyncIterator[Pair]:
    """`assume`: what is stated over the preset's abilities, which are those of an able server."""
    fields: dict[str, Any] = {
        "model": "scripted",
        "preset": "vllm",
        "probe": "never",
        "prices": PRICES,
        "backoff_seconds": 0.01,
        "assume": assume or Abilities(),
    }
    async with OpenAIServer(script, personality=personality, vocabulary=vocabulary) as server:
        engine = await connect(Openai(**{**fields, "base_url": server.base_url, **settings}))
        try:
            yield Pair(server, engine)
        finally:
            await engine.close()


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for something to happen at the other end of a socket; an error if it does not."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.002)


def cut_when(condition: Callable[[], bool]) -> Cut:
    """A cut that fires as soon as the condition holds."""
    cut = Cut()

    async def watch() -> None:
        await until(condition)
        cut.fire("seconds")

    _WATCHING.append(asyncio.ensure_future(watch()))
    return cut


_WATCHING: list[asyncio.Future[None]] = []
