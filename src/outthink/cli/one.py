"""One question: solved and stored, or taken up again from the store; the answer on standard output, all else on standard error."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from outthink.cli.lazy import INTERRUPTED
from outthink.cli.progress import Progress
from outthink.cli.storage import open_or_warn, open_store
from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.result import Result, Stop
from outthink.core.task import Task
from outthink.recipes.background import BACKGROUND

if TYPE_CHECKING:
    from outthink.recipes.plan import Plan

NO_ANSWER = 3


def solve_one(
    plan: Plan, task: Task, seed: int, *, as_json: bool, where: str | None, keep: bool, record: str | None
) -> int:
    """Solve, store unless `keep` is false, print, and return the exit status."""
    from outthink.recipes.solving import solve_task

    store = open_or_warn(where) if keep else None
    try:
        with Progress(plan.recipe.budget, 1) as progress:

            async def work(cut: Cut) -> Result:
                if store is None and record is None:
                    return await solve_task(plan, task, seed=seed, sinks=[progress], cut=cut)
                from outthink.recipes.stored import solve_and_store

                path = None if record is None else Path(record)
                return await solve_and_store(plan, task, store, seed=seed, sinks=[progress], cut=cut, record=path)

            result = BACKGROUND.run(work)
    finally:
        if store is not None:
            store.close()
    return _report(result, progress, as_json=as_json, stored=store is not None)


def resume_one(name: str, *, budget: Budget | None, as_json: bool, where: str | None, take_over: bool) -> int:
    """Take up a stored run, print, and return the exit status."""
    from outthink.recipes.stored import resume_stored

    with open_store(where) as store, Progress(budget or Budget(), 1) as progress:

        async def work(cut: Cut) -> Result:
            return await resume_stored(store, name, budget=budget, sinks=[progress], cut=cut, take_over=take_over)

        result = BACKGROUND.run(work)
    return _report(result, progress, as_json=as_json, stored=True)


def _report(result: Result, progress: Progress, *, as_json: bool, stored: bool) -> int:
    for message in (*progress.said, *result.degraded):
        click.echo(f"outthink: {message}", err=True)
    if as_json:
        click.echo(result.to_json())
    elif result.answer is not None:
        click.echo(result.answer)
    click.echo(result.summary() + (f"; stored as {result.run}" if stored else ""), err=True)
    if result.answer is None:
        why = (
            "nothing finished within the budget"
            if result.stop is not Stop.DONE
            else "nothing came of what was finished"
        )
        click.echo(f"outthink: there is no answer: {why}.", err=True)
    if result.stop is Stop.INTERRUPTED:
        return INTERRUPTED
    return 0 if result.answer is not None else NO_ANSWER
