"""The row of a run that is written with the first thing that is, so that a short run is one transaction and nobody waits for its beginning.

Until then the run is nowhere to be seen, and a run that is killed before leaves nothing: for runs that nobody could take up again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa

from outthink.store.writer import Writer, nothing

T = TypeVar("T")


@dataclass
class Line:
    """A run's place among all; known to whatever is written after its row."""

    number: int = -1


class LateRow:
    """Hands work to a writer, its first piece with the run's row before it. After `seconds` without any the row is written alone.

    insert: makes the row and returns its number.
    """

    def __init__(self, writer: Writer, insert: Callable[[sa.Connection], int], seconds: float) -> None:
        self.line = Line()
        self._writer, self._insert = writer, insert
        self._timer: asyncio.TimerHandle | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self.post, nothing)

    def post(self, work: Callable[[sa.Connection], object]) -> None:
        """Hand in work that nobody waits for. Raises `StoreError` when earlier such work has failed."""
        self._writer.post(self._after_row(work))

    async def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Hand in work and wait for it without holding the loop."""
        return await self._writer.run(self._after_row(work))

    def _after_row(self, work: Callable[[sa.Connection], T]) -> Callable[[sa.Connection], T]:
        if self._timer is None:
            return work
        self._timer.cancel()
        self._timer = None

        def both(connection: sa.Connection) -> T:
            # A transaction that is tried again makes the row again, under another number.
            self.line.number = self._insert(connection)
            return work(connection)

        return both
