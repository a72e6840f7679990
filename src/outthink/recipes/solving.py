"""Tasks in, results out: builds a plan, opens a session, and solves one task or many.

Both doors (`outthink.solve` and the command line) come through here, so a search asked for in either way is the same search.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from outthink.core.allocation import Allocator, Even, Marginal
from outthink.core.cut import Cut
from outthink.core.errors import Failure, InputError, OutthinkError, SettingsError, explain, nearest
from outthink.core.events import Sink
from outthink.core.result import Result
from outthink.core.session import Session
from outthink.core.solver import Solver, solve_many
from outthink.core.task import Message, Task
from outthink.recipes.build import build
from outthink.recipes.engines import Engines
from outthink.recipes.plan import Plan

ALLOCATORS: Mapping[str, type[Allocator]] = {"even": Even, "marginal": Marginal}
"""Ways of sharing one budget among many tasks, by the names that the command line and `outthink.solve` know."""


def allocator(name: str) -> Allocator:
    """The way of sharing of that name. Raises `SettingsError`."""
    if name not in ALLOCATORS:
        raise SettingsError(
            explain(
                "There is no such way of sharing a budget among tasks.",
                got=name,
                expected=" or ".join(ALLOCATORS),
                remedy=nearest(name, ALLOCATORS),
            )
        )
    return ALLOCATORS[name]()


Each = Callable[[Task, Result | Failure], None]
TaskLike = str | Task | Sequence[Message]


def as_task(given: TaskLike) -> Task:
    """A task from a question, a conversation, or a task. Raises `InputError` when nothing is asked."""
    conversation = [m for m in given if isinstance(m, Message)] if isinstance(given, (list, tuple)) else []
    if isinstance(given, Task):
        task = given
    elif isinstance(given, str):
        task = Task(prompt=given)
    elif conversation and len(conversation) == len(given):
        task = Task(prompt=tuple(conversation))
    else:
        raise InputError(
            explain(
                "This is nothing that can be asked.",
                got=given,
                expected="a question as text, a Task, or a conversation of Message",
                remedy="Give a string.",
            )
        )
    if not task.question.strip():
        raise InputError(
            explain(
                "The question is empty.",
                got=task.question,
                expected="some text",
                remedy="Write the question as the argument, or give a file.",
            )
        )
    return task


async def solve_task(
    plan: Plan,
    task: Task,
    *,
    seed: int = 0,
    sinks: Sequence[Sink] = (),
    cut: Cut | None = None,
    engines: Engines | None = None,
) -> Result:
    """One task under the plan's budget. `cut` ends it early, with the best answer so far."""
    async with build(plan.recipe, live=plan.live, engines=engines) as built:
        session = Session.open(seed=seed, budget=plan.recipe.budget, sinks=sinks, cut=cut)
        try:
            return await built.solver.solve(task, session)
        finally:
            session.close()


async def solve_tasks(
    plan: Plan,
    tasks: Sequence[Task],
    *,
    seed: int = 0,
    sinks: Sequence[Sink] = (),
    cut: Cut | None = None,
    engines: Engines | None = None,
    each: Each | None = None,
    allocator: Allocator | None = None,
) -> list[Result | Failure]:
    """Many tasks side by side; the budget is for all together, shared evenly or as the allocator says. Results in the order of the tasks.

    `each` is told of every task as soon as it ends, whatever becomes of the others.
    """
    if not tasks:
        return []
    async with build(plan.recipe, live=plan.live, engines=engines) as built:
        session = Session.open(seed=seed, budget=plan.recipe.budget, sinks=sinks, cut=cut)
        solver = built.solver if each is None else Told(built.solver, each)
        try:
            return await solve_many(solver, tasks, session, allocator=allocator)
        finally:
            session.close()


@dataclass(frozen=True)
class Told(Solver):
    """A solver that tells of each task as it ends."""

    solver: Solver
    each: Each

    @property
    def method(self) -> str:
        return self.solver.method

    @property
    def takes_turns(self) -> bool:
        return self.solver.takes_turns

    async def solve(self, task: Task, session: Session) -> Result:
        try:
            result = await self.solver.solve(task, session)
        except OutthinkError as error:
            self.each(task, Failure.of(error))
            raise
        self.each(task, result)
        return result
