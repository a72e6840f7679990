"""One pool: n whole samples of a question, each with its own bill, judged by every verifier whose methods will read it.

Judging is paid for like drawing. A verifier that fails leaves a sample without an opinion, with the reason beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile

from outthink.bench.contest import Question, unrecorded
from outthink.bench.grid.spending import UnitLedger
from outthink.bench.pools import Judged, Pool, Sample
from outthink.core.cost import Cost
from outthink.core.errors import BudgetExhausted, Failure, OutthinkError
from outthink.core.ledger import Allowance
from outthink.core.run import Run
from outthink.core.session import Session
from outthink.core.solver import ProcessFor
from outthink.core.task import Candidate
from outthink.core.verifier import Scores, Verifier

LENGTH = frozenset({"length", "stop"})


@dataclass(frozen=True)
class PoolPlan:
    """What a pool is drawn from: its name, its process, who judges, by the names under which they are kept, and how many samples."""

    name: str
    process: ProcessFor
    verifiers: Mapping[str, Verifier]
    n: int


@dataclass(frozen=True)
class DrawnPool:
    """A pool, None where it was not drawn whole; `limit`: what kept it from that; `first`: its samples before the first missing one."""

    pool: Pool | None
    limit: str = ""
    first: tuple[Sample, ...] = ()


async def draw_pool(
    plan: PoolPlan, question: Question, seed: int, session: Session, *, had: tuple[Sample, ...] = ()
) -> DrawnPool:
    """The whole pool, or none. What was drawn of it is paid in any case. `had`: the pool's first samples, which are not drawn again.

    The randomness of a sample is that of its question, seed and place, so that pools under other settings share it.
    """
    child = unrecorded(session.child(f"pool/{seed}/{question.task.id}"))
    results = await asyncio.gather(*(_sample(plan, question, child, i) for i in range(len(had), plan.n)))
    whole = takewhile(lambda one: isinstance(one, Sample), results)
    samples = (*had, *(one for one in whole if isinstance(one, Sample)))
    if len(samples) < plan.n:
        return DrawnPool(None, next(one for one in results if isinstance(one, str)), samples)
    return DrawnPool(Pool(question=question.task.id, seed=seed, samples=samples, name=plan.name), first=samples)


async def _sample(plan: PoolPlan, question: Question, session: Session, place: int) -> Sample | str:
    """One sample, or the limit that kept it from being finished."""
    ledger = UnitLedger(parent=session.ledger)
    session = replace(session.child(str(place)), ledger=ledger)
    wants = LENGTH.union(*(verifier.spec.wants for verifier in plan.verifiers.values()))
    try:
        run = Run(plan.process(question.asked), session, task=question.asked)
        moved = await run.advance(await run.start(1, session.key), session.key, steps=None, scored=False)
        if run.failures:
            (failure,) = run.failures.values()
            return Sample(cost=ledger.total, failure=f"{failure.kind}: {failure.message}")
        if not moved.batch.done.all():
            return run.limit or session.cut.reason or "steps"
        (candidate,) = await run.view(moved.batch, wants)
        cost = ledger.total
        judged = {name: await judge(one, candidate, question, session) for name, one in plan.verifiers.items()}
        right = candidate.final and await question.marks(candidate)
    except BudgetExhausted as error:
        return error.limit
    except OutthinkError as error:
        problem = Failure.of(error)
        return Sample(cost=ledger.total, failure=f"{problem.kind}: {problem.message}")
    finally:
        session.close()
    length = candidate.features.get("length")
    return Sample(
        content=candidate.content,
        answer=candidate.answer,
        right=right,
        cost=cost,
        judged=judged,
        length=None if length is None else float(length),
        stop=str(candidate.features.get("stop", "")),
    )


async def judge(verifier: Verifier, candidate: Candidate, question: Question, session: Session) -> Judged:
    """What a verifier says, paid for by the session. Raises `BudgetExhausted` when it cannot be."""
    task = question.shown_to(verifier)
    allowance = Allowance(session.ledger, cut=session.cut)
    if allowance.claim(fixed=verifier.most(task)) is None:
        raise BudgetExhausted(allowance.limit)
    scores: Scores | None = None
    problem = ""
    try:
        scores = await verifier.score([candidate], task)
    except OutthinkError as error:
        failure = Failure.of(error)
        problem = f"{failure.kind}: {failure.message}"
    finally:
        cost, uncertain = (scores.cost, scores.uncertain) if scores else (Cost(), allowance.claimed)
        session.ledger.settle(allowance.claimed, cost, "verify", uncertain)
    if scores is None:
        return Judged(value=None, cost=Cost(verifier_calls=1), failure=problem)
    if 0 in scores.failures:
        problem = f"{scores.failures[0].kind}: {scores.failures[0].message}"
    value = float(scores.values[0])
    # Whoever selects asks once for each sample, whatever a verifier says of itself.
    billed = scores.cost if scores.cost.verifier_calls else scores.cost + Cost(verifier_calls=1)
    return Judged(value=None if value != value else value, cost=billed, failure=problem)
