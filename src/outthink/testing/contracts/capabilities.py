"""What the capabilities must keep, on top of what every process keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Advance,
    Allowance,
    Budget,
    Completable,
    Cost,
    Ledger,
    Perturbable,
    Process,
    Revisable,
    Rewindable,
    Temperable,
)
from outthink.numerics.types import SeedArray
from outthink.testing.contracts.process import ProcessLaws, seeds_of

Call = Callable[[Any, SeedArray, Allowance], Awaitable[Advance[Any]]]


class CapabilityLaws(ProcessLaws):
    """What all four share: one seed a slot, rows on their own, true bills, allowances that hold, the input left as it was."""

    async def ended(self, process: Process[Any]) -> Any:
        """Finished members."""
        states = await process.start(seeds_of("start", self.n))
        return (await process.advance(states, seeds_of("end", self.n), steps=None, allowance=Allowance())).states

    async def check_call(self, process: Process[Any], states: Any, call: Call) -> Advance[Any]:
        """`call` on all rows; what it must keep whatever it does."""
        seeds, kept = seeds_of("capability", self.n), process.dump(states)
        before, allowance = self.counters(process), Allowance()
        whole = await call(states, seeds, allowance)
        after = self.counters(process)
        self.check_advance(process, states, whole, self.n)
        self.check_within(allowance, whole.cost)
        if before is not None and after is not None:
            assert after - before == whole.cost
        assert process.dump(states) == kept, "the states given were changed"
        assert self.same(process, (await call(states, seeds, Allowance())).states, whole.states)
        part = await call(self.picked(process, states, 3, 1), seeds[[3, 1]], Allowance())
        assert self.same(process, part.states, self.picked(process, whole.states, 3, 1))
        assert await self.finals(process, whole.states) == whole.done.tolist()
        await self.check_caps(process, states, call, whole)
        return whole

    async def check_caps(self, process: Process[Any], states: Any, call: Call, whole: Advance[Any]) -> None:
        total = int(whole.cost.column(self.column))
        for cap in sorted({1, total // 2, total} - {0}):
            allowance = Allowance(Ledger(Budget(**{self.column: cap})))
            got = await call(states, seeds_of("capability", self.n), allowance)
            self.check_advance(process, states, got, self.n)
            assert got.cost.column(self.column) <= allowance.claimed.column(self.column) <= cap


class _SomeRows:
    """Calls that take one value a row: the value of the rows that are there, told apart by their seeds."""

    def __init__(self, values: Any) -> None:
        self._by_seed = dict(zip(seeds_of("capability", len(values)).tolist(), values, strict=True))

    def of(self, seeds: SeedArray) -> list[Any]:
        return [self._by_seed[seed] for seed in seeds.tolist()]


@pytest.mark.asyncio
class RewindableContract(CapabilityLaws):
    """Provide `process`."""

    async def test_rewind(self, process: Any) -> None:
        assert issubclass(type(process), Rewindable)
        states = await self.begun(process, 3)
        levels = _SomeRows([0, 1, 2, 3, 1])

        async def call(rows: Any, seeds: SeedArray, allowance: Allowance) -> Advance[Any]:
            got: Advance[Any] = await process.rewind(rows, np.array(levels.of(seeds)), seeds, allowance=allowance)
            return got

        got = await self.check_call(process, states, call)
        assert not got.done[0]

    async def test_a_level_ahead_changes_nothing(self, process: Any) -> None:
        for states in (await self.begun(process, 2), await self.ended(process)):
            got = await process.rewind(
                states, np.full(self.n, 10_000), seeds_of("capability", self.n), allowance=Allowance()
            )
            assert self.same(process, got.states, states)
            assert got.done.tolist() == await self.finals(process, states)
            assert got.cost == Cost()

    async def test_rewound_members_go_on(self, process: Any) -> None:
        ended = await self.ended(process)
        back = await process.rewind(ended, np.zeros(self.n, np.int64), seeds_of("back", self.n), allowance=Allowance())
        assert not back.done.any()
        again = await process.advance(back.states, seeds_of("again", self.n), steps=None, allowance=Allowance())
        assert again.done.all()


@pytest.mark.asyncio
class PerturbableContract(CapabilityLaws):
    """Provide `process`."""

    async def test_perturb(self, process: Any) -> None:
        assert issubclass(type(process), Perturbable)
        strengths = _SomeRows([0.0, 0.3, 1.0, 0.5, 0.9])

        async def call(rows: Any, seeds: SeedArray, allowance: Allowance) -> Advance[Any]:
            got: Advance[Any] = await process.perturb(rows, np.array(strengths.of(seeds)), seeds, allowance=allowance)
            return got

        for states in (await self.begun(process, 2), await self.ended(process)):
            got = await self.check_call(process, states, call)
            assert self.same(process, self.picked(process, got.states, 0), self.picked(process, states, 0))

    async def test_no_strength_changes_nothing_and_is_free(self, process: Any) -> None:
        states = await self.begun(process, 2)
        got = await process.perturb(states, np.zeros(self.n), seeds_of("capability", self.n), allowance=Allowance())
        assert self.same(process, got.states, states)
        assert got.cost == Cost()


@pytest.mark.asyncio
class CompletableContract(CapabilityLaws):
    """Provide `process`."""

    async def test_complete(self, process: Any) -> None:
        assert issubclass(type(process), Completable)

        async def call(rows: Any, seeds: SeedArray, allowance: Allowance) -> Advance[Any]:
            got: Advance[Any] = await process.complete(rows, seeds, allowance=allowance)
            return got

        for steps in (0, 2):
            got = await self.check_call(process, await self.begun(process, steps), call)
            assert got.done.all()


@pytest.mark.asyncio
class RevisableContract(CapabilityLaws):
    """Provide `process`."""

    async def test_revise(self, process: Any) -> None:
        assert issubclass(type(process), Revisable)
        said = _SomeRows([f"do better, number {i}" for i in range(self.n)])

        async def call(rows: Any, seeds: SeedArray, allowance: Allowance) -> Advance[Any]:
            got: Advance[Any] = await process.revise(rows, said.of(seeds), seeds, allowance=allowance)
            return got

        got = await self.check_call(process, await self.ended(process), call)
        assert got.done.all()


class TemperableContract(CapabilityLaws):
    """For processes derived from `Temperable`."""

    async def test_greedy_members_do_not_depend_on_their_seed(self, process: Any) -> None:
        assert issubclass(type(process), Temperable)
        states = await process.start(seeds_of("start", self.n))
        cold = process.temper(states, np.zeros(self.n))
        ends = [
            (await process.advance(cold, seeds_of(name, self.n), steps=None, allowance=Allowance())).states
            for name in ("one", "two")
        ]
        assert self.same(process, *ends)

    async def test_a_temperature_is_free_and_travels_with_its_member(self, process: Any) -> None:
        """Through forks, joins, checkpoints and steps; each member has its own, and the states given stay as they are."""
        before, states = self.counters(process), await process.start(seeds_of("start", self.n))
        kept = process.dump(states)
        warm = process.temper(states, np.arange(self.n) / self.n)
        assert process.dump(states) == kept, "the states given were changed"
        assert self.counters(process) == before
        moved = process.load(
            process.dump(process.concat([self.picked(process, warm, 0, 0), self.picked(process, warm, 1)]))
        )
        for _ in range(2):
            got = await process.advance(moved, seeds_of("step", 3), allowance=Allowance())
            twice = await process.advance(moved, seeds_of("step", 3)[[1, 0, 2]], allowance=Allowance())
            # Two forks of the greedy member go the same way whatever their seeds.
            assert self.same(process, self.picked(process, got.states, 0, 1), self.picked(process, twice.states, 0, 1))
            moved = got.states
