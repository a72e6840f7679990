"""Whether the promises hold against a backend that goes wrong: one search against each misbehaviour, and what came of it.

    async with FaultyBackend(script=opinionated_model) as backend:
        kept = [await examined(backend, name) for name in backend.misbehaviours]
    [one.name for one in kept if one.broken]        # []

The search is best-of-n with a judge, both on the server under examination, under a budget of tokens and seconds. What the run says about
itself is held against what the server has counted and said. `outthink doctor --faulty` prints the outcome; it runs on the virtual clock, so
that servers that never answer take no time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from outthink.core.component import Parts
from outthink.core.cost import Budget, Cost
from outthink.core.errors import AllFailed, Failure, OutthinkError
from outthink.core.result import Result
from outthink.core.session import Session
from outthink.core.solver import Search
from outthink.core.task import Task
from outthink.engines.openai import Openai, OpenAIEngine, Prices, Timeouts, connect
from outthink.search.best_of_n import BestOfN
from outthink.testing.openai_server import Counters, FaultyBackend, Misbehaviour
from outthink.text.process import TextProcess
from outthink.verify.judge import Judge

COUNTED = ("input_tokens", "output_tokens", "calls")
N, LONGEST = 4, 24
BUDGET = Budget(tokens=12_000, seconds=10.0)
PATIENCE = Timeouts(idle=30.0, whole=60.0)
PRICES = Prices(input=1.0, output=4.0, cached_input=0.5)


@dataclass(frozen=True)
class Kept:
    """What one search made of one misbehaviour.

    Attributes:
        outcome: "answer", "no answer" with the limit, or the error with its status; and how far it is degraded.
        bill: "exact", or "within N%": how wide the stated interval is, as a share of its upper end.
        overshoot: tokens beyond the budget that the server had spent, which is 0 where it honours limits.
        seconds: until the search came back, on the loop's clock.
        broken: the promises that did not hold, in words; empty when all did.
    """

    name: str
    says: str
    outcome: str
    bill: str
    overshoot: int
    seconds: float
    broken: tuple[str, ...]


async def examined(backend: FaultyBackend, name: str, *, budget: Budget = BUDGET, seed: int = 0) -> Kept:
    """One search against the misbehaviour of that name, on a backend whose model gives verdicts (`opinionated_model`)."""
    one, loop = backend.misbehaviours[name], asyncio.get_running_loop()
    settings: Openai = Openai(
        model="scripted",
        preset="vllm",
        probe="never",
        base_url=backend.base_url(name),
        prices=PRICES,
        backoff_seconds=0.01,
        timeouts=PATIENCE,
    )
    engine = await connect(settings)
    began, session = loop.time(), Session.open(seed=seed, budget=budget)
    outcome: Result | OutthinkError
    try:
        outcome = await _search(engine).solve(Task(prompt="Say something."), session)
    except OutthinkError as error:
        outcome = error
    finally:
        session.close()
        seconds = loop.time() - began
        await engine.close()
    counted = backend.counters(name)
    bill = session.ledger.bill()
    told = backend.servers[name].told if one.listens else []
    over = int(max(0, spent(counted) - (budget.tokens or 0)))
    broken = (
        *_bill(bill.total, bill.uncertain, counted),
        *_budget(one, budget, over, seconds),
        *_answer(outcome, one, told),
    )
    return Kept(name, one.says, _words(outcome), _width(bill.total, bill.uncertain), over, seconds, broken)


def spent(counted: Counters) -> int:
    """What a server has counted, as the budget's `tokens` counts it."""
    return counted.output_tokens + counted.input_tokens - counted.cached_input_tokens


def _search(engine: OpenAIEngine) -> Search:
    judge = Judge(
        rubric="correctness", n_evaluate=1, temperature=1.0, max_tokens=16, candidate_tokens=1024, constrain="never"
    )
    return Search(
        lambda task: TextProcess(engine, task, max_tokens=LONGEST), BestOfN(n=N), judge.build(Parts(engine=engine))
    )


def _bill(low: Cost, more: Cost, counted: Counters) -> Iterator[str]:
    for column in COUNTED:
        least, true = getattr(low, column), getattr(counted, column)
        most = least + getattr(more, column)
        if not least <= true <= most:
            yield f"bill: the server counted {true} {column}, and {least} to {most} were reported"


def _budget(one: Misbehaviour, budget: Budget, over: int, seconds: float) -> Iterator[str]:
    if over and one.honours_limits:
        yield f"budget: {over} tokens more than allowed"
    if budget.seconds is not None and seconds > budget.seconds + 0.05:
        yield f"deadline: {seconds:.2f} s, and {budget.seconds:g} s were allowed"


def _answer(outcome: Result | OutthinkError, one: Misbehaviour, told: list[str]) -> Iterator[str]:
    if isinstance(outcome, Result):
        if outcome.answer is not None and not any(text.startswith(outcome.answer) for text in told):
            yield f"answer: {outcome.answer[:200]!r} was never said by the server"
        if one.replies == "none" and outcome.answer is not None:
            yield "answer: there is one, and the server gave none"
        if one.replies != "none" and outcome.answer is None:
            yield "answer: some members finished, and there is none"
        return
    causes: tuple[Failure, ...] = outcome.failures if isinstance(outcome, AllFailed) else (Failure.of(outcome),)
    if one.replies != "none":
        yield f"salvage: some replies were whole, and the search failed: {outcome}"
    if any(cause.kind != one.kind or cause.status != one.status for cause in causes):
        yield f"cause: expected {one.kind} {one.status or ''}, got {[(c.kind, c.status) for c in causes]}"


def _words(outcome: Result | OutthinkError) -> str:
    if isinstance(outcome, Result):
        head = "answer" if outcome.answer is not None else "no answer"
        why = f" ({outcome.limit})" if outcome.limit else ""
        return "; ".join((head + why, *outcome.degraded))
    cause = outcome.failures[0] if isinstance(outcome, AllFailed) else Failure.of(outcome)
    return f"error: {cause.kind}" + (f" {cause.status}" if cause.status else "")


def _width(low: Cost, more: Cost) -> str:
    most = low.tokens + more.tokens
    return (
        "exact"
        if not more.tokens and not more.calls
        else f"within {100 * more.tokens / most:.0f}%"
        if most
        else "exact"
    )
