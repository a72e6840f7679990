"""Removing runs. A content goes when the last run that held it goes; runs at work are never removed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from outthink.core.errors import explain
from outthink.store.errors import StoreError
from outthink.store.reading import list_runs
from outthink.store.stored import RunLine
from outthink.store.tables import candidates, contents, runs

AT_ONCE = 500
"""Rows named in one statement."""


@dataclass(frozen=True)
class Removed:
    """What was deleted: how many runs, and how many contents that only they held."""

    runs: int
    contents: int


def remove(connection: sa.Connection, lines: Sequence[RunLine]) -> Removed:
    """Delete these runs. Raises `StoreError` for one that is at work."""
    busy = [line.id for line in lines if line.status == "running"]
    if busy:
        raise StoreError(
            explain(
                "A run that is at work is not removed.",
                got=", ".join(busy),
                expected="runs that have ended",
                remedy="Wait for them, or end their processes first.",
            )
        )
    numbers = sorted({line.number for line in lines})
    for first in range(0, len(numbers), AT_ONCE):
        connection.execute(runs.delete().where(runs.c.number.in_(numbers[first : first + AT_ONCE])))
    held = sa.select(sa.literal(1)).where(candidates.c.content == contents.c.hash)
    orphans = connection.execute(contents.delete().where(~sa.exists(held))) if numbers else None
    return Removed(len(numbers), orphans.rowcount if orphans is not None else 0)


def prune(connection: sa.Connection, *, keep: int | None, older_than: float | None) -> Removed:
    """Delete what is not among the newest `keep`, and what began more than `older_than` seconds ago."""
    if keep is None and older_than is None:
        raise StoreError(
            explain(
                "Nothing says which runs to remove.",
                got="neither keep nor older_than",
                expected="at least one of them",
                remedy="For example keep=1000.",
            )
        )
    idle = [line for line in list_runs(connection, limit=None) if line.status != "running"]
    surplus = idle[keep:] if keep is not None else []
    oldest = time.time() - older_than if older_than is not None else 0.0
    old = [line for line in idle if line.created < oldest]
    return remove(connection, [*surplus, *old])
