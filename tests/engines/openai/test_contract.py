"""The engine keeps the contract of engines, streamed and whole, with seeds and with shared calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from outthink.core import Failure, Message
from outthink.engines import ChatPrompt, Engine, TextPrompt
from outthink.engines.openai.abilities import Abilities
from outthink.engines.scripted_tokens import END
from outthink.testing.contracts import EngineContract
from outthink.testing.openai_server import Personality
from tests.engines.openai.conftest import pair


def babble(text: str) -> Mapping[str, float]:
    """Syllables for ever, seldom the end."""
    if text.endswith("ba"):
        return {"bo": 0.5, "bi": 0.3, " ": 0.2}
    return {"ba": 0.6, " lala": 0.35, END: 0.05}


WAYS: dict[str, dict[str, Any]] = {
    "streamed": {},
    "whole": {"stream": "never"},
    "stops found here": {"stops": "local"},
    "shared calls": {"use_n": "always", "assume": Abilities(seeds="no")},
    "one at a time": {"limits": {"in_flight": 1}},
}


class TestOpenAIEngine(EngineContract):
    prompts = (TextPrompt("one"), TextPrompt("one two"), ChatPrompt((Message("user", "three"),), prefix="bo"))
    cut_after = 0.1

    @pytest.fixture(params=WAYS)
    async def engine(self, request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
        personality = Personality(token_seconds=0.002)
        async with pair(personality, script=babble, vocabulary=("ba", "bo", "one"), **WAYS[request.param]) as both:
            yield both.engine

    async def test_the_uncached_input_promised_is_all_that_is_billed(self, engine: Engine) -> None:
        """Nobody knows what a server has cached, so a promise below its prompt's bound is refused, not broken."""
        most = engine.most(self.requests())
        allowed = [r for q, r in zip(most, self.requests(max_uncached=200), strict=True) if q.input_tokens <= 200]
        assert allowed
        for reply in await self.replies(engine, allowed):
            assert reply.cost.input_tokens - reply.cost.cached_input_tokens <= 200
        for refused in await engine.generate(self.requests(max_uncached=0)):
            assert isinstance(refused, Failure)
            assert "uncached" in refused.message
        await engine.close()
