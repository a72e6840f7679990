"""One database behind a store: SQLite in WAL mode, or PostgreSQL. What differs between the two stands here and nowhere else.

SQLite: readers never wait for the writer; writers wait for each other, up to 30 s, also between processes. Write transactions take
their lock when they begin, so that none fails half-way. `synchronous=NORMAL`: a killed process loses nothing that was committed; a power
cut may lose the last transactions, but never damages the file.
PostgreSQL: writers share an advisory lock, which removing old contents takes alone, so that no content vanishes under a run that found it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from outthink.core.errors import explain
from outthink.store.errors import StoreError

BUSY_SECONDS = 30
ADVISORY_LOCK = 0x6F757474
RETRIES = 5
TRANSIENT = {"40001", "40P01"}
"""SQLSTATE of transactions that PostgreSQL asks to be tried again: serialization failure, deadlock."""


class Database:
    """A pool of connections. `read` and `write` give one inside a transaction; safe to use from several threads."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
            self.sqlite = parsed.get_backend_name() == "sqlite"
            self._check(parsed)
            self.engine = sa.create_engine(parsed, **({} if self.sqlite else {"pool_pre_ping": True}))
        except sa.exc.ArgumentError as error:
            raise StoreError(_bad_url(url, str(error))) from None
        except ModuleNotFoundError as error:
            raise StoreError(
                explain(
                    "The store's database needs a driver that is not installed.",
                    got=error.name,
                    expected="psycopg for PostgreSQL",
                    remedy="pip install 'outthink[postgres]'",
                )
            ) from None
        self.name = parsed.render_as_string(hide_password=True)
        if self.sqlite:
            sa.event.listen(self.engine, "connect", _sqlite_settings)
            sa.event.listen(self.engine, "begin", _sqlite_begin)

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A consistent view of the store. Raises `StoreError`."""
        with self._errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, *, alone: bool = False) -> Iterator[sa.Connection]:
        """A transaction that is committed at the end. `alone`: no other writer at the same time. Raises `StoreError`."""
        with (
            self._errors(),
            self.engine.connect().execution_options(outthink_writes=True) as connection,
            connection.begin(),
        ):
            if not self.sqlite:
                lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
                connection.execute(sa.text(f"SELECT {lock}({ADVISORY_LOCK})"))
            yield connection

    def give_back(self) -> None:
        """Give SQLite's free pages back to the file system."""
        connection = self.engine.raw_connection()
        try:
            cursor = connection.cursor()
            # Each row that is fetched frees one page.
            cursor.execute("PRAGMA incremental_vacuum")
            cursor.fetchall()
            cursor.close()
        finally:
            connection.close()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            raise StoreError(f"The store {self.name} failed: {error.orig}") from error

    def _check(self, url: sa.URL) -> None:
        if url.get_backend_name() not in ("sqlite", "postgresql"):
            raise StoreError(_bad_url(url.render_as_string(hide_password=True), url.get_backend_name()))
        if self.sqlite:
            if not url.database or url.database == ":memory:":
                raise StoreError(_bad_url(str(url), "a database in memory, which no other process could read"))
            folder = Path(url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    explain(
                        f"The folder of the store cannot be made: {error.strerror}.",
                        got=str(folder),
                        expected="a folder that can be written",
                        remedy="Name another store with --store PATH or OUTTHINK_STORE.",
                    )
                ) from None


def transient(error: BaseException) -> bool:
    """Whether the same transaction may succeed when it is tried again."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    state = getattr(getattr(cause, "orig", None), "sqlstate", None)
    return state in TRANSIENT


def insert_or_skip(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows; those whose key is there already are left as they are."""
    if rows:
        connection.execute(_statement(connection.dialect.name, table, None), rows)


def insert_or_replace(connection: sa.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Insert rows, all with the same columns; those whose key is there already take the new values."""
    if rows:
        connection.execute(_statement(connection.dialect.name, table, tuple(rows[0])), rows)


def insert_new(connection: sa.Connection, unique: sa.Column[Any], row: dict[str, Any], wanted: sa.Column[Any]) -> Any:
    """Insert a row; what the database made of its column `wanted`, or None where another row has the same `unique`."""
    return connection.execute(_new(connection.dialect.name, unique, wanted), row).scalar_one_or_none()


@cache
def _new(dialect: str, unique: sa.Column[Any], wanted: sa.Column[Any]) -> Any:
    return _insertion(dialect, unique.table).on_conflict_do_nothing(index_elements=[unique]).returning(wanted)


def _insertion(dialect: str, table: Any) -> Any:
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


@cache
def _statement(dialect: str, table: sa.Table, columns: tuple[str, ...] | None) -> Any:
    """An insertion that replaces these columns where the key is there already; None: that leaves such rows alone."""
    statement = _insertion(dialect, table)
    if columns is None:
        return statement.on_conflict_do_nothing()
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _sqlite_settings(connection: Any, record: Any) -> None:
    # Transactions are begun by `_sqlite_begin`, not by the driver.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
    cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _sqlite_begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("outthink_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _bad_url(url: str, got: str) -> str:
    return explain(
        f"{url!r} does not name a store.",
        got=got,
        expected="the path of a SQLite file, sqlite:///PATH, or postgresql://USER@HOST/DATABASE",
        remedy="Correct --store or OUTTHINK_STORE.",
    )
