"""The same grid on a Ray cluster: each worker opens the grid's engines for itself and does units; this process keeps journals and the cap.

    async with opened(folder, posed, executor=ray_executor(workers=4)) as running: ...

A unit's randomness is in its name, so engines whose rows are exact give the same outcomes as in one process, bit for bit. The cap holds
because each unit is lent its share of what is left before it is sent out. Without a cluster at hand, Ray starts one on this machine.
The extra is `ray`.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from outthink.bench.grid.executors import Done, Executor, PoolUnit, SearchUnit, Unit, session_of, work
from outthink.bench.grid.posing import pose
from outthink.bench.grid.running import MakeExecutor
from outthink.bench.grid.settings import Grid
from outthink.bench.grid.workbench import Workbench, workbench
from outthink.bench.outcome import Outcome
from outthink.bench.pools import Pool
from outthink.core.cost import ZERO, Budget, Cost, Role
from outthink.core.cut import Cut
from outthink.core.ledger import Ledger
from outthink.verify.extras import require


class Report(msgspec.Struct, frozen=True):
    """What a worker sends back: the row, why there is none, and what was spent."""

    pool: Pool | None
    outcome: Outcome | None
    limit: str
    spent: dict[Role, Cost]
    uncertain: Cost


class Worker:
    """One process of the cluster with a workbench of its own. Its methods run side by side."""

    def __init__(self, grid: bytes, folder: str, number: int) -> None:
        self._grid = msgspec.msgpack.decode(grid, type=Grid)
        self._replies = Path(folder) / f"replies-of-worker-{number}"
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._cut: Cut | None = None
        self._bench: Workbench | None = None

    async def do(self, unit: bytes, lease: bytes) -> bytes:
        """One unit under its share of the cap."""
        bench = await self._opened()
        ledger = Ledger(msgspec.msgpack.decode(lease, type=Budget))
        done = await work(bench, unpacked(unit), session_of(ledger, self._here()))
        bill = ledger.bill()
        report = Report(
            done.row if isinstance(done.row, Pool) else None,
            done.row if isinstance(done.row, Outcome) else None,
            done.limit,
            ledger.state(),
            bill.uncertain,
        )
        return msgspec.msgpack.encode(report)

    async def stop(self, why: str) -> None:
        """End what is under way."""
        self._here().fire(why)

    async def close(self) -> None:
        """Close engines and files."""
        await self._stack.aclose()

    def _here(self) -> Cut:
        # A cut belongs to the loop that it is made on.
        if self._cut is None:
            self._cut = Cut()
        return self._cut

    async def _opened(self) -> Workbench:
        async with self._opening:
            if self._bench is None:
                posed = await asyncio.to_thread(pose, self._grid)
                self._bench = await self._stack.enter_async_context(workbench(self._grid, posed, replies=self._replies))
        return self._bench


class RayExecutor(Executor):
    """Sends units to workers, each to the one with the fewest under way."""

    name = "ray"

    def __init__(self, bench: Workbench, ledger: Ledger, cut: Cut, *, workers: int | None, folder: str) -> None:
        require("ray", extra="ray", needed_by="--executor ray")
        import ray

        self._ray: Any = ray
        self._own = not ray.is_initialized()
        if self._own:
            ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._slots = bench.grid.in_flight
        remote = ray.remote(num_cpus=1, max_concurrency=self._slots + 2)(Worker)
        packed = msgspec.msgpack.encode(bench.grid)
        self._workers = [remote.remote(packed, folder, i) for i in range(count)]
        self._under_way = [0] * count
        self._ledger, self._cut = ledger, cut
        self._unlink = cut.on_fire(self._stop)

    async def do(self, unit: Unit) -> Done:
        lease = self._lease()
        if lease is None:
            return self._short("cap")
        promised = promise(lease)
        self._ledger.claim(promised)
        at = self._under_way.index(min(self._under_way))
        self._under_way[at] += 1
        try:
            answer = await self._workers[at].do.remote(packed_unit(unit), msgspec.msgpack.encode(lease))
        except BaseException:
            # Nobody knows what a lost worker has spent: at most what it was lent.
            self._ledger.settle(promised, ZERO, "generate", promised)
            raise
        finally:
            self._under_way[at] -= 1
        report = msgspec.msgpack.decode(answer, type=Report)
        for i, (role, cost) in enumerate(report.spent.items()):
            first = i == 0
            self._ledger.settle(promised if first else ZERO, cost, role, report.uncertain if first else ZERO)
        row = report.pool or report.outcome
        return Done(row) if row is not None else self._short(report.limit)

    async def close(self) -> None:
        self._unlink()
        await asyncio.gather(*(worker.close.remote() for worker in self._workers))
        for worker in self._workers:
            self._ray.kill(worker)
        if self._own:
            self._ray.shutdown()

    def _lease(self) -> Budget | None:
        """The share of what the cap leaves that one more unit may spend; None where that is nothing."""
        free = max(1, self._slots - sum(self._under_way))
        shares: dict[str, Any] = {}
        for name in self._ledger.budget.limits():
            if name == "seconds":
                continue
            share = self._ledger.remaining(name) / free
            shares[name] = share if name == "money" else int(share)
            if shares[name] <= 0:
                return None
        return Budget(**shares)

    def _short(self, limit: str) -> Done:
        if self._cut.reason is None:
            self._slots = max(1, self._slots // 2)
        return Done(None, limit)

    def _stop(self) -> None:
        for worker in self._workers:
            worker.stop.remote(self._cut.reason or "interrupt")


def ray_executor(workers: int | None = None, *, folder: Path | str = ".") -> MakeExecutor:
    """What makes the executor of a run.

    Args:
        workers: processes; None for as many as the cluster has processors.
        folder: where workers keep replies, each in a folder of its own.
    """
    return partial(RayExecutor, workers=workers, folder=str(folder))


def promise(lease: Budget) -> Cost:
    """The most that a lease lets a unit spend, column by column; tokens as output."""
    limits = lease.limits()
    whole = {name: int(value) for name, value in limits.items() if name not in ("tokens", "money", "seconds")}
    if "tokens" in limits:
        whole["output_tokens"] = max(whole.get("output_tokens", 0), int(limits["tokens"]))
    return Cost(money=limits.get("money", 0.0), **whole)


def packed_unit(unit: Unit) -> bytes:
    """A unit as bytes."""
    return msgspec.msgpack.encode([type(unit).__name__, unit])


def unpacked(data: bytes) -> Unit:
    """The unit that `packed_unit` wrote."""
    kind, fields = msgspec.msgpack.decode(data)
    return msgspec.convert(fields, PoolUnit) if kind == "PoolUnit" else msgspec.convert(fields, SearchUnit)
