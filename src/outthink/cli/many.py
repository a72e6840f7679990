"""A file of tasks: results go out as JSON lines in the order of the tasks, each as soon as all before it are out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from outthink.cli.lazy import INTERRUPTED
from outthink.cli.progress import Progress
from outthink.cli.questions import Asked
from outthink.cli.storage import open_or_warn
from outthink.core.allocation import Allocator
from outthink.core.cut import Cut
from outthink.core.errors import Failure
from outthink.core.result import Result, Stop
from outthink.core.task import Task
from outthink.recipes.background import BACKGROUND
from outthink.recipes.plan import Plan
from outthink.recipes.solving import allocator, solve_tasks

if TYPE_CHECKING:
    from outthink.store import Store


class Lines:
    """Prints results in order; a result waits while one before it is missing."""

    def __init__(self, tasks: tuple[Task, ...]) -> None:
        self._order = [task.id for task in tasks]
        self._waiting: dict[str, str] = {}
        self._next = 0
        self.failed = self.unanswered = self.interrupted = 0

    def __call__(self, task: Task, result: Result | Failure) -> None:
        """Take a result, and print what is next in order."""
        if isinstance(result, Failure):
            self.failed += 1
            self._waiting[task.id] = msgspec.json.encode({"task": task.id, "failure": result}).decode()
        else:
            self.unanswered += result.answer is None
            self.interrupted += result.stop is Stop.INTERRUPTED
            self._waiting[task.id] = result.to_json()
        while self._next < len(self._order) and self._order[self._next] in self._waiting:
            click.echo(self._waiting.pop(self._order[self._next]))
            self._next += 1

    def flush(self) -> None:
        """Print what still waits, in order: nothing that was finished is lost when the rest cannot be."""
        for name in self._order[self._next :]:
            if name in self._waiting:
                click.echo(self._waiting.pop(name))


def solve_lines(plan: Plan, asked: Asked, seed: int, *, where: str | None, keep: bool, allocate: str = "even") -> int:
    """Solve all tasks, store each unless `keep` is false, print a line for each, and return the exit status.

    `allocate`: how they share the budget, "even" or "marginal".
    """
    store = open_or_warn(where) if keep else None
    try:
        return _solve_lines(plan, asked, seed, store, allocator(allocate))
    finally:
        if store is not None:
            store.close()


def _solve_lines(plan: Plan, asked: Asked, seed: int, store: Store | None, sharing: Allocator) -> int:
    lines = Lines(asked.tasks)
    with Progress(plan.recipe.budget, len(asked.tasks)) as progress:

        async def work(cut: Cut) -> None:
            how: Any = {"seed": seed, "sinks": [progress], "cut": cut, "each": lines, "allocator": sharing}
            if store is None:
                await solve_tasks(plan, asked.tasks, **how)
                return
            from outthink.recipes.stored import solve_and_store_many

            await solve_and_store_many(plan, asked.tasks, store, **how)

        try:
            BACKGROUND.run(work)
        finally:
            lines.flush()
    for message in progress.said:
        click.echo(f"outthink: {message}", err=True)
    solved = len(asked.tasks) - lines.failed - lines.unanswered
    click.echo(
        f"{solved} of {len(asked.tasks)} tasks answered; {lines.failed} failed, {lines.unanswered} without an answer; "
        f"{len(asked.bad)} bad lines",
        err=True,
    )
    if lines.interrupted:
        return INTERRUPTED
    if lines.failed or asked.bad:
        return 1
    return 3 if lines.unanswered else 0
