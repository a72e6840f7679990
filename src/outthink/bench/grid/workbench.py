"""Everything that a grid's work needs, open: engines, verifiers and questions; and the two kinds of paid work, pools and searches.

    async with workbench(grid, posed, replies=folder) as bench:
        await bench.draw(bench.pools[0], question, seed=0, session=session)
        await bench.grow(entrant, question, seed=0, budget=None, session=session)

Both executors work through this one class, here or on another machine, which is why a grid comes out the same on either.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

from outthink.bench.contest import Contestant, Question, unrecorded
from outthink.bench.grid.drawing import DrawnPool, PoolPlan, draw_pool
from outthink.bench.grid.entrants import DRAWN, Entrant, entrants, part_of
from outthink.bench.grid.growing import Grown, grow
from outthink.bench.grid.posing import Posed
from outthink.bench.grid.selecting import asks, members, reading, reads_pools, select
from outthink.bench.grid.settings import Grid
from outthink.bench.open_recipes import Door, OpenRecipes
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool
from outthink.core.component import EngineSettings, Parts
from outthink.core.cost import Budget
from outthink.core.session import Session
from outthink.core.solver import Search
from outthink.core.verifier import Verifier
from outthink.engines.cassette import REPLIES, Cassette
from outthink.engines.engine import Engine
from outthink.engines.recording import recording
from outthink.recipes.build import Built
from outthink.recipes.engines import Engines

IN_THIS_PROCESS = frozenset({"local", "scripted", "recorded", "transformers"})


@dataclass(frozen=True)
class PoolOf:
    """The pool of one set: which entrants read it, under which seeds, and how it is drawn."""

    set: str
    plan: PoolPlan
    seeds: tuple[int, ...]
    readers: tuple[Entrant, ...]


@dataclass
class Workbench:
    """See the module. `pools`: every pool of the grid. `growing`: the entrants that read none."""

    grid: Grid
    posed: Posed
    entrants: list[Entrant]
    built: Mapping[str, Built]
    pools: list[PoolOf] = field(default_factory=list)
    growing: list[Entrant] = field(default_factory=list)
    labels: dict[tuple[str, str], str] = field(default_factory=dict)

    @cached_property
    def questions(self) -> dict[str, Question]:
        """All questions by id."""
        return self.posed.questions

    def solver(self, entrant: Entrant) -> Search:
        """The entrant's own search."""
        built = self.built[entrant.part].solver
        return replace(built, algorithm=entrant.recipe.algorithm)

    def pool_of(self, entrant: Entrant) -> str:
        """The name of the pool that an entrant with its engine, process and answers draws from."""
        return part_of(entrant.recipe, DRAWN)

    def label(self, entrant: Entrant) -> str | None:
        """The name under which the entrant's verifier has judged its pool; None without a verifier."""
        return self.labels.get((self.pool_of(entrant), entrant.part))

    async def draw(self, pool: PoolOf, question: Question, seed: int, session: Session) -> DrawnPool:
        """The pool of a question, paid for by the session."""
        return await draw_pool(pool.plan, question, seed, session)

    async def grow(
        self, entrant: Entrant, question: Question, seed: int, budget: Budget | None, session: Session
    ) -> Grown:
        """An entrant's own search on a question. `budget`: in place of its recipe's."""
        limits = budget or entrant.recipe.budget
        return await grow(self._contestant(entrant, self.solver(entrant)), question, seed, limits, session)

    async def select(self, entrant: Entrant, question: Question, seed: int, pool: Pool, session: Session) -> Outcome:
        """What an entrant that selects makes of a stored pool; billed in full to the outcome, and paid by nobody again."""
        search = reading(self.solver(entrant), pool, self.label(entrant))
        name = f"{entrant.method}/{entrant.size}/{seed}/{question.task.id}"
        child = unrecorded(session.child(name, budget=entrant.recipe.budget))
        return await select(self._contestant(entrant, search), question, seed, pool, child)

    def _contestant(self, entrant: Entrant, search: Search) -> Contestant:
        judge = search.verifier
        return Contestant(
            entrant.method,
            entrant.size,
            lambda question, seed: search,
            entrant.seeds,
            sees_reference=judge is not None and judge.spec.reads_reference,
        )


@asynccontextmanager
async def workbench(grid: Grid, posed: Posed, *, replies: Path | None = None) -> AsyncIterator[Workbench]:
    """The workbench of a grid, open while the context lasts.

    `replies`: the folder for replies of engines that the grid keeps. Raises what opening engines raises, and `Incompatible` for recipes
    whose parts do not fit, before anything is spent.
    """
    async with AsyncExitStack() as stack:
        engines = Engines(idle=0)
        stack.push_async_callback(engines.close)
        opened = OpenRecipes(engines, door=_recorder(grid, replies))
        stack.push_async_callback(opened.close)
        taking_part = entrants(grid, posed)
        built: dict[str, Built] = {}
        for entrant in taking_part:
            if entrant.part not in built:
                built[entrant.part] = await stack.enter_async_context(opened.built(entrant.recipe))
        bench = Workbench(grid, posed, taking_part, built)
        _plan_pools(bench)
        yield bench


def _recorder(grid: Grid, replies: Path | None) -> Door:
    """Keeps the replies of engines whose replies the grid keeps, each in a file of its own."""
    seen = count()

    async def door(settings: EngineSettings, engine: Engine, stack: AsyncExitStack) -> Engine:
        place = next(seen)
        if replies is None or not keeps_replies(grid, settings):
            return engine
        recorder = recording(engine, Cassette.append(replies / f"replies-{place}.jsonl", REPLIES))
        stack.push_async_callback(recorder.close)
        return recorder

    return door


def keeps_replies(grid: Grid, engine: EngineSettings) -> bool:
    """Whether the replies of this engine are kept beside the outcomes."""
    return grid.replies == "kept" or (grid.replies == "auto" and engine.name() not in IN_THIS_PROCESS)


def _plan_pools(bench: Workbench) -> None:
    readers: dict[tuple[str, str], list[Entrant]] = {}
    for entrant in bench.entrants:
        judge = bench.built[entrant.part].solver.verifier
        if reads_pools(entrant.recipe, None if judge is None else judge.spec):
            readers.setdefault((bench.pool_of(entrant), entrant.set), []).append(entrant)
        else:
            bench.growing.append(entrant)
    judges: dict[str, dict[str, Verifier]] = {}
    for (name, _), found in readers.items():
        judges.setdefault(name, {}).update(_judges(bench, name, found, judges.get(name, {})))
    for (name, of), found in readers.items():
        n = max(members(one.recipe.algorithm) for one in found)
        # Greedy decoding needs no second sample, whatever others read.
        n = max(n, bench.grid.pool or n) if n > 1 else n
        seeds = tuple(sorted({seed for one in found for seed in one.seeds}))
        plan = PoolPlan(name, _process(bench, found[0], judges[name].values()), judges[name], n)
        bench.pools.append(PoolOf(of, plan, seeds, tuple(found)))


def _judges(
    bench: Workbench, name: str, readers: Iterable[Entrant], known: Mapping[str, Verifier]
) -> dict[str, Verifier]:
    """Verifiers by label: their type, with a number behind it where two of one type judge a pool."""
    found = dict(known)
    for entrant in readers:
        judge, settings = bench.built[entrant.part].solver.verifier, entrant.recipe.verifier
        if judge is None or settings is None or not asks(entrant.recipe.algorithm):
            continue
        label = next((one for one, there in found.items() if there is judge), None)
        if label is None:
            same = sum(one.partition("#")[0] == settings.name() for one in found)
            label = settings.name() if same == 0 else f"{settings.name()}#{same + 1}"
            found[label] = judge
        bench.labels[name, entrant.part] = label
    return found


def _process(bench: Workbench, entrant: Entrant, judges: Iterable[Verifier]) -> Any:
    settings = entrant.recipe.process
    for judge in judges:
        settings = settings.showing(judge.spec.wants)
    parts = Parts(engine=bench.built[entrant.part].engine, answer=entrant.recipe.answer)
    return lambda task: settings.build(task, parts)
