"""Scripted judges: models whose every verdict has a known probability."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from outthink.core import Candidate, Cost, Parts, Scores, Task, Verifier
from outthink.engines.scripted import Behaviour, ScriptedEngine, reply_of
from outthink.engines.scripted_tokens import END
from outthink.verify import Judge, Pairwise

Law = Callable[[str], Mapping[str, float]]


def judge_engine(law: Law, vocabulary: Sequence[str] = (), **how: Any) -> ScriptedEngine:
    """An engine that answers a prompt with one of the replies that `law` gives it, each reply a token of its own."""

    def next_token(text: str) -> Mapping[str, float]:
        return {END: 1.0} if reply_of(text) else law(text)

    return ScriptedEngine(next_token, vocabulary=vocabulary, behaviour=Behaviour(**how))


def always(reply: str) -> Law:
    return lambda prompt: {reply: 1.0}


def shown(prompt: str) -> list[str]:
    """The quoted texts of a prompt, in order, unquoted."""
    blocks = re.findall(r"(?:^> ?.*$\n?)+", prompt, re.MULTILINE)
    return ["\n".join(line.removeprefix(">").removeprefix(" ") for line in block.splitlines()) for block in blocks]


def judge(engine: ScriptedEngine, **settings: Any) -> Verifier:
    return Judge(**settings).build(Parts(engine=engine))


def pairwise(engine: ScriptedEngine, **settings: Any) -> Verifier:
    return Pairwise(**settings).build(Parts(engine=engine))


def texts(*contents: Any) -> list[Candidate]:
    return [Candidate(content=content) for content in contents]


async def scores(verifier: Verifier, *contents: Any, task: Task | None = None) -> Scores:
    return await verifier.score(texts(*contents), task or Task(prompt="Why?"))


def check_bill(engine: ScriptedEngine, got: Scores, judged: int) -> None:
    """What is charged is what the engine counted."""
    assert got.cost == engine.counters() + Cost(verifier_calls=judged)


def check_promise(verifier: Verifier, got: Scores, n: int, task: Task | None = None) -> None:
    """What was charged is within what was promised for n candidates."""
    most = verifier.most(task or Task(prompt="Why?")).times(n)
    for column in ("input_tokens", "output_tokens", "tokens", "calls", "verifier_calls"):
        assert got.cost.column(column) <= most.column(column), column
