"""Self-evaluation on the embedded engine: only the appended question is computed, in the steps that decode other requests."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from outthink.core import Allowance, Budget, Cost, Key, Parts, Search, Session, Task
from outthink.engines.engine import Request, TextPrompt
from outthink.engines.local.engine import LocalEngine
from outthink.engines.local.settings import Local
from outthink.search import Adaptive, Threshold
from outthink.text import Text, TextProcess
from outthink.verify import SelfEvaluation

TASK = Task(prompt="What is 17 + 25? Answer with the number.")


@pytest.mark.local_model
async def test_only_the_question_is_computed_in_the_same_batch() -> None:
    engine = LocalEngine(Local(memory=64.0))
    try:
        for style in ("chat", "plain"):
            await check_counts(engine, style)
        await check_shared_steps(engine)
        await check_search(engine)
    finally:
        await engine.close()


async def check_counts(engine: LocalEngine, style: str) -> None:
    """Rows computed: the question behind each text, the last token before it, and one for each further answer token."""
    n = 3
    process = TextProcess(engine, TASK, Text(format=style, max_tokens=12))  # type: ignore[arg-type]
    states = await process.start(Key(1).seeds(n))
    got = await process.advance(states, Key(2).seeds(n), steps=None, allowance=Allowance())
    said = await process.view(got.states, frozenset({"context"}))
    verifier = SelfEvaluation().build(Parts(engine=engine))
    asked = verifier._turn if style == "chat" else verifier._plain
    assert isinstance(asked, tuple)
    before, counted = engine.statistics, engine.counters()
    scores = await verifier.score(said, TASK)
    after = engine.statistics
    more = len(verifier.better) + len(verifier.as_good) - 1
    different = len({candidate.features["context"].tokens for candidate in said})
    rows, whole = after.rows - before.rows, scores.cost.input_tokens
    assert rows <= different * (len(asked) + 1 + more)
    assert rows < whole / 4, "nearly everything was in the cache"
    assert after.recomputed == before.recomputed
    assert after.steps - before.steps <= 3, "all candidates together"
    assert scores.cost == engine.counters() - counted + Cost(verifier_calls=different)
    assert scores.cost.tokens == rows
    assert scores.cost.output_tokens == 0
    assert not np.isnan(scores.values).any()
    assert ((scores.values > 0) & (scores.values < 1)).all()


async def check_shared_steps(engine: LocalEngine) -> None:
    """While another request decodes, a reading takes no steps of its own: it rides in that request's."""
    process = TextProcess(engine, Task(prompt="Name a colour."), Text(max_tokens=6))
    states = await process.start(Key(3).seeds(2))
    got = await process.advance(states, Key(4).seeds(2), steps=None, allowance=Allowance())
    said = await process.view(got.states, frozenset({"context"}))
    verifier = SelfEvaluation().build(Parts(engine=engine))
    tokens = 24
    other = Request(prompt=TextPrompt("Once upon a time"), seed=1, max_tokens=tokens)
    before = engine.statistics.steps
    await asyncio.gather(engine.generate([other]), verifier.score(said, TASK))
    assert engine.statistics.steps - before <= tokens + 2


async def check_search(engine: LocalEngine) -> None:
    """A whole search under a budget: the bill is the engine's, and readings are a small part of it."""
    session, before = Session.open(seed=1, budget=Budget(tokens=600)), engine.counters()
    method = Adaptive(n=4, stop=Threshold(value=0.999), choose="score", waves=(2,))
    search = Search(
        lambda task: TextProcess(engine, task, Text(max_tokens=16)),
        method,
        SelfEvaluation().build(Parts(engine=engine)),
    )
    result = await search.solve(TASK, session)
    judged = result.by_role["verify"]
    assert result.cost.tokens <= 600
    assert engine.counters() - before == result.cost - Cost(verifier_calls=judged.verifier_calls)
    assert len(result.candidates) == 4
    assert judged.tokens < 4 * 40
