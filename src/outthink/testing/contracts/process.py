"""What every process must keep: rows are independent, gathers move everything, bills are true, allowances hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outthink.core import Advance, Allowance, Budget, Cost, Key, Ledger, Process
from outthink.core.cost import COUNTED
from outthink.numerics.types import SeedArray


def seeds_of(name: str, n: int) -> SeedArray:
    """n seeds that belong to a name."""
    return Key(20_26).child(name).seeds(n)


class ProcessLaws:
    """What the suites of processes and of their capabilities share. Override the hooks that do not fit your process."""

    n = 5
    """Members in a test."""

    column = "output_tokens"
    """A budget column in which the process pays for its steps."""

    most_steps = 200
    """A bound on the steps after which every member must have finished."""

    def same(self, process: Process[Any], left: Any, right: Any) -> bool:
        """Whether two batches of states are the same; processes that are not exact compare to their stated tolerance here."""
        return process.dump(left) == process.dump(right)

    def counters(self, process: Process[Any]) -> Cost | None:
        """What the backend has counted since the process was made; None where it cannot tell."""
        return getattr(process, "counters", None)

    async def begun(self, process: Process[Any], steps: int = 1) -> Any:
        """Members that have taken so many steps."""
        states = await process.start(seeds_of("start", self.n))
        for step in range(steps):
            states = (await process.advance(states, seeds_of(f"step {step}", self.n), allowance=Allowance())).states
        return states

    def picked(self, process: Process[Any], states: Any, *rows: int) -> Any:
        """Some rows, in this order."""
        return process.take(states, np.array(rows, np.int64))

    async def finals(self, process: Process[Any], states: Any) -> list[bool]:
        """Which states are finished, as the view says."""
        return [candidate.final for candidate in await process.view(states, frozenset())]

    def check_advance(self, process: Process[Any], before: Any, got: Advance[Any], n: int) -> None:
        """What holds for the outcome of any call: shapes, types, and rows that must not have changed."""
        assert got.done.shape == got.log_ratio.shape == (n,)
        assert got.done.dtype == np.bool_
        assert not np.isnan(got.log_ratio).any()
        assert len(got.was_short()) == len(got.was_untouched()) == n
        assert not (got.was_untouched() & got.was_short()).any(), "a row is either untouched or cut short"
        assert not (got.done & got.was_short()).any(), "a row that was cut short is not done"
        for row in {*np.flatnonzero(got.was_untouched()).tolist(), *got.failures}:
            unchanged = self.same(process, self.picked(process, got.states, row), self.picked(process, before, row))
            assert unchanged, f"row {row} failed or was not served, and its state is not the input"
            assert got.log_ratio[row] == 0.0

    def check_within(self, allowance: Allowance, cost: Cost) -> None:
        """No column cost more than was claimed."""
        for column in (*COUNTED[:1], *COUNTED[2:], "tokens"):
            assert cost.column(column) <= allowance.claimed.column(column), column


@pytest.mark.asyncio
class ProcessContract(ProcessLaws):
    """Subclass and provide the fixture `process`, a fresh one for each test."""

    @pytest.fixture
    def process(self) -> Any:
        """The process under test."""
        raise NotImplementedError("Provide the fixture `process`.")

    async def test_starting_is_free_and_follows_the_seeds(self, process: Process[Any]) -> None:
        before = self.counters(process)
        states = await process.start(seeds_of("start", self.n))
        again = await process.start(seeds_of("start", self.n))
        part = await process.start(seeds_of("start", self.n)[[2, 0]])
        assert self.counters(process) == before
        assert self.same(process, states, again)
        assert self.same(process, self.picked(process, states, 2, 0), part)
        assert not any(await self.finals(process, states))

    async def test_rows_do_not_depend_on_batch_mates(self, process: Process[Any]) -> None:
        seeds = seeds_of("next", self.n)
        for steps in (1, None):
            states = await self.begun(process)
            whole = await process.advance(states, seeds, steps=steps, allowance=Allowance())
            part = await process.advance(
                self.picked(process, states, 2, 0), seeds[[2, 0]], steps=steps, allowance=Allowance()
            )
            assert self.same(process, self.picked(process, whole.states, 2, 0), part.states)
            assert whole.done[[2, 0]].tolist() == part.done.tolist()
            assert np.allclose(whole.log_ratio[[2, 0]], part.log_ratio, rtol=0, atol=0 if process.exact else 1e-3)

    async def test_noise_belongs_to_the_slot(self, process: Process[Any]) -> None:
        states, seeds = await process.start(seeds_of("start", self.n)), seeds_of("next", self.n)
        forks = self.picked(process, states, *([0] * self.n))
        same = await process.advance(forks, np.repeat(seeds[:1], self.n), steps=None, allowance=Allowance())
        for row in range(1, self.n):
            assert self.same(process, self.picked(process, same.states, row), self.picked(process, same.states, 0))

    async def test_same_seeds_same_outcome(self, process: Process[Any]) -> None:
        states, seeds = await self.begun(process), seeds_of("next", self.n)
        one = await process.advance(states, seeds, steps=None, allowance=Allowance())
        two = await process.advance(states, seeds, steps=None, allowance=Allowance())
        assert self.same(process, one.states, two.states)

    async def test_states_are_values(self, process: Process[Any]) -> None:
        """Moving a batch on leaves the batch that was given, and every fork of it, as they were."""
        states = await self.begun(process)
        kept, fork = process.dump(states), self.picked(process, states, 0, 0)
        fork_kept = process.dump(fork)
        await process.advance(states, seeds_of("next", self.n), steps=None, allowance=Allowance())
        await process.view(states, frozenset())
        assert process.dump(states) == kept
        assert process.dump(fork) == fork_kept

    async def test_take_and_concat(self, process: Process[Any]) -> None:
        states = await self.begun(process)
        rows = np.array([4, 1, 1, 0], np.int64)
        taken = process.take(states, rows)
        assert self.same(process, process.take(taken, np.array([3, 1])), self.picked(process, states, 0, 1))
        assert self.same(process, process.take(states, np.arange(self.n)), states)
        parts = [self.picked(process, states, row) for row in range(self.n)]
        assert self.same(process, process.concat(parts), states)
        assert self.same(process, process.concat([states]), states)
        empty = process.take(states, np.array([], np.int64))
        assert self.same(process, process.concat([empty, states]), states)
        assert await process.view(empty, frozenset()) == []

    async def test_dump_and_load(self, process: Process[Any]) -> None:
        states, seeds = await self.begun(process), seeds_of("next", self.n)
        back = process.load(process.dump(states))
        assert self.same(process, back, states)
        one = await process.advance(states, seeds, steps=None, allowance=Allowance())
        two = await process.advance(back, seeds, steps=None, allowance=Allowance())
        assert self.same(process, one.states, two.states)

    async def test_costs_are_what_was_counted_and_within_the_claims(self, process: Process[Any]) -> None:
        states = await process.start(seeds_of("start", self.n))
        before, paid = self.counters(process), Cost()
        for step in range(3):
            allowance = Allowance()
            got = await process.advance(
                states, seeds_of(f"step {step}", self.n), steps=None if step == 2 else 1, allowance=allowance
            )
            self.check_advance(process, states, got, self.n)
            self.check_within(allowance, got.cost)
            states, paid = got.states, paid + got.cost
        after = self.counters(process)
        if before is not None and after is not None:
            assert after - before == paid
        assert paid.column(self.column) > 0

    async def test_everyone_finishes(self, process: Process[Any]) -> None:
        states = await process.start(seeds_of("start", self.n))
        to_the_end = await process.advance(states, seeds_of("end", self.n), steps=None, allowance=Allowance())
        assert to_the_end.done.all()
        assert not (to_the_end.was_short() | to_the_end.was_untouched()).any()
        done = np.zeros(self.n, bool)
        for step in range(self.most_steps):
            at = np.flatnonzero(~done)
            if len(at) == 0:
                break
            seeds = seeds_of(f"step {step}", self.n)[at]
            got = await process.advance(process.take(states, at), seeds, allowance=Allowance())
            index = np.arange(self.n)
            index[at] = self.n + np.arange(len(at))
            states = process.take(process.concat([states, got.states]), index)
            done[at] = got.done
        assert done.all(), f"not finished after {self.most_steps} steps"
        assert await self.finals(process, states) == [True] * self.n

    async def test_finished_members_are_left_alone(self, process: Process[Any]) -> None:
        states = await process.start(seeds_of("start", self.n))
        ended = await process.advance(states, seeds_of("end", self.n), steps=None, allowance=Allowance())
        before = self.counters(process)
        got = await process.advance(ended.states, seeds_of("more", self.n), allowance=Allowance())
        assert got.done.all()
        assert got.cost == Cost()
        assert not got.failures
        assert self.same(process, got.states, ended.states)
        assert self.counters(process) == before

    async def test_allowance_holds_at_every_cap(self, process: Process[Any]) -> None:
        """Slots are served in slot order, nobody pays more than fits, and what was not served is whole and free."""
        states, seeds = await process.start(seeds_of("start", self.n)), seeds_of("next", self.n)
        free = await process.advance(states, seeds, steps=None, allowance=Allowance())
        total = int(free.cost.column(self.column))
        for cap in sorted({1, 2, 3, total // 3, total // 2, total - 1, total, 4 * total} - {0}):
            before = self.counters(process)
            ledger = Ledger(Budget(**{self.column: cap}))
            allowance = Allowance(ledger)
            got = await process.advance(states, seeds, steps=None, allowance=allowance)
            self.check_advance(process, states, got, self.n)
            self.check_within(allowance, got.cost)
            assert got.cost.column(self.column) <= allowance.claimed.column(self.column) <= cap
            untouched = got.was_untouched()
            assert untouched.tolist() == sorted(untouched.tolist()), "a later slot was served before an earlier one"
            after = self.counters(process)
            if before is not None and after is not None:
                assert after - before == got.cost
            if untouched.all():
                assert got.cost == Cost()
            if untouched.any() or got.was_short().any():
                assert allowance.limit == self.column, "the allowance must name the limit that bound"
            await self.check_short_rows(process, got)

    async def check_short_rows(self, process: Process[Any], got: Advance[Any]) -> None:
        """Rows that were cut short can be seen, saved and finished."""
        rows = np.flatnonzero(got.was_short())
        if len(rows) == 0:
            return
        states = process.take(got.states, rows)
        assert await self.finals(process, states) == [False] * len(rows)
        states = process.load(process.dump(states))
        ended = await process.advance(states, seeds_of("end", len(rows)), steps=None, allowance=Allowance())
        assert ended.done.all()

    async def test_view_shows_one_candidate_each(self, process: Process[Any]) -> None:
        states = await process.start(seeds_of("start", self.n))
        while True:
            for wants in (frozenset[str](), frozenset({"steps", "log_prob", "no such feature"})):
                seen = await process.view(states, wants)
                assert len(seen) == self.n
                assert all(set(candidate.features) <= wants for candidate in seen)
                assert all(candidate.final or candidate.answer is None for candidate in seen)
            if all(await self.finals(process, states)):
                break
            states = (await process.advance(states, seeds_of("end", self.n), steps=None, allowance=Allowance())).states
