"""Texts and searches over a Hugging Face model: the process's contract, a particle filter end to end, states that survive being stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import outthink
from outthink.core import Allowance, Cost, Key, Process, Task
from outthink.engines.engine import Sampling
from outthink.engines.torch import Transformers
from outthink.recipes.registry import find
from outthink.search.particle_filter import ParticleFilter
from outthink.testing.contracts import ProcessContract
from outthink.text import Text, TextProcess, Tokens
from tests.engines.torch.conftest import opened

if TYPE_CHECKING:
    from outthink.engines.torch.engine import TransformersEngine

PLAIN: dict[str, Any] = {"format": "plain", "stepper": Tokens(n=4), "max_tokens": 24, "least_tokens": 1}


def vowels(text: str) -> float:
    """Share of vowels."""
    return sum(letter in "aeiou" for letter in text) / max(len(text), 1)


class TestTextOverTransformers(ProcessContract):
    @pytest.fixture
    def process(self, folder: Path) -> TextProcess:
        engine = opened(folder, deterministic=True, max_sequences=8, retained=32)
        return TextProcess(engine, Task(prompt="the wind"), **PLAIN)

    def counters(self, process: Process[Any]) -> Cost | None:
        assert isinstance(process, TextProcess)
        return process.engine.counters()


async def test_a_particle_filter_end_to_end(engine: TransformersEngine) -> None:
    before = engine.counters()
    result = await outthink.asolve(
        "the wind",
        method=ParticleFilter(n=6),
        model=engine,
        process=Text(**PLAIN),
        verifier=vowels,
        budget=outthink.Budget(tokens=600),
        seed=3,
    )
    assert result.answer
    assert len(result.candidates) == 6
    assert not result.overshoot
    assert result.by_role["generate"] == engine.counters() - before
    assert result.by_role["generate"].tokens <= 600
    # Six texts of up to 24 tokens in steps of 4: all that was said before is found in the cache.
    spent = engine.statistics
    uncached = result.by_role["generate"].input_tokens - result.by_role["generate"].cached_input_tokens
    assert spent.prefilled == uncached
    assert result.by_role["generate"].cached_input_tokens > 4 * uncached


async def test_a_search_by_name_repeats(folder: Path) -> None:
    settings = Transformers(model=str(folder), device="cpu", memory=20.0, deterministic=True)
    how: dict[str, Any] = {"method": ParticleFilter(n=4), "model": settings, "process": Text(**PLAIN), "seed": 5}
    one = await outthink.asolve("the wind", verifier=vowels, budget="tokens=400", **how)
    two = await outthink.asolve("the wind", verifier=vowels, budget="tokens=400", **how)
    assert [c.content for c in one.candidates] == [c.content for c in two.candidates]
    assert one.answer == two.answer
    named = {**how, "model": f"transformers:{folder}", "changes": ("engine.deterministic=true", "engine.device=cpu")}
    three = await outthink.asolve("the wind", verifier=vowels, budget="tokens=400", **named)
    assert [c.content for c in three.candidates] == [c.content for c in one.candidates]


async def test_states_survive_being_stored(folder: Path) -> None:
    """Half-way states go to another engine with an empty cache and end there as they end here."""
    ends = []
    dumped = b""
    for first in (True, False):
        engine = opened(folder, deterministic=True)
        process = TextProcess(engine, Task(prompt="the wind"), sampling=Sampling(temperature=0.9), **PLAIN)
        states = await process.start(Key(1).seeds(3))
        if first:
            states = (await process.advance(states, Key(2).seeds(3), allowance=Allowance())).states
            dumped = process.dump(states)
        else:
            states = process.load(dumped)
            assert process.dump(states) == dumped
        states = process.take(states, np.array([2, 0, 0]))
        got = await process.advance(states, Key(3).seeds(3), steps=None, allowance=Allowance())
        assert not got.failures
        ends.append(process.dump(got.states))
        await engine.close()
    assert ends[0] == ends[1]


def test_it_is_registered() -> None:
    assert find("engine", "transformers") is Transformers
