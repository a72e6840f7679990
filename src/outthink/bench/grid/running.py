"""A grid, run: what its folder lacks is done, seed by seed, and is on disk as soon as it is finished.

    async with opened(folder, posed) as running:
        ended = await running.run(watcher)

First the pools of a seed, then the methods that select from them, then those that grow their answers, small sizes first: a run that was
stopped has whole seeds to show. A kill loses only what is under way. When the cap keeps a unit from being itself, it is put back and fewer
are run at once; when even one by itself does not fit, the run ends.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from outthink.bench.grid.entrants import Entrant, not_run
from outthink.bench.grid.executors import Done, Executor, LocalExecutor, PoolUnit, SearchUnit, Unit, session_of
from outthink.bench.grid.folder import (
    Ended,
    Folder,
    PoolRow,
    RunRecord,
    SetRow,
    machine,
    now,
    over_starts,
    said,
    versions,
)
from outthink.bench.grid.posing import Posed
from outthink.bench.grid.settings import Grid
from outthink.bench.grid.spending import Spending
from outthink.bench.grid.workbench import Workbench, workbench
from outthink.bench.journal import Journal
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool
from outthink.core.cost import Budget, Cost, Role, total_of
from outthink.core.cut import Cut
from outthink.core.ledger import Ledger
from outthink.recipes.digest import digest as recipe_digest

MakeExecutor = Callable[[Workbench, Ledger, Cut], Executor]


class GridWatcher(Protocol):
    """Who is told how far a grid is."""

    def told(self, running: Running) -> None:
        """Something more is finished."""


@dataclass
class Running:
    """A grid under way.

    Attributes:
        bench, executor, ledger, cut: what it works with. The cut ends it early, and everything finished stays.
        seconds: since it was opened.
    """

    folder: Folder
    bench: Workbench
    executor: Executor
    ledger: Ledger
    cut: Cut
    outcomes: Journal[Outcome]
    pool_journal: Journal[Pool]
    began: float
    before: RunRecord
    pools: dict[tuple[str, str, int], Pool] = field(default_factory=dict)
    cells: set[tuple[str, int, int, str]] = field(default_factory=set)
    capped: bool = False
    estimate: str = ""
    processor_began: float = field(default_factory=time.process_time)

    def __post_init__(self) -> None:
        self.pools = {(pool.name, pool.question, pool.seed): pool for pool in self.pool_journal.rows}
        self.cells = {row.cell for row in self.outcomes.rows}
        self._at_once = self.bench.grid.in_flight

    @property
    def total(self) -> int:
        """How many outcomes there will be."""
        sizes = {name: len(found.questions) for name, found in self.bench.posed.sets.items()}
        return sum(len(one.seeds) * sizes[one.set] for one in self.bench.entrants)

    @property
    def seconds(self) -> float:
        """Since it was opened, in seconds."""
        return asyncio.get_running_loop().time() - self.began

    def pool_units(self, seed: int | None = None) -> list[PoolUnit]:
        """The pools that the folder lacks, of one seed or of all."""
        return [
            PoolUnit(i, at, question.task.id)
            for i, pool in enumerate(self.bench.pools)
            for at in pool.seeds
            if seed is None or at == seed
            for question in self.bench.posed.sets[pool.set].questions
            if (pool.plan.name, question.task.id, at) not in self.pools
        ]

    def search_units(self, seed: int | None = None) -> list[SearchUnit]:
        """The searches that the folder lacks, small sizes first."""
        order = sorted(range(len(self.bench.growing)), key=lambda i: self.bench.growing[i].size)
        return [
            SearchUnit(i, at, question.task.id, self._matched(self.bench.growing[i], at, question.task.id))
            for i in order
            for at in self.bench.growing[i].seeds
            if seed is None or at == seed
            for question in self.bench.posed.sets[self.bench.growing[i].set].questions
            if (self.bench.growing[i].method, self.bench.growing[i].size, at, question.task.id) not in self.cells
        ]

    async def run(self, watcher: GridWatcher | None = None) -> Ended:
        """Everything that is lacking; how it ended."""
        seeds = sorted({seed for one in self.bench.entrants for seed in one.seeds})
        for seed in seeds:
            await self.do(self.pool_units(seed), watcher)
            await self.select(seed, watcher)
            await self.do(self.search_units(seed), watcher)
            if self.ended != "running":
                break
        ended: Ended = "done" if self.ended == "running" else self.ended
        self.keep(ended)
        return ended

    @property
    def ended(self) -> Ended:
        """How it stands now."""
        if self.capped or self.cut.reason == "seconds":
            return "cap"
        return "interrupted" if self.cut.reason is not None else "running"

    async def do(self, units: Sequence[Unit], watcher: GridWatcher | None = None) -> None:
        """Do units side by side; each is written down when it is finished."""
        waiting, under_way = list(reversed(units)), dict[asyncio.Task[Done], Unit]()
        try:
            while under_way or (waiting and self.ended == "running"):
                while waiting and len(under_way) < self._at_once and self.ended == "running":
                    unit = waiting.pop()
                    under_way[asyncio.create_task(self.executor.do(unit))] = unit
                alone = len(under_way) == 1
                finished, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                for task in finished:
                    unit, done = under_way.pop(task), task.result()
                    if done.row is None:
                        self._fewer(alone)
                        waiting.append(unit)
                    else:
                        self._add(done.row)
                        if watcher is not None:
                            watcher.told(self)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def select(self, seed: int, watcher: GridWatcher | None = None) -> None:
        """What methods that select make of the pools of a seed that are there."""
        session = session_of(Ledger(), self.cut)
        for pool in self.bench.pools:
            for entrant in pool.readers:
                if seed not in entrant.seeds:
                    continue
                for question in self.bench.posed.sets[entrant.set].questions:
                    stored = self.pools.get((pool.plan.name, question.task.id, seed))
                    lacking = (entrant.method, entrant.size, seed, question.task.id) not in self.cells
                    if stored is None or not lacking or self.cut.reason is not None:
                        continue
                    self._add(await self.bench.select(entrant, question, seed, stored, session))
                if watcher is not None:
                    watcher.told(self)
                # Replays never wait for anything: let Ctrl-C and the progress have their turn.
                await asyncio.sleep(0)

    def keep(self, ended: Ended = "running") -> None:
        """Bring run.json up to date."""
        bill = self.ledger.bill()
        posed = self.bench.posed
        record = msgspec.structs.replace(
            self.before,
            updated=now(),
            ended=ended,
            seconds=self.before.seconds + self.seconds,
            processor_seconds=self.before.processor_seconds + time.process_time() - self.processor_began,
            spent=bill.by_role,
            uncertain=bill.uncertain,
            done=len(self.outcomes.rows),
            total=self.total,
            executor=self.executor.name,
            estimate=self.estimate or self.before.estimate,
            versions=over_starts(self.before.versions, versions()),
            machine=over_starts(self.before.machine, machine()),
            sets=tuple(_set_row(name, posed) for name in posed.sets),
            pools=tuple(
                PoolRow(
                    name=pool.plan.name,
                    set=pool.set,
                    n=pool.plan.n,
                    methods=tuple(dict.fromkeys(one.method for one in pool.readers)),
                    verifiers=tuple(pool.plan.verifiers),
                )
                for pool in self.bench.pools
            ),
            recipes={f"{one.set}/{one.method}/{one.size}": recipe_digest(one.recipe) for one in self.bench.entrants},
            bad_rows=len(posed.problems),
            not_run=said((*posed.not_run, *not_run(self.bench.grid))),
        )
        self.folder.keep(record)

    def _add(self, row: Pool | Outcome) -> None:
        if isinstance(row, Pool):
            self.pool_journal.add(row)
            self.pools[row.name, row.question, row.seed] = row
        else:
            self.outcomes.add(row)
            self.cells.add(row.cell)

    def _fewer(self, alone: bool) -> None:
        """A unit did not fit into what the cap leaves: run fewer at once, and end where one by itself did not fit."""
        if self.cut.reason is None:
            self.capped = self.capped or alone
            self._at_once = max(1, self._at_once // 2)

    def _matched(self, entrant: Entrant, seed: int, question: str) -> Budget | None:
        """The budget of a search that is matched to what so many samples of the question's pool cost."""
        if self.bench.grid.match == "size":
            return None
        pool = self.pools.get((self.bench.pool_of(entrant), question, seed))
        if pool is None:
            return None
        samples = pool.samples[: entrant.size]
        tokens = sum(one.cost.tokens + max((j.cost.tokens for j in one.judged.values()), default=0) for one in samples)
        # A pool with fewer samples than the size is scaled up.
        tokens = max(1, round(tokens * entrant.size / max(1, len(samples))))
        own = entrant.recipe.budget
        return msgspec.structs.replace(own, tokens=min(tokens, own.tokens or tokens))


def paid(bench: Workbench, outcomes: Sequence[Outcome], pools: Sequence[Pool]) -> dict[Role, Cost]:
    """What finished work cost: pools, and the searches that did not read one."""
    growing = {one.method for one in bench.growing}
    grown = [row for row in outcomes if row.method in growing]
    samples = [sample for pool in pools for sample in pool.samples]
    judged = [*(row.judged for row in grown), *(one.cost for sample in samples for one in sample.judged.values())]
    generated = [*(row.generated for row in grown), *(sample.cost for sample in samples)]
    return {"generate": total_of(generated), "verify": total_of(judged)}


def _set_row(name: str, posed: Posed) -> SetRow:
    found = posed.sets[name]
    constant = found.best_constant()
    return SetRow(
        name=name,
        questions=len(found.questions),
        constant=constant.answer,
        constant_share=constant.share,
        origin=dict(found.origin),
    )


@asynccontextmanager
async def opened(
    folder: Folder, posed: Posed, *, cut: Cut | None = None, executor: MakeExecutor = LocalExecutor
) -> AsyncIterator[Running]:
    """The grid of a folder, ready to run, with everything that it had. Raises what `workbench` raises, and `InputError`."""
    grid: Grid = folder.grid
    cut = cut or Cut()
    folder.keep_questions(posed)
    async with AsyncExitStack() as stack:
        bench = await stack.enter_async_context(workbench(grid, posed, replies=folder.path))
        outcomes, pools = stack.enter_context(folder.outcomes()), stack.enter_context(folder.pools())
        finished = paid(bench, outcomes.rows, pools.rows)
        spending = stack.enter_context(
            Spending(folder.path / "spending.jsonl", grid.cap, identity=folder.digest, finished=finished)
        )
        does = executor(bench, spending.ledger, cut)
        stack.push_async_callback(does.close)
        loop = asyncio.get_running_loop()
        running = Running(folder, bench, does, spending.ledger, cut, outcomes, pools, loop.time(), folder.record())
        if grid.cap.seconds is not None:
            timer = loop.call_later(max(0.0, grid.cap.seconds - running.before.seconds), cut.fire, "seconds")
            stack.callback(timer.cancel)
        running.keep()
        yield running
