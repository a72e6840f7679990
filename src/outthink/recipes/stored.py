"""Solving a plan while it is stored, and taking up a stored run again.

Each task is a run of its own in the store, with its recipe, its seed and its replies, so that it can be resumed from the store alone.
`record` keeps all replies in a file besides, for a replay without the model (`outthink.engines.recorded`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from outthink.core.allocation import Allocator
from outthink.core.component import EngineSettings
from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.errors import Failure, explain
from outthink.core.events import Sink
from outthink.core.result import Result
from outthink.core.session import Session
from outthink.core.solver import Solver, solve_many
from outthink.core.task import Task
from outthink.engines.cassette import Cassette
from outthink.engines.engine import Engine
from outthink.engines.recording import recording
from outthink.recipes.build import Built, Live, build, own_open
from outthink.recipes.digest import digest
from outthink.recipes.engines import Engines
from outthink.recipes.plan import Plan
from outthink.recipes.recipe import Recipe, from_tables
from outthink.recipes.solving import Each, Told
from outthink.store.errors import StoreError
from outthink.store.recorder import Recorder
from outthink.store.solving import solve_in_session, solve_stored
from outthink.store.store import Store
from outthink.store.stored import StoredRun


async def solve_and_store(
    plan: Plan,
    task: Task,
    store: Store | None,
    *,
    seed: int = 0,
    sinks: Sequence[Sink] = (),
    cut: Cut | None = None,
    engines: Engines | None = None,
    record: Path | None = None,
) -> Result:
    """One task under the plan's budget, stored as a run whose name is `Result.run`; with `record` the store may be None."""
    async with opened(plan, engines, record, store) as solver:
        session = Session.open(seed=seed, budget=plan.recipe.budget, sinks=sinks, cut=cut)
        try:
            return await solver.solve(task, session)
        finally:
            session.close()


async def solve_and_store_many(
    plan: Plan,
    tasks: Sequence[Task],
    store: Store,
    *,
    seed: int = 0,
    sinks: Sequence[Sink] = (),
    cut: Cut | None = None,
    engines: Engines | None = None,
    each: Each | None = None,
    allocator: Allocator | None = None,
) -> list[Result | Failure]:
    """What `solve_tasks` does, with each task stored as a run of its own."""
    if not tasks:
        return []
    async with opened(plan, engines, None, store) as solver:
        session = Session.open(seed=seed, budget=plan.recipe.budget, sinks=sinks, cut=cut)
        try:
            solving = solver if each is None else Told(solver, each)
            return await solve_many(solving, tasks, session, allocator=allocator)
        finally:
            session.close()


async def resume_stored(
    store: Store,
    name: str,
    *,
    plan: Plan | None = None,
    budget: Budget | None = None,
    sinks: Sequence[Sink] = (),
    cut: Cut | None = None,
    engines: Engines | None = None,
    take_over: bool = False,
) -> Result:
    """A stored run, taken up after its last checkpoint with the recipe it began with. `budget`: new limits in place of its own.

    `plan`: the parts it began with, needed where some of them are objects, which cannot be stored.
    Raises `NoSuchRun`, and `StoreError` for a run that is complete, at work, or of another recipe, and for one that was not begun from a
    recipe alone where no plan is given.
    """
    found = await asyncio.to_thread(store.run, name)
    if plan is None:
        plan = Plan(_recipe_of(found))
    elif found.recipe and (plan.live != Live() or _searched(plan.recipe) != _searched(_recipe_of(found))):
        raise StoreError(
            explain(
                f"Run {found.line.id} was begun from another recipe.",
                got="a search that differs from the stored one",
                expected="the same search",
                remedy="Resume it without any word but the budget: its recipe is stored.",
            )
        )
    async with opened(plan, engines, None, store) as solver:
        recorder = await store.resume(found.line.id, take_over=take_over)
        limits = budget or _limits(found.budget)
        async with solver.built(recorder) as built:
            return await solve_stored(built.solver, found.task, recorder, budget=limits, sinks=sinks, cut=cut)


@dataclass
class Storing(Solver):
    """A solver that stores each task as a run (where there is a store); the engine is opened once, by whoever made it."""

    plan: Plan
    engine: Engine | None
    store: Store | None
    own: tuple[tuple[EngineSettings, Engine], ...] = ()

    @property
    def method(self) -> str:
        return self.plan.recipe.algorithm.name()

    @property
    def takes_turns(self) -> bool:
        return True

    async def solve(self, task: Task, session: Session) -> Result:
        recipe, live = self.plan.recipe, self.plan.live
        if self.store is None:
            async with build(recipe, live=replace(live, engine=self.engine, own=self.own)) as built:
                return await built.solver.solve(task, session)
        # Parts that are objects cannot be stored: such a run cannot be resumed from its recipe.
        whole = live == Live()
        recorder = await self.store.begin(
            task,
            method=self.method,
            seed=session.key,
            engine=self.engine.name if self.engine is not None else "",
            recipe=recipe.tables() if whole else None,
            digest=digest(recipe) if whole else "",
            budget=session.ledger.budget.limits(),
        )
        async with self.built(recorder) as built:
            return await solve_in_session(built.solver, task, recorder, session)

    @asynccontextmanager
    async def built(self, recorder: Recorder) -> AsyncIterator[Built]:
        """The plan's parts with engines whose replies go to this run."""
        live = replace(
            self.plan.live, own=tuple((one, recording(engine, recorder.replies)) for one, engine in self.own)
        )
        if self.engine is not None:
            live = replace(live, engine=recording(self.engine, recorder.replies))
        try:
            async with build(self.plan.recipe, live=live) as built:
                yield built
        except BaseException as error:
            recorder.failed(error)
            raise


@asynccontextmanager
async def opened(
    plan: Plan, engines: Engines | None, record: Path | None, store: Store | None
) -> AsyncIterator[Storing]:
    """A storing solver with its engines open while the context lasts."""
    shared = engines or Engines(idle=0)
    async with AsyncExitStack() as stack:
        engine = plan.live.engine
        if engine is None and plan.live.process is None:
            engine = await stack.enter_async_context(shared.leased(plan.recipe.engine))
        own = await own_open(plan.recipe, plan.live, shared, stack)
        if record is not None and engine is not None:
            cassette = stack.enter_context(Cassette.append(record))
            engine = recording(engine, cassette)
        yield Storing(plan, engine, store, own)


def _recipe_of(found: StoredRun) -> Recipe:
    if not found.recipe:
        raise StoreError(
            explain(
                f"Run {found.line.id} was not begun from a recipe alone.",
                got=f"method {found.line.method!r} with parts that are objects",
                expected="a run whose parts are all settings",
                remedy="Resume it in Python with the same parts: outthink.solve(..., store=..., resume=RUN).",
            )
        )
    return from_tables(found.recipe, f"Stored run {found.line.id}")


def _searched(recipe: Recipe) -> Recipe:
    """What must be the same in a resumed run: all but the limits and the words for people."""
    return replace(recipe, budget=Budget(), description="")


def _limits(stored: Mapping[str, float]) -> Budget:
    """The budget whose `limits()` these are."""
    values: dict[str, Any] = {
        name: value if name in ("seconds", "money") else int(value) for name, value in stored.items()
    }
    return Budget(**values)
