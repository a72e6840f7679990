"""Methods against each other on the same questions: side by side, resumable, each under its own name and randomness.

A contestant is any solver for a question and a seed. What runs beside it changes nothing: its key is derived from its own name, its size
and the seed, so that a contest that was stopped and resumed, or run in another order, asks for the same random numbers. A question's right
answer stays here; a solver is given the task without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import msgspec

from outthink.bench.journal import Journal
from outthink.bench.outcome import Outcome
from outthink.core.cost import Budget, Cost, total_of
from outthink.core.errors import Failure, OutthinkError
from outthink.core.events import Trace
from outthink.core.result import Stop
from outthink.core.session import Session
from outthink.core.solver import Solver
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Verifier


@dataclass(frozen=True)
class Question:
    """A task, and who says whether a finished candidate is right.

    Attributes:
        right: is called in a thread of its own, for it may run code; raises `OutthinkError` where it cannot tell.
        set: what it belongs to, for tables by set.
        hidden: entries of the task's data that no solver sees, such as tests.
    """

    task: Task
    right: Callable[[Candidate], bool]
    set: str = ""
    hidden: frozenset[str] = frozenset()

    @property
    def asked(self) -> Task:
        """The task as a solver sees it: without the right answer and what else is hidden."""
        shown = {name: value for name, value in self.task.data.items() if name not in self.hidden}
        return msgspec.structs.replace(self.task, reference=None, data=shown)

    def shown_to(self, verifier: Verifier | None) -> Task:
        """The task as a verifier is shown it: an oracle sees the right answer, and nobody else."""
        return self.task if verifier is not None and verifier.spec.reads_reference else self.asked

    async def marks(self, candidate: Candidate) -> bool:
        """What `right` says, without holding the loop. Raises `OutthinkError` where it cannot tell."""
        return await asyncio.to_thread(self.right, candidate)


@dataclass(frozen=True)
class Contestant:
    """One method at one size.

    Attributes:
        method, size: as they stand in the tables.
        solver: makes the solver of one question and seed.
        seeds: which are run. budget: of one question; None for none.
        sees_reference: whether the task keeps its right answer, for oracles alone.
    """

    method: str
    size: int
    solver: Callable[[Question, int], Solver]
    seeds: tuple[int, ...] = (0,)
    budget: Budget | None = None
    sees_reference: bool = False


class Watcher(Protocol):
    """Who is told how far a contest is."""

    def finished(self, outcome: Outcome, done: int, total: int) -> None:
        """One more is done."""


async def contest(
    contestants: Sequence[Contestant],
    questions: Sequence[Question],
    session: Session,
    journal: Journal[Outcome],
    *,
    in_flight: int = 16,
    watcher: Watcher | None = None,
) -> list[Outcome]:
    """Every contestant on every question with each of its seeds, but for those that the journal has; all outcomes, the journal's included.

    One that breaks is an outcome that says so, and leaves the others alone. When the session's cut fires, those under way are not written
    down, so that a later run does them whole.
    """
    had = {row.cell for row in journal.rows}
    wanted = [
        (contestant, seed, question)
        for contestant in contestants
        for seed in contestant.seeds
        for question in questions
        if (contestant.method, contestant.size, seed, question.task.id) not in had
    ]
    total, gate = len(wanted), asyncio.Semaphore(in_flight)
    done = 0

    async def one(contestant: Contestant, seed: int, question: Question) -> None:
        nonlocal done
        async with gate:
            if is_cut(session):
                return
            outcome = await enter(contestant, seed, question, session)
        if outcome.stop == Stop.DONE or not is_cut(session):
            journal.add(outcome)
            done += 1
            if watcher is not None:
                watcher.finished(outcome, done, total)

    async with asyncio.TaskGroup() as group:
        for entry in wanted:
            group.create_task(one(*entry))
    return list(journal.rows)


def is_cut(session: Session) -> bool:
    """Whether nothing new is to begin."""
    return session.cut.reason is not None


async def enter(contestant: Contestant, seed: int, question: Question, session: Session) -> Outcome:
    """One contestant on one question."""
    name = f"{contestant.method}/{contestant.size}/{seed}/{question.task.id}"
    return await play(contestant, seed, question, unrecorded(session.child(name, budget=contestant.budget)))


async def play(contestant: Contestant, seed: int, question: Question, child: Session) -> Outcome:
    """One contestant on one question, in a session of its own, which is closed."""
    failure, result = "", None
    try:
        task = question.task if contestant.sees_reference else question.asked
        result = await contestant.solver(question, seed).solve(task, child)
    except OutthinkError as error:
        problem = Failure.of(error)
        failure = f"{problem.kind}: {problem.message}"
    finally:
        child.close()
    chosen = None if result is None or result.chosen is None else result.candidates[result.chosen]
    right = False
    if chosen is not None:
        try:
            right = await question.marks(chosen)
        except OutthinkError as error:
            failure = f"not marked: {error}"
    bill = child.ledger.bill().by_role
    outcome = Outcome(
        method=contestant.method,
        size=contestant.size,
        seed=seed,
        question=question.task.id,
        right=right,
        answer=None if chosen is None else _said(chosen),
        generated=total_of(cost for role, cost in bill.items() if role != "verify"),
        judged=bill.get("verify", Cost()),
        failure=failure,
        task=question.set,
    )
    if result is None:
        return outcome
    return msgspec.structs.replace(
        outcome,
        steps=result.steps,
        seconds=result.seconds,
        stop=result.stop.value,
        limit=result.limit,
        agreement=result.agreement,
        score=None if result.chosen is None else result.scores[result.chosen],
    )


def unrecorded(session: Session) -> Session:
    """The same session with a record of its own, to be dropped: a contest keeps outcomes, not the million events behind them."""
    return replace(session, trace=Trace())


def _said(chosen: Candidate) -> str:
    return chosen.answer if chosen.answer is not None else str(chosen.content)
