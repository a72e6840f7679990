"""Processes around processes, for what toys do not do by themselves: fail, take time, be counted.

Each keeps the inner process's law and its exactness: whether a slot fails, and how long it takes, follows from its seed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from outthink.core import Advance, Allowance, Candidate, Failure, Process, gather_until
from outthink.core.task import Feature
from outthink.numerics.types import IntArray, SeedArray
from outthink.testing.noise import uniforms

S = TypeVar("S")
_FAIL, _TIME = 1 << 30, 1 << 31


class Wrapper(Process[S]):
    """Passes everything on to `inner`; subclasses change one thing."""

    def __init__(self, inner: Process[S]) -> None:
        self.inner = inner

    @property
    def exact(self) -> bool:
        return self.inner.exact

    @property
    def step_wise(self) -> bool:
        return self.inner.step_wise

    @property
    def forks_part(self) -> bool:
        return self.inner.forks_part

    @property
    def counters(self) -> Any:
        """What the process inside has charged."""
        return getattr(self.inner, "counters")  # noqa: B009 - only processes that count have it

    async def start(self, seeds: SeedArray) -> S:
        return await self.inner.start(seeds)

    async def advance(self, states: S, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance) -> Advance[S]:
        return await self.inner.advance(states, seeds, steps=steps, allowance=allowance)

    def take(self, states: S, index: IntArray) -> S:
        return self.inner.take(states, index)

    def concat(self, parts: Sequence[S]) -> S:
        return self.inner.concat(parts)

    async def view(self, states: S, wants: frozenset[Feature]) -> list[Candidate]:
        return await self.inner.view(states, wants)

    def dump(self, states: S) -> bytes:
        return self.inner.dump(states)

    def load(self, data: bytes) -> S:
        return self.inner.load(data)

    def _put_back(self, before: S, after: S, lost: IntArray, n: int) -> S:
        """`after` with the rows `lost` as they were before."""
        index = np.arange(n)
        index[lost] += n
        return self.take(self.concat([after, before]), index)


class Flaky(Wrapper[S]):
    """Every slot fails with probability `rate`, by its seed; what its step cost is paid all the same."""

    def __init__(self, inner: Process[S], rate: float) -> None:
        super().__init__(inner)
        self.rate = rate

    async def advance(self, states: S, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance) -> Advance[S]:
        got = await super().advance(states, seeds, steps=steps, allowance=allowance)
        lost = np.flatnonzero((uniforms(seeds, _FAIL) < self.rate) & ~got.was_untouched())
        if len(lost) == 0:
            return got
        whole = self._put_back(states, got.states, lost, len(seeds))
        failures = {int(i): Failure("EngineError", "told to fail") for i in lost}
        kept = np.isin(np.arange(len(seeds)), lost, invert=True)
        return replace(got, states=whole, done=got.done & kept, log_ratio=got.log_ratio * kept, failures=failures)


class Slow(Wrapper[S]):
    """Every slot takes its own time on the event loop's clock, between `least` and `most` seconds, by its seed.

    Slots that are not through when the cut fires come back short, as they were; what they cost is paid.
    """

    def __init__(self, inner: Process[S], least: float = 0.5, most: float = 1.5) -> None:
        super().__init__(inner)
        self.least, self.most = least, most

    async def advance(self, states: S, seeds: SeedArray, *, steps: int | None = 1, allowance: Allowance) -> Advance[S]:
        got = await super().advance(states, seeds, steps=steps, allowance=allowance)
        seconds = self.least + (self.most - self.least) * uniforms(seeds, _TIME)

        async def wait(delay: float) -> bool:
            await asyncio.sleep(delay)
            return True

        through = await gather_until(allowance.cut, [wait(s) for s in seconds.tolist()])
        lost = np.array([t is None for t in through], bool) & ~got.was_untouched()
        if not lost.any():
            return got
        before = await self._done(states)
        return replace(
            got,
            states=self._put_back(states, got.states, np.flatnonzero(lost), len(seeds)),
            done=np.where(lost, before, got.done),
            log_ratio=np.where(lost, 0.0, got.log_ratio),
            short=got.was_short() | lost,
        )

    async def _done(self, states: S) -> Any:
        return np.array([candidate.final for candidate in await self.view(states, frozenset())], bool)
