"""How much is taken on at once: so many searches at work, so many requests waiting, and 429 with Retry-After for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from outthink.serve.configuration import Limits
from outthink.serve.refusal import busy


class Admission:
    """The places of one gateway.

    Attributes:
        at_work, waiting: requests now. `most_at_work`: the most at one moment.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._places = asyncio.Semaphore(limits.in_flight)
        self.at_work = 0
        self.waiting = 0
        self.most_at_work = 0

    def check(self) -> None:
        """Raises `Refusal` when nobody may wait any more."""
        if self.at_work >= self._limits.in_flight and self.waiting >= self._limits.waiting:
            raise busy(self._limits.retry_seconds, "The server is at its limit of searches. Try again later.")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A place, first come first served. Raises `Refusal` when there is none in time."""
        self.check()
        self.waiting += 1
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                await self._places.acquire()
        except TimeoutError:
            raise busy(self._limits.retry_seconds, "No place for this search became free in time.") from None
        finally:
            self.waiting -= 1
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        try:
            yield
        finally:
            self.at_work -= 1
            self._places.release()
