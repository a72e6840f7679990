"""What a run spent is known after a kill, with a cap and without one, and a cap of seconds is one for all its starts."""

from __future__ import annotations

import math
from pathlib import Path

from outthink.bench.grid import Folder, opened, pose
from outthink.bench.grid.spending import LEAST_SLACK, CapLedger, Mark, brought_up
from outthink.bench.journal import Journal
from outthink.core.cost import Budget, Cost
from tests.bench.grid.grids import a_grid, ran


def mark(tokens: int, more: int, money: float = 0.0) -> Mark:
    return Mark(spent={"generate": Cost(output_tokens=tokens, money=money)}, more=Cost(output_tokens=more))


def test_finished_work_moves_what_is_uncertain_to_what_is_known() -> None:
    found = brought_up(mark(100, 50), {"generate": Cost(output_tokens=90), "verify": Cost(input_tokens=40, calls=3)})
    assert found.spent["verify"] == Cost(input_tokens=40, calls=3)
    assert found.more == Cost(output_tokens=20), "what the mark allows beyond what is known, and no more"
    # Work that was cut is in the mark alone.
    assert brought_up(mark(100, 50), {"generate": Cost(output_tokens=99)}) == mark(100, 50)
    # Beyond the mark nothing is known to be uncertain; an unknown price stays unknown.
    assert brought_up(mark(1, 1), {"generate": Cost(output_tokens=9)}).more == Cost()
    assert math.isnan(brought_up(mark(1, 1, math.nan), {"generate": Cost(output_tokens=9)}).more.money)


def test_marks_without_a_cap_are_few_and_never_too_low(tmp_path: Path) -> None:
    path, steps = tmp_path / "spending.jsonl", 2000
    with Journal(path, Mark, identity="test") as journal:
        ledger = CapLedger(Budget(), journal)
        for _ in range(steps):
            most = Cost(output_tokens=100, calls=1)
            ledger.claim(most)
            last = journal.rows[-1]
            assert sum(c.tokens for c in last.spent.values()) + last.more.tokens >= ledger.total.tokens + 100
            ledger.settle(most, Cost(output_tokens=100, calls=1), "generate")
        assert len(journal.rows) <= steps * 100 / LEAST_SLACK + 1


async def test_a_run_without_a_cap_knows_after_a_kill_what_it_had_spent(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    _, whole = await ran(tmp_path / "run", grid)
    paid = whole.ledger.total.tokens
    # As a kill leaves it: the marks are those written under way, the record is the one of the beginning.
    file = tmp_path / "run" / "spending.jsonl"
    for kept in (1, 2):
        lines = file.read_bytes().splitlines(keepends=True)
        file.write_bytes(b"".join(lines[:kept]))
        async with opened(Folder.made(tmp_path / "run", grid), pose(grid)) as again:
            assert again.ledger.total.tokens == paid
            assert again.ledger.uncertain.tokens <= LEAST_SLACK
            assert again.total == len(again.cells)


async def test_a_cap_of_seconds_is_one_for_all_starts(tmp_path: Path) -> None:
    grid = a_grid(tmp_path, cap=Budget(seconds=60))
    folder = Folder.made(tmp_path / "run", grid)
    async with opened(folder, pose(grid)) as first:
        first.before = first.before.__class__(name="run", digest="", started="", updated="", seconds=59.9999)
        first.keep("interrupted")
    ended, second = await ran(tmp_path / "run", grid)
    assert ended == "cap"
    assert len(second.cells) < second.total
    assert folder.record().seconds > 59.9
