"""A backend whose every reply takes the same time, on a virtual clock and real loopback sockets, and searches that talk to it.

Drafts are words of the backend's own, different for every seed, so that a judge has eight different texts to rate; verdicts are scores.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from outthink.core import Budget, Cut, Result, Search, Session, Task
from outthink.core.component import Parts
from outthink.engines.openai import HostLimits, Openai, OpenAIEngine, connect
from outthink.engines.scripted_tokens import ASSISTANT, END, question_of, reply_of
from outthink.search import BestOfN
from outthink.testing.openai_server import OpenAIServer, Personality, able_model
from outthink.text import Text, TextProcess
from outthink.verify import Judge

SECONDS = 0.2
WIRE = 0.002
WORDS = tuple(f"draft {i}" for i in range(300))
VERDICTS = tuple(f"Score: {i}" for i in range(11))
EVEN = dict.fromkeys(WORDS, 1 / len(WORDS))
VERDICT = dict.fromkeys(VERDICTS, 1 / len(VERDICTS))


def drafts_and_verdicts(text: str) -> Mapping[str, float]:
    """A draft, or a verdict on one; what a probe asks for is answered as an able model would."""
    question, said = question_of(text), reply_of(text) if ASSISTANT in text else text
    if "write a draft" not in question:
        return able_model(text)
    if said:
        return {END: 1.0}
    return VERDICT if "Score:" in question else EVEN


def latency_server(personality: Personality | None = None) -> OpenAIServer:
    """The backend: 200 ms before each reply, whose one token is free."""
    who = personality or Personality(first_seconds=SECONDS)
    return OpenAIServer(drafts_and_verdicts, personality=who, vocabulary=(*WORDS, *VERDICTS))


@asynccontextmanager
async def open_engine(server: OpenAIServer, folder: Path, **settings: Any) -> AsyncIterator[OpenAIEngine]:
    """An engine that has probed the server; its probe is not counted."""
    fields: dict[str, Any] = {"model": server.model, "base_url": server.base_url, "cache": str(folder)}
    engine = await connect(Openai(**{"limits": HostLimits(in_flight=64), **fields, **settings}))
    # The probe's connections close one loop turn later: searches are to be measured from a quiet server.
    await asyncio.sleep(1.0)
    server.reset()
    try:
        yield engine
    finally:
        await engine.close()


def judged(engine: OpenAIEngine, n: int = 8, owner: str = "") -> Search:
    """Best-of-n under a judge that rates each draft once, both by the same backend."""
    judge = Judge(n_evaluate=1, max_tokens=8, constrain="never").build(Parts(engine=engine))
    settings = Text(max_tokens=8)
    return Search(lambda task: TextProcess(engine, task, settings, owner=owner or task.id), BestOfN(n=n), judge)


async def solved(search: Search, *, seed: int = 0, name: str = "", cut: Cut | None = None, **budget: Any) -> Result:
    """One task, under a budget by its columns."""
    session = Session.open(seed=seed, budget=Budget(**budget), cut=cut)
    try:
        return await search.solve(Task(prompt="write a draft", id=name), session)
    finally:
        session.close()
