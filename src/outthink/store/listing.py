"""Lists of runs for people who look through them: a page at a time by key, filtered, and how many runs there are of what.

A page is found by the number of a run that stands beside it, never by counting from the beginning, and filters go by indexes, so that the
ten-thousandth run costs as much as the first. Searching for words reads the short texts of runs until a page is full.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlalchemy as sa

from outthink.store.reading import line_of
from outthink.store.stored import RunLine
from outthink.store.tables import runs

AT_WORK = ("running", "killed")
"""States that the table holds as one: only the system knows whether the process behind a run still lives."""


@dataclass(frozen=True)
class Wanted:
    """Which runs: "" is any. `words` stand in the question, the answer, the task's id or the run's name, in any case of letters."""

    status: str = ""
    method: str = ""
    engine: str = ""
    words: str = ""


@dataclass(frozen=True)
class RunPage:
    """Some runs, the latest first. `newer`, `older`: whether there are such, and then pages begin beside the first and the last line."""

    lines: tuple[RunLine, ...] = ()
    newer: bool = False
    older: bool = False


@dataclass(frozen=True)
class Census:
    """How many runs there are in all, by state ("running" includes killed ones), by method and by engine, the most frequent first."""

    runs: int = 0
    tokens: int = 0
    status: dict[str, int] = field(default_factory=dict)
    method: dict[str, int] = field(default_factory=dict)
    engine: dict[str, int] = field(default_factory=dict)


def page_of(
    connection: sa.Connection, wanted: Wanted, *, limit: int, below: int | None = None, above: int | None = None
) -> RunPage:
    """At most `limit` runs: the latest, those right `below` the run of this number, or those right `above` it."""
    upwards = below is None and above is not None
    order = runs.c.number.asc() if upwards else runs.c.number.desc()
    found = _having(sa.select(runs), wanted).order_by(order)
    if below is not None:
        found = found.where(runs.c.number < below)
    elif above is not None:
        found = found.where(runs.c.number > above)
    if wanted.status not in AT_WORK:
        found = found.limit(limit + 1)
    gone: dict[tuple[str, str], bool] = {}
    lines = [line_of(row, gone) for row in connection.execute(found).mappings()]
    if wanted.status:
        lines = [line for line in lines if line.status == wanted.status]
    more, lines = len(lines) > limit, lines[:limit]
    beside = below is not None or above is not None
    if upwards:
        return RunPage(tuple(reversed(lines)), newer=more, older=beside)
    return RunPage(tuple(lines), newer=beside, older=more)


def census_of(connection: sa.Connection) -> Census:
    """Counts over the whole store, each by its index."""

    def counted(column: sa.Column[str]) -> dict[str, int]:
        number = sa.func.count()
        rows = connection.execute(sa.select(column, number).group_by(column).order_by(number.desc(), column))
        return {name: int(count) for name, count in rows}

    status = counted(runs.c.status)
    tokens = connection.execute(sa.select(sa.func.coalesce(sa.func.sum(runs.c.tokens), 0))).scalar_one()
    return Census(sum(status.values()), int(tokens), status, counted(runs.c.method), counted(runs.c.engine))


def at_work(connection: sa.Connection) -> list[RunLine]:
    """The runs at work, the latest first."""
    return list(page_of(connection, Wanted(status="running"), limit=100).lines)


def _having(found: sa.Select[tuple[object, ...]], wanted: Wanted) -> sa.Select[tuple[object, ...]]:
    if wanted.status:
        found = found.where(runs.c.status == ("running" if wanted.status in AT_WORK else wanted.status))
    if wanted.method:
        found = found.where(runs.c.method == wanted.method)
    if wanted.engine:
        found = found.where(runs.c.engine == wanted.engine)
    if wanted.words:
        places = (runs.c.question, runs.c.answer, runs.c.task, runs.c.id)
        found = found.where(sa.or_(*(place.icontains(wanted.words, autoescape=True) for place in places)))
    return found
