"""A store of runs: begin and resume them, list and read them, remove them.

    with Store.open() as store:                          # or Store.open("runs.sqlite"), Store.open("postgresql://...")
        recorder = await store.begin(task, method="vote", seed=0)
        ...
        store.run("last").result.answer

Many runs may be written at once, by tasks, threads and processes. Reading goes past the writer and never waits for it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
import sqlalchemy as sa

from outthink.core.errors import explain
from outthink.core.events import AnyEvent
from outthink.core.key import Key
from outthink.core.task import Task
from outthink.store import reading
from outthink.store.database import Database, insert_new
from outthink.store.errors import StoreError
from outthink.store.journal import Journal
from outthink.store.late import LateRow, Line
from outthink.store.location import store_url
from outthink.store.migrations import MIGRATIONS, migrate, version
from outthink.store.owner import this_host, this_process
from outthink.store.recorder import Recorder
from outthink.store.results import shown
from outthink.store.retention import Removed, prune, remove
from outthink.store.stored import RunLine, StoredRun
from outthink.store.tables import candidates, checkpoints, details, events, replies, runs, scores
from outthink.store.writer import Writer

T = TypeVar("T")
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
SURELY_NEW = 12
"""Letters of a name that is told before it is known to be free: two runs of one second share it once in 10^18."""
"""Without letters and digits that look alike."""

# Statements are made once: making them costs more than running them.
NEW_DETAILS = details.insert()


class Store:
    """See the module. Open one with `Store.open`, close it when all runs have ended."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database)

    @classmethod
    def open(cls, where: str | Path | None = None) -> Store:
        """The store at this URL or path (None: the default, see `outthink.store.location`), brought to this version's schema.

        Raises `StoreError` when it cannot be opened, or was written by a later version.
        """
        database = Database(store_url(where))
        try:
            with database.read() as connection:
                current = version(connection) == len(MIGRATIONS)
            if not current:
                with database.write(alone=True) as connection:
                    migrate(connection)
        except StoreError:
            database.close()
            raise
        return cls(database)

    @property
    def name(self) -> str:
        """Its URL, without a password."""
        return self._database.name

    @property
    def broken(self) -> bool:
        """Whether something could not be written that nobody waited for; nothing more is taken then."""
        return self._writer.broken

    @property
    def transactions(self) -> int:
        """Transactions committed through this object."""
        return self._writer.transactions

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Write what was handed in, and close. Raises `StoreError` when some of it could not be written. Safe to call twice."""
        try:
            self._writer.close()
        finally:
            self._database.close()

    # -- writing ----------------------------------------------------------------------------------------------------

    async def begin(
        self,
        task: Task,
        *,
        method: str,
        seed: int | Key = 0,
        engine: str = "",
        recipe: Mapping[str, Any] | None = None,
        digest: str = "",
        budget: Mapping[str, float] | None = None,
        late: float | None = None,
    ) -> Recorder:
        """A new run; returns when it is stored.

        Args:
            method: the solver's name. `engine`: the engine's.
            seed: the seed, or the key of a session inside another one.
            recipe, digest: the tables of the recipe and their digest, for `outthink run --resume`; none for a search made by hand.
            budget: the limits, `Budget.limits()`.
            late: returns at once; the run is stored with the first thing that is written of it, and after so many seconds at the latest.
        """
        key = seed if isinstance(seed, Key) else Key(seed)
        wide = {
            "key_path": msgspec.json.encode(key.path).decode(),
            "task": _task_bytes(task),
            "recipe": msgspec.json.encode(dict(recipe or {})).decode(),
            "budget": msgspec.json.encode(dict(budget or {})).decode(),
            "version": _version(),
        }
        now = time.time()
        line = {
            "status": "running",
            "created": now,
            "updated": now,
            "host": this_host(),
            "process": this_process(),
            "task": task.id,
            "question": shown(task.question),
            "method": method,
            "digest": digest,
            "engine": engine,
            "seed": str(key.entropy),
        }

        def insert_as(connection: sa.Connection, name: str) -> int | None:
            number: int | None = insert_new(connection, runs.c.id, {"id": name, **line}, runs.c.number)
            if number is not None:
                connection.execute(NEW_DETAILS, {"run": number, **wide})
            return number

        def insert(connection: sa.Connection) -> tuple[int, str]:
            while True:
                name = _new_name(now)
                number = insert_as(connection, name)
                if number is not None:
                    return number, name

        if late is None:
            number, name = await self._writer.run(insert)
            place = Line(number)
            return Recorder(self._writer, place, name, key, Journal(self._writer, place, 0, {}))
        name = _new_name(now, SURELY_NEW)

        def insert_late(connection: sa.Connection) -> int:
            number = insert_as(connection, name)
            if number is None:
                raise StoreError(f"There is a run {name} already.")
            return number

        row = LateRow(self._writer, insert_late, late)
        return Recorder(row, row.line, name, key, Journal(row, row.line, 0, {}))

    async def resume(self, name: str, *, take_over: bool = False) -> Recorder:
        """A run that was killed, interrupted, failed or stopped by its budget, taken up after its last checkpoint.

        `take_over`: also a run that seems to be at work, such as one of another machine, of whose processes nothing is known.

        What was stored after that checkpoint is dropped, except the replies, which are served again. Raises `NoSuchRun`, and `StoreError`
        when it is complete, or at work in a process that lives.
        """

        def claim(connection: sa.Connection) -> Recorder:
            found = reading.find_run(connection, name)
            _check_resumable(found, take_over)
            at = reading.last_checkpoint(connection, found.number)
            step, sequence, node = (at.step, at.sequence, at.next_node) if at else (0, 0, 0)
            for table, later in (
                (events, events.c.sequence >= sequence),
                (candidates, sa.and_(candidates.c.name == "", candidates.c.node >= node)),
                (scores, sa.and_(scores.c.name == "", scores.c.node >= node)),
                (checkpoints, checkpoints.c.step > step),
                (replies, replies.c.step != step),
            ):
                connection.execute(table.delete().where(table.c.run == found.number, later))
            taken = {"status": "running", "host": this_host(), "process": this_process(), "updated": time.time()}
            fresh = {**taken, "stop": "", "limit": "", "answer": None, "steps": step}
            connection.execute(runs.update().where(runs.c.number == found.number).values(**fresh))
            cleared = details.update().where(details.c.run == found.number)
            connection.execute(cleared.values(result=None, error=None))
            kept = Journal.read(connection, found.number, step)
            place = Line(found.number)
            journal = Journal(self._writer, place, step, kept)
            return Recorder(self._writer, place, found.id, reading.read_key(connection, found), journal, at)

        return await self._writer.run(claim)

    def remove(self, *names: str) -> Removed:
        """Delete runs and the contents that nobody else holds. Raises `NoSuchRun`, and `StoreError` for one that is at work."""
        with self._database.write(alone=True) as connection:
            removed = remove(connection, [reading.find_run(connection, name) for name in names])
        self._shrink()
        return removed

    def prune(self, *, keep: int | None = None, older_than: float | None = None) -> Removed:
        """Delete runs that are not at work: all but the newest `keep`, and those begun more than `older_than` seconds ago."""
        with self._database.write(alone=True) as connection:
            removed = prune(connection, keep=keep, older_than=older_than)
        self._shrink()
        return removed

    async def write(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` returns, done in a write transaction that others may share; it may be tried again, so it does nothing else."""
        return await self._writer.run(work)

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` finds in a consistent view of the store."""
        with self._database.read() as connection:
            return work(connection)

    # -- reading ----------------------------------------------------------------------------------------------------

    def runs(self, *, limit: int | None = 20, status: str | None = None, method: str | None = None) -> list[RunLine]:
        """Runs, the latest first; `limit=None` for all."""
        with self._database.read() as connection:
            return reading.list_runs(connection, limit=limit, status=status, method=method)

    def run(self, name: str) -> StoredRun:
        """Everything of the run of this name, of which this is the beginning, or "last". Raises `NoSuchRun`."""
        with self._database.read() as connection:
            return reading.read_run(connection, name)

    def events(self, name: str, *, first: int = 0) -> list[AnyEvent]:
        """The events of a run from the `first` on, without the rest of it. Raises `NoSuchRun`."""
        with self._database.read() as connection:
            return reading.read_events(connection, reading.find_run(connection, name).number, first=first)

    def size(self) -> int:
        """Bytes that the store takes in all."""
        if self._database.sqlite:
            sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        else:
            sql = "SELECT pg_database_size(current_database())"
        with self._database.read() as connection:
            return int(connection.execute(sa.text(sql)).scalar_one())

    def _shrink(self) -> None:
        """Give the space that became free back to the file system; PostgreSQL does so by itself."""
        if self._database.sqlite:
            self._database.give_back()


@cache
def _version() -> str:
    """This package's version; "" where it is imported from a folder of sources without being installed."""
    try:
        return metadata.version("outthink")
    except metadata.PackageNotFoundError:
        return ""


def _task_bytes(task: Task) -> bytes:
    try:
        return msgspec.msgpack.encode(task)
    except (TypeError, ValueError) as error:
        raise StoreError(
            explain(
                "The task's data cannot be stored.",
                got=str(error),
                expected="plain values: text, numbers, lists, tables",
                remedy="Give such data, or solve without a store.",
            )
        ) from None


def _new_name(now: float, letters: int = 5) -> str:
    """A name that sorts by time, and that hardly any run has: 20261123-101500-x7kqa."""
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now))
    # One number for all letters: asking the system for randomness costs more than the rest of a name.
    number = secrets.randbelow(len(LETTERS) ** letters)
    return f"{stamp}-{''.join(LETTERS[number // len(LETTERS) ** k % len(LETTERS)] for k in range(letters))}"


def _check_resumable(found: RunLine, take_over: bool) -> None:
    if found.status == "running" and not take_over:
        raise StoreError(
            explain(
                f"Run {found.id} is at work.",
                got="a process that lives",
                expected="a run that was killed, interrupted, failed, or stopped by its budget",
                remedy="Wait for it, or end that process first. If it is gone for certain: --take-over.",
            )
        )
    if found.status == "ended" and found.stop not in ("budget", "interrupted"):
        raise StoreError(
            explain(
                f"Run {found.id} is complete.",
                got=f"it stopped: {found.stop}",
                expected="a run that was killed, interrupted, failed, or stopped by its budget",
                remedy=f"`outthink inspect {found.id}` shows its answer.",
            )
        )
