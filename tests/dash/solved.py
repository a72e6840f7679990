"""Runs for the dashboard's tests, solved on toy processes, and rows of many runs that were never solved."""

from __future__ import annotations

import time
from typing import Any

from outthink.core import Algorithm, Budget, Candidate, Cost, Process, Search, Task, Verifier
from outthink.core.task import Feature
from outthink.store import Store, solve_stored
from outthink.store.tables import runs
from outthink.testing import FunctionOfContent, TokenChain
from outthink.testing.token_chain import Strings

WILD = "<script>window.hit='%s'</script><img src=x onerror=\"window.hit='%s'\">\"'`</title></textarea>"


def wild(place: str) -> str:
    """What a model, or whoever asks it, may write to attack whoever looks."""
    return WILD % (place, place)


class WildChain(TokenChain):
    """Strings that are attacks, in content, answer and features."""

    async def view(self, states: Strings, wants: frozenset[Feature]) -> list[Candidate]:
        seen = await super().view(states, wants)
        return [
            Candidate(
                content=wild(f"content {one.content}"),
                final=one.final,
                answer=None if one.answer is None else wild(f"answer {one.answer[:1]}"),
                features={wild("feature"): wild("value")},
            )
            for one in seen
        ]


def share_of_a() -> FunctionOfContent:
    return FunctionOfContent(lambda text: text.count("a") / max(1, len(text)), price=Cost(verifier_calls=1))


def chain() -> TokenChain:
    return TokenChain("abc", length=3)


async def solved(
    store: Store,
    algorithm: Algorithm[Any],
    *,
    process: Process[Any] | None = None,
    verifier: Verifier | None = None,
    question: str = "Which letters?",
    seed: int = 0,
    budget: Budget | None = None,
    data: dict[str, Any] | None = None,
    **how: Any,
) -> str:
    """The name of a run that was solved and stored."""
    one = process or chain()
    search = Search(lambda task: one, algorithm, verifier)
    limits = {} if budget is None else {"budget": budget.limits()}
    task = Task(prompt=question, id="t1", data=data or {})
    recorder = await store.begin(task, method=algorithm.name(), seed=seed, **limits, **how)
    await solve_stored(search, task, recorder, budget=budget)
    return recorder.id


def fill(store: Store, n: int, *, first: int = 0) -> None:
    """So many rows of runs: every tenth failed, methods and engines in turn, question number `i` names its number."""
    now = time.time()
    rows = [
        {
            "id": f"20260101-000000-{i:05d}",
            "status": "failed" if i % 10 == 0 else "ended",
            "created": now - 60.0 * (n - i),
            "updated": now,
            "host": "elsewhere",
            "process": "1",
            "task": f"task-{i}",
            "question": f"What is the sum of {i} and {7 * i}, and why is it so?",
            "method": ("vote", "tree", "best-of-n", "particle-filter")[i % 4],
            "digest": "",
            "engine": ("local:one", "openai:two")[i % 2],
            "seed": "0",
            "steps": 3,
            "seconds": 1.5,
            "tokens": 100 + i,
            "calls": 8,
            "verifier_calls": 8,
            "denoiser_evals": 0,
            "stop": "" if i % 10 == 0 else "done",
            "limit": "",
            "answer": None if i % 10 == 0 else str(8 * i),
        }
        for i in range(first, first + n)
    ]
    with store._database.write() as connection:
        connection.execute(runs.insert(), rows)
