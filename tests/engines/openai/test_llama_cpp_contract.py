"""The engine keeps the contract of engines on a real server: llama.cpp's own, out of the pinned wheel, with the embedded model.

It takes minutes on a busy machine, so it runs with `make laws`; every test run has whole searches on that server instead
(`tests/engines/test_same_recipe_everywhere.py`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from outthink.core import Failure, Message
from outthink.engines import ChatPrompt, Engine, TextPrompt
from outthink.engines.doctor import models_at, only
from outthink.engines.openai import Openai, Prices, connect
from outthink.testing.contracts import EngineContract
from tests.engines.llama_cpp_server import llama_cpp_server
from tests.needs import full_size


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with llama_cpp_server() as where:
        yield where


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server is probed once for all tests."""
    return tmp_path_factory.mktemp("probes")


@pytest.mark.laws
@pytest.mark.local_model
@full_size
class TestLlamaCppServer(EngineContract):
    prompts = (
        TextPrompt("Once upon a time there was"),
        TextPrompt("Once upon a time there lived"),
        ChatPrompt((Message("user", "Tell me a story."),), prefix="Long ago,"),
    )
    max_tokens = 4
    long = 10
    cut_after = 0.1
    patience = 30.0

    @pytest.fixture
    async def engine(self, address: str, cache: Path) -> AsyncIterator[Engine]:
        where: dict[str, Any] = {"preset": "llama-cpp", "base_url": address, "cache": str(cache)}
        model = only(await models_at(Openai(model="?", **where)))
        engine = await connect(Openai(model=model, prices=Prices(input=1e6, output=1e6), **where))
        yield engine
        await engine.close()

    async def test_the_uncached_input_promised_is_all_that_is_billed(self, engine: Engine) -> None:
        """Nobody knows what a server has cached, so a promise below its prompt's bound is refused, not broken."""
        for refused in await engine.generate(self.requests(max_uncached=0)):
            assert isinstance(refused, Failure)
            assert "uncached" in refused.message
