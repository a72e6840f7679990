"""Bringing a store to the schema of this version: numbered steps, applied once each, in order, each in the transaction that records it.

A new schema is a new function at the end of `MIGRATIONS`; functions that were released never change. A store that a later version wrote
is refused, not guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from outthink.core.errors import explain
from outthink.store.errors import StoreError
from outthink.store.service import SERVICE
from outthink.store.tables import LIST_INDEXES, METADATA

Migration = Callable[[sa.Connection], None]

_schema = sa.Table(
    "outthink_schema", sa.MetaData(), sa.Column("version", sa.Integer, primary_key=True, autoincrement=False)
)


def first(connection: sa.Connection) -> None:
    """Version 1: the tables as they are."""
    METADATA.create_all(connection)


def second(connection: sa.Connection) -> None:
    """Version 2: what the gateways on one store share."""
    SERVICE.create_all(connection)


def third(connection: sa.Connection) -> None:
    """Version 3: indexes for filtered lists; a store that is made now has them from the first step."""
    for index in LIST_INDEXES:
        index.create(connection, checkfirst=True)


MIGRATIONS: tuple[Migration, ...] = (first, second, third)


def migrate(connection: sa.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> int:
    """Apply what is missing, inside a transaction that keeps other writers out; the version reached. Raises `StoreError`."""
    _schema.create(connection, checkfirst=True)
    have = version(connection)
    if have > len(migrations):
        raise StoreError(
            explain(
                "The store was written by a later version of outthink.",
                got=f"schema {have}",
                expected=f"schema {len(migrations)} or earlier",
                remedy="Install that version, or name another store with --store.",
            )
        )
    for number, step in enumerate(migrations[have:], have + 1):
        step(connection)
        connection.execute(_schema.insert().values(version=number))
    return len(migrations)


def version(connection: sa.Connection) -> int:
    """The schema that the store has; 0 for none."""
    if not sa.inspect(connection).has_table(_schema.name):
        return 0
    return connection.execute(sa.select(sa.func.max(_schema.c.version))).scalar() or 0
