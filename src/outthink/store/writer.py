"""All writes of one store, made by one thread: the event loop never waits for a disk or for another process's lock.

Work is done in the order in which it was handed in. What is waiting when a transaction begins goes into that transaction, so many runs in
one process share commits; a piece that fails is rolled back and reported alone. Work that nobody waits for and that fails is not lost
from sight: every later piece of work is refused with its error.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import sqlalchemy as sa

from outthink.store.database import RETRIES, Database, transient
from outthink.store.errors import StoreError

T = TypeVar("T")
TOGETHER = 256
"""The most pieces of work in one transaction."""


@dataclass(frozen=True)
class _Piece:
    work: Callable[[sa.Connection], Any]
    done: Future[Any]
    watched: bool


class Writer:
    """The writing thread of a store; starts with the first piece of work. Hand in work from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._pieces: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._broken: BaseException | None = None
        self.transactions = 0

    @property
    def broken(self) -> bool:
        """Whether work that nobody waited for has failed, so that all later work is refused."""
        return self._broken is not None

    def post(self, work: Callable[[sa.Connection], Any]) -> None:
        """Hand in work that nobody waits for. Raises `StoreError` when earlier such work has failed."""
        self._submit(work, watched=False)

    def submit(self, work: Callable[[sa.Connection], T]) -> Future[T]:
        """Hand in work; its result, or its error."""
        return cast("Future[T]", self._submit(work, watched=True))

    async def run(self, work: Callable[[sa.Connection], T]) -> T:
        """Hand in work and wait for it without holding the loop."""
        return await asyncio.wrap_future(self.submit(work))

    def close(self) -> None:
        """Do what was handed in, then stop. Raises the error of work that nobody waited for. Safe to call twice."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._pieces.put(None)
            thread.join()
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise _lost(broken)

    def _submit(self, work: Callable[[sa.Connection], Any], *, watched: bool) -> Future[Any]:
        with self._lock:
            if self._broken is not None:
                raise _lost(self._broken)
            if self._closed:
                raise StoreError("The store was used after it was closed.")
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="outthink-store", daemon=True)
                self._thread.start()
            piece = _Piece(work, Future(), watched)
            self._pieces.put(piece)
        return piece.done

    def _serve(self) -> None:
        going = True
        while going:
            first = self._pieces.get()
            if first is None:
                return
            pieces = [first]
            while len(pieces) < TOGETHER and not self._pieces.empty():
                piece = self._pieces.get()
                if piece is None:
                    going = False
                    break
                pieces.append(piece)
            # From here on nobody can take a piece back; those that were taken back before are left out.
            self._commit([piece for piece in pieces if piece.done.set_running_or_notify_cancel()])

    def _commit(self, pieces: list[_Piece]) -> None:
        try:
            results = self._transaction(pieces)
        except BaseException as error:  # noqa: BLE001 - whatever it is belongs to whoever handed the work in
            if len(pieces) == 1:
                self._failed(pieces[0], error)
                return
            for piece in pieces:
                self._commit([piece])
            return
        for piece, result in zip(pieces, results, strict=True):
            piece.done.set_result(result)

    def _transaction(self, pieces: list[_Piece]) -> list[Any]:
        for attempt in range(RETRIES):
            try:
                with self._database.write() as connection:
                    results = [piece.work(connection) for piece in pieces]
                self.transactions += 1
                return results
            except StoreError as error:
                if not transient(error) or attempt == RETRIES - 1:
                    raise
        return []

    def _failed(self, piece: _Piece, error: BaseException) -> None:
        if not piece.watched:
            self._broken = self._broken or error
        piece.done.set_exception(error)


def nothing(connection: sa.Connection) -> None:
    """Work that is done when all work before it is done."""


def _lost(error: BaseException) -> StoreError:
    lost = StoreError(f"The store could not keep the run, so the run stops: {error}")
    lost.__cause__ = error
    return lost
