"""One problem by every method, each under its own budget.

Vote and best-of-n choose from the same stored samples: they are drawn once, one search of one member each, so that each sample has its
own bill, and then replayed, billed in full to both. The particle filter draws its own. Randomness comes from names (problem, method,
sample), so nothing depends on what runs beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

from outthink.core.algorithm import Algorithm
from outthink.core.cost import ZERO, Cost
from outthink.core.errors import Failure, OutthinkError
from outthink.core.ledger import Ledger
from outthink.core.result import Result
from outthink.core.session import Session
from outthink.core.solver import ProcessFor, Search
from outthink.core.task import Task
from outthink.core.verifier import Equivalence, Verifier
from outthink.demo import plan as planned
from outthink.demo.plan import METHODS, Plan
from outthink.demo.problems import KINDS, Problem
from outthink.demo.scoring import Solved
from outthink.replay.stored_samples import StoredSample, StoredSamples


@dataclass(frozen=True)
class Parts:
    """What the methods share for one kind of problem.

    Attributes:
        greedy, sampled: make a task's process at temperature 0, and at the plan's.
        opening: makes one whose reply is a single token: it computes the worked examples that all prompts begin with.
    """

    greedy: ProcessFor
    sampled: ProcessFor
    opening: ProcessFor
    equivalence: Equivalence


@dataclass(frozen=True)
class Posed:
    """A problem with its place: the task, and the session that its methods share."""

    problem: Problem
    task: Task
    session: Session


def pose(problems: Sequence[Problem], session: Session) -> list[Posed]:
    """Each problem as a task, with a child session named after it. The task holds no right answer: nobody is to see it."""
    posed = []
    for i, problem in enumerate(problems):
        name = f"{problem.kind}-{i + 1:02d}"
        task = Task(prompt=problem.question, id=name)
        posed.append(Posed(problem, task, session.child(name)))
    return posed


async def compute_examples(question: str, name: str, parts: Parts, session: Session) -> Cost:
    """Compute the worked examples once, before any method begins, so that no method pays for what all of them use; what it cost."""
    child = session.child(name)
    await Search(parts.opening, planned.one_sample, equivalence=parts.equivalence).solve(
        Task(prompt=question, id=name), child
    )
    return child.ledger.total


Phase = Callable[[str], None]


async def solve_together(
    posed: Sequence[Posed], parts: Parts, plan: Plan, *, phase: Phase, seconds: dict[str, float]
) -> list[Solved]:
    """Every method on every problem; the problems side by side, the methods one after the other, so that each has seconds of its own.

    `phase` is told what begins. `seconds` is added to, by method: the drawing of the samples counts for both that choose from them.
    """
    phase("greedy")
    greedy = await _timed(["greedy"], seconds, [_search(one, "greedy", parts.greedy, plan, parts) for one in posed])
    phase("samples")
    pools = await _timed(["vote", "best-of-n"], seconds, [_draw(one, parts, plan) for one in posed])
    voted = await _timed(
        ["vote"], seconds, [_replay(one, "vote", pool, plan, parts) for one, pool in zip(posed, pools, strict=True)]
    )
    chosen = await _timed(
        ["best-of-n"],
        seconds,
        [_replay(one, "best-of-n", pool, plan, parts) for one, pool in zip(posed, pools, strict=True)],
    )
    phase("particle-filter")
    filtered = await _timed(
        ["particle-filter"], seconds, [_search(one, "particle-filter", parts.sampled, plan, parts) for one in posed]
    )
    columns: Mapping[str, Sequence[Result | Failure]] = {
        "greedy": greedy,
        "vote": voted,
        "best-of-n": chosen,
        "particle-filter": filtered,
    }
    return [
        Solved(one.task.id, one.problem, {method.name: columns[method.name][i] for method in METHODS})
        for i, one in enumerate(posed)
    ]


async def _timed(methods: Sequence[str], seconds: dict[str, float], work: Sequence[Awaitable[Any]]) -> list[Any]:
    began = perf_counter()
    done = await asyncio.gather(*work)
    for method in methods:
        seconds[method] = seconds.get(method, 0.0) + perf_counter() - began
    return list(done)


def _algorithm(method: str, plan: Plan) -> Algorithm[Any]:
    match method:
        case "vote":
            return planned.vote(plan)
        case "best-of-n":
            return planned.best_of_n(plan)
        case "particle-filter":
            return planned.particle_filter(plan)
    return planned.one_sample


def _judge(one: Posed, method: str) -> Verifier | None:
    judged = next(m.judged for m in METHODS if m.name == method)
    return planned.judge(KINDS[one.problem.kind]) if judged else None


async def _search(one: Posed, method: str, process: ProcessFor, plan: Plan, parts: Parts) -> Result | Failure:
    search = Search(process, _algorithm(method, plan), verifier=_judge(one, method), equivalence=parts.equivalence)
    return await _solve(search, one.task, one.session.child(method, budget=plan.budget))


async def _replay(one: Posed, method: str, pool: Sequence[StoredSample], plan: Plan, parts: Parts) -> Result | Failure:
    # A ledger apart: the samples were paid for when they were drawn, so what each method is billed for them is not paid again.
    apart = replace(one.session, ledger=Ledger())
    search = Search(
        lambda task: StoredSamples(pool),
        _algorithm(method, plan),
        verifier=_judge(one, method),
        equivalence=parts.equivalence,
    )
    return await _solve(search, one.task, apart.child(method, budget=plan.budget))


async def _draw(one: Posed, parts: Parts, plan: Plan) -> list[StoredSample]:
    """The samples of one problem, each with its own bill, under the budget of one method.

    Every sample promises its longest reply before it begins; one that does not fit beside the others is drawn when they have settled.
    """
    session = one.session.child("samples", budget=plan.budget)
    search = Search(parts.sampled, planned.one_sample, equivalence=parts.equivalence)
    drawn: dict[int, StoredSample] = {}

    async def sample(i: int) -> None:
        child = session.child(str(i))
        result = await _solve(search, one.task, child)
        if isinstance(result, Failure):
            drawn[i] = StoredSample(result, child.ledger.total)
        elif result.steps > 0:
            drawn[i] = StoredSample(result.candidates[0], child.ledger.total)

    waiting = list(range(plan.members))
    while waiting:
        await asyncio.gather(*(sample(i) for i in waiting))
        left = [i for i in waiting if i not in drawn]
        if len(left) == len(waiting):
            break
        waiting = left
    unpaid = StoredSample(Failure("BudgetExhausted", "The budget had no room for this sample."), ZERO)
    return [drawn.get(i, unpaid) for i in range(plan.members)]


async def _solve(search: Search, task: Task, session: Session) -> Result | Failure:
    """A method that breaks on a problem leaves the others alone."""
    try:
        return await search.solve(task, session)
    except OutthinkError as error:
        return Failure.of(error)
    finally:
        session.close()
