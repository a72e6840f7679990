"""Whole searches over servers of every kind: whole answers on each of them, step-wise methods on each that can continue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outthink.core import Budget, Incompatible, Message, Search, Session, Stop, Task
from outthink.engines import Continuation
from outthink.engines.openai import Openai, connect
from outthink.engines.scripted_tokens import ASSISTANT, END, reply_of
from outthink.search.best_of_n import BestOfN
from outthink.search.particle_filter import ParticleFilter
from outthink.search.vote import Vote
from outthink.testing import FunctionOfContent
from outthink.testing.openai_server import OpenAIServer, Personality, able_model
from outthink.text.process import TextProcess
from outthink.text.settings import Text

SUMS = {"one\n\n": 0.6, "two\n\n": 0.4}


def two_steps(text: str) -> Mapping[str, float]:
    """What a probe asks for, or else two steps of one word and an answer."""
    if "steps, please" not in text:
        return able_model(text)
    said = reply_of(text) if ASSISTANT in text else text
    done = said.count("\n\n")
    return SUMS if done < 2 else {"Answer: 5": 1.0} if "Answer" not in said else {END: 1.0}


SERVERS: dict[str, Personality] = {
    "able": Personality(),
    "no n": Personality(n="ignored"),
    "no log-probabilities": Personality(log_probs="refused"),
    "no seed": Personality(seed="ignored"),
    "no continuation": Personality(prefix=(), other_prefix="refused", completions="refused"),
    "restarts": Personality(prefix=(), completions="ignored"),
    "trailing": Personality(prefix=("trailing",), completions="refused"),
    "repeats the prefix": Personality(prefix_echo=True),
    "no stop list": Personality(stop="ignored"),
    "stop not named": Personality(tells_stop=False),
    "no system role": Personality(system="refused"),
    "usage missing": Personality(usage="missing"),
    "no stream": Personality(stream="refused"),
    "limits ignored": Personality(limits="ignored"),
}


async def searched(server: OpenAIServer, folder: Path, algorithm: Any) -> Any:
    engine = await connect(Openai(model=server.model, base_url=server.base_url, cache=str(folder)))
    server.reset()
    task = Task(prompt=(Message("user", "steps, please"),))
    try:
        settings = Text(max_tokens=40)
        verifier = FunctionOfContent(lambda content: float(str(content).count("one")))
        session = Session.open(seed=7, budget=Budget(calls=200))
        search = Search(lambda one: TextProcess(engine, one, settings), algorithm, verifier)
        result = await search.solve(task, session)
        continues = Continuation.ASSISTANT_PREFIX in engine.capabilities.continuations
        return result, engine, continues
    finally:
        await engine.close()


@pytest.mark.parametrize("name", SERVERS)
async def test_methods(name: str, tmp_path: Path) -> None:
    async with OpenAIServer(two_steps, personality=SERVERS[name], vocabulary=(*SUMS, "Answer: 5")) as server:
        for algorithm in (BestOfN(n=6), Vote(n=6)):
            result, engine, _ = await searched(server, tmp_path, algorithm)
            assert result.stop is Stop.DONE, result
            assert "Answer: 5" in result.candidates[0].content
            counted = server.counters
            low, more = engine.counters(), engine.uncertain()
            assert low.output_tokens <= counted.output_tokens <= low.output_tokens + more.output_tokens
            assert low.calls <= counted.calls <= low.calls + more.calls
        if SERVERS[name].prefix == ():
            with pytest.raises(Incompatible, match="continu"):
                await searched(server, tmp_path, ParticleFilter(n=4))
            assert server.counters.requests == 0, "refused before anything was spent"
            return
        result, _, continues = await searched(server, tmp_path, ParticleFilter(n=4))
        assert continues
        assert result.stop is Stop.DONE
        assert "Answer: 5" in result.candidates[0].content
