"""A real server: llama.cpp's own HTTP server, out of the pinned wheel, with the embedded model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from outthink.core import Message
from outthink.engines import ChatPrompt, Continuation, Generation, JsonSchema, Request, StopReason
from outthink.engines.doctor import models_at, only
from outthink.engines.openai import Openai, connect
from tests.engines.llama_cpp_server import llama_cpp_server

ASKED = (Message("user", "What number comes after 41?"),)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with llama_cpp_server() as where:
        yield where


@pytest.mark.local_model
async def test_probe_and_engine(address: str, tmp_path: Path) -> None:
    named = Openai(model="?", preset="llama-cpp", base_url=address, cache=str(tmp_path))
    settings = Openai(model=only(await models_at(named)), preset="llama-cpp", base_url=address, cache=str(tmp_path))
    engine = await connect(settings)
    able = engine.abilities
    assert (able.seeds, able.log_probs, able.log_prob_law, able.usage, able.stop) == ("yes", "yes", "raw", "yes", "yes")
    assert (able.prefix, able.limits, able.schema, able.stream_usage) == ("trailing", "yes", "yes", "yes")
    assert able.system == "yes", "its template has a system message of its own, which is longer"
    assert Continuation.ASSISTANT_PREFIX in engine.capabilities.continuations

    twice = [Request(ChatPrompt(ASKED), seed=5, max_tokens=6, wants=frozenset({"log_probs"})) for _ in range(2)]
    one, two = [reply for reply in await engine.generate(twice) if isinstance(reply, Generation)]
    assert one.text == two.text
    assert not one.estimated
    assert one.log_probs is not None
    assert len(one.log_probs) == one.cost.output_tokens == 6

    begun = ChatPrompt(ASKED, prefix="The number after 41 is 4")
    schema = JsonSchema(document={"type": "object", "properties": {"ok": {"enum": ["yes"]}}, "required": ["ok"]})
    going, cut, held = await engine.generate(
        [
            Request(begun, seed=1, max_tokens=3),
            Request(ChatPrompt(ASKED), seed=5, max_tokens=6, stop=(one.text[3:5],)),
            Request(ChatPrompt(ASKED), seed=5, max_tokens=24, constraint=schema),
        ]
    )
    assert isinstance(going, Generation)
    assert not going.text.startswith("The number")
    assert isinstance(cut, Generation)
    assert (cut.text, cut.stop) == (one.text[: one.text.index(one.text[3:5])], StopReason.STOP)
    assert isinstance(held, Generation)
    assert '"yes"' in held.text
    await engine.close()
