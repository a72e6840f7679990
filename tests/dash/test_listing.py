"""Lists of runs: pages by key, filters, and that the last page of ten thousand costs what the first does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa

from outthink.dash.runs_page import A_PAGE, number_in, wanted_of
from outthink.store import Store
from outthink.store.listing import Census, RunPage, Wanted, census_of, page_of
from outthink.store.tables import LIST_INDEXES
from tests.dash.solved import fill

MANY = 10_000


@contextmanager
def statements(store: Store) -> Iterator[list[str]]:
    """The statements that the database is asked meanwhile."""
    asked: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            asked.append(statement)

    sa.event.listen(store._database.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        sa.event.remove(store._database.engine, "before_cursor_execute", note)


def work(store: Store, read: Callable[[sa.Connection], Any]) -> int:
    """Steps of SQLite's machine that a read takes, in hundreds: a count, and so the same on every computer."""
    counted = 0

    def step() -> int:
        nonlocal counted
        counted += 1
        return 0

    def counting(connection: sa.Connection) -> None:
        inner = connection.connection.driver_connection
        assert inner is not None
        inner.set_progress_handler(step, 100)
        try:
            read(connection)
        finally:
            inner.set_progress_handler(None, 100)

    store.read(counting)
    return counted


def pages(store: Store, wanted: Wanted, limit: int) -> Iterator[RunPage]:
    page = store.read(lambda c: page_of(c, wanted, limit=limit))
    yield page
    while page.older:
        below = page.lines[-1].number
        page = store.read(lambda c, below=below: page_of(c, wanted, limit=limit, below=below))  # type: ignore[misc]
        yield page


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(), 120),
        (Wanted(method="tree"), 30),
        (Wanted(engine="openai:two"), 60),
        (Wanted(status="failed"), 12),
        (Wanted(method="tree", engine="openai:two", status="ended"), 30),
        (Wanted(words="SUM OF 11 "), 1),
        (Wanted(words="100%_\\"), 0),
        (Wanted(status="running"), 0),
    ],
)
def test_pages_hold_every_run_once_in_order(store: Store, wanted: Wanted, expected: int) -> None:
    fill(store, 120)
    numbers = [line.number for page in pages(store, wanted, 7) for line in page.lines]
    assert len(numbers) == expected
    assert numbers == sorted(set(numbers), reverse=True)


def test_the_way_back_is_the_way_there(store: Store) -> None:
    fill(store, 40)
    there = list(pages(store, Wanted(method="vote"), 3))
    back = store.read(lambda c: page_of(c, Wanted(method="vote"), limit=3, above=there[1].lines[0].number))
    assert back.lines == there[0].lines
    assert not back.newer
    assert back.older


def test_the_census_counts_what_is_there(store: Store) -> None:
    assert store.read(census_of) == Census()
    fill(store, 40)
    found = store.read(census_of)
    assert (found.runs, found.tokens) == (40, sum(100 + i for i in range(40)))
    assert found.status == {"ended": 36, "failed": 4}
    assert found.method == dict.fromkeys(("best-of-n", "particle-filter", "tree", "vote"), 10)


async def test_a_page_of_ten_thousand_runs_is_a_few_short_reads(store: Store, client: httpx2.AsyncClient) -> None:
    fill(store, MANY)
    with statements(store) as asked:
        reply = await client.get("/ui/")
    assert reply.status_code == 200
    assert reply.text.count("<li>") == A_PAGE
    # The page itself, and counts by state, method and engine with the sum of tokens.
    assert len(asked) == 5, asked
    assert f"{MANY:,} runs" in reply.text


def test_deep_pages_cost_what_the_first_costs(store: Store) -> None:
    fill(store, MANY)
    first = work(store, lambda c: page_of(c, Wanted(), limit=A_PAGE))
    deep = work(store, lambda c: page_of(c, Wanted(), limit=A_PAGE, below=A_PAGE * 3))
    filtered = work(store, lambda c: page_of(c, Wanted(method="tree"), limit=A_PAGE, below=MANY // 2))
    # A list that skips rows to find its place reads all of them: the measure sees that.
    skipped = work(
        store, lambda c: c.execute(sa.text("SELECT * FROM runs ORDER BY number DESC LIMIT 50 OFFSET 9800")).all()
    )
    assert deep <= first + 5
    assert filtered <= first + 5
    assert skipped > 5 * first


@pytest.mark.parametrize("text", ["-1", "x", "9" * 19, "1e3", "٣", "1;DROP TABLE runs", ""])
def test_numbers_in_a_query_are_numbers(text: str) -> None:
    assert number_in({"below": text}, "below") is None


async def test_filters_that_are_attacks_find_nothing(store: Store, client: httpx2.AsyncClient) -> None:
    fill(store, 12)
    for attack in ("' OR 1=1 --", '"; DROP TABLE runs; --', "%", "_", "\0", "\ud800"):
        for name in ("words", "method", "engine", "status"):
            reply = await client.get("/ui/", params={name: attack.encode("utf-8", "surrogatepass")})
            assert reply.status_code == 200
            assert "<li>" not in reply.text or name == "status"
    assert wanted_of({"status": "' OR 1=1 --"}) == Wanted()
    assert store.read(census_of).runs == 12


def test_a_store_of_an_earlier_version_gets_its_indexes(store: Store, tmp_path: Path) -> None:
    fill(store, 3)
    names = [index.name for index in LIST_INDEXES]
    with store._database.write(alone=True) as connection:
        for index in LIST_INDEXES:
            index.drop(connection)
        connection.execute(sa.text("DELETE FROM outthink_schema WHERE version > 2"))
    with Store.open(tmp_path / "runs.sqlite") as again:
        found = again.read(lambda c: [index["name"] for index in sa.inspect(c).get_indexes("runs")])
        assert set(names) <= set(found)
        assert again.read(census_of).runs == 3
