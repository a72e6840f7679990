"""One recipe, four kinds of engine: embedded, a real HTTP server, Hugging Face models, scripted. Only the table [engine] differs."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from outthink.core import Session, Stop, Task
from outthink.core.events import Adapted, AnyEvent
from outthink.recipes import build
from outthink.recipes.recipe import from_tables
from tests.engines.llama_cpp_server import llama_cpp_server
from tests.engines.torch.conftest import folder as folder
from tests.engines.torch.conftest import torch_installed as torch_installed
from tests.needs import need

COMMON = """
[process]
type = "text"
max_tokens = 18
least_tokens = 1
stepper = { type = "tokens", n = 6 }
[verifier]
type = "confidence"
[budget]
tokens = 3000
"""
RECIPES = {
    "best-of-n": '[algorithm]\ntype = "best-of-n"\nn = 3\n' + COMMON,
    "vote": '[algorithm]\ntype = "vote"\nn = 3\n' + COMMON.replace('[verifier]\ntype = "confidence"\n', ""),
    "particle-filter": '[algorithm]\ntype = "particle-filter"\nn = 3\n' + COMMON,
    "beam": '[algorithm]\ntype = "beam"\nn = 4\nwidth = 2\n'
    + COMMON.replace('{ type = "tokens", n = 6 }', '{ type = "delimiter", text = ".", most = 6 }'),
}
SEED = 22
"""One with which the texts of the tiny random model do not all end at once."""
MEMBERS = {"best-of-n": 3, "vote": 3, "particle-filter": 3, "beam": 4}
STEP_WISE = ("particle-filter", "beam")
TASK = Task(prompt="Tell me about the sea.")
SAYS = "the sea is wide. it is deep. it is blue. it is cold. it is old"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with llama_cpp_server() as address:
        yield address


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server's record is kept: it is probed once."""
    return tmp_path_factory.mktemp("probes")


@pytest.fixture(
    params=[
        pytest.param("embedded", marks=pytest.mark.local_model),
        pytest.param("server", marks=pytest.mark.local_model),
        "transformers",
        "scripted",
    ]
)
def engine(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The table [engine]."""
    kind = request.param
    if kind == "scripted":
        return {"type": "scripted", "otherwise": SAYS}
    if kind == "transformers":
        need("transformers")
        model = str(request.getfixturevalue("folder"))
        return {"type": "transformers", "model": model, "device": "cpu", "memory": 20.0, "deterministic": True}
    if kind == "embedded":
        return {"type": "local", "memory": 24.0, "context": 400, "max_sequences": 4, "deterministic": True}
    address, cache = request.getfixturevalue("server"), str(request.getfixturevalue("probes"))
    prices = {"input": 1e6, "output": 1e6}
    where = {"preset": "llama-cpp", "base_url": address, "cache": cache, "prices": prices}
    return {"type": "openai", "model": "any", **where}


@pytest.mark.parametrize("method", RECIPES)
async def test_the_same_recipe_everywhere(method: str, engine: dict[str, Any]) -> None:
    recipe = from_tables({**tomllib.loads(RECIPES[method]), "engine": engine}, method)
    events: list[AnyEvent] = []
    async with build(recipe) as built:
        assert built.engine is not None
        before = built.engine.counters()
        session = Session.open(seed=SEED, budget=recipe.budget, sinks=[events.append])
        result = await built.solver.solve(TASK, session)
        session.close()
        counted = built.engine.counters() - before
        expected = {one.what for one in built.engine.adaptations}
        exact = built.engine.capabilities.exact
        again = await built.solver.solve(TASK, Session.open(seed=SEED, budget=recipe.budget)) if exact else result
    assert result.stop is Stop.DONE
    # Beam keeps the answers that were finished on the way besides.
    assert len(result.candidates) >= MEMBERS[method]
    assert not result.degraded
    assert result.answer
    assert result.cost.tokens <= 3000
    assert not result.overshoot
    assert result.by_role["generate"] == counted, "the bill is what the engine counted"
    assert {event.what for event in events if isinstance(event, Adapted)} == expected
    assert len({c.content for c in result.candidates}) > 1 or engine["type"] == "scripted"
    if method in STEP_WISE:
        assert result.steps >= 2, "the texts grew in one piece"
        # What was said before is not paid for again: three steps of a text whose prompt is paid once.
        assert result.cost.cached_input_tokens > 0
    if method != "vote":
        assert all(score is not None for score in result.scores)
    assert (again.answer, again.scores) == (result.answer, result.scores)
