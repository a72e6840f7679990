"""A grid comes out the same however it is run, pays for nothing twice, and never passes its cap."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from outthink.bench.grid import Folder, Running, estimate, grid_to_toml, opened, pose
from outthink.bench.grid.estimating import pilot
from outthink.bench.grid.spending import CapLedger, Mark
from outthink.bench.journal import Journal
from outthink.core.cost import Budget, Cost
from outthink.core.cut import Cut
from outthink.core.errors import InputError
from outthink.core.settings import replace
from tests.bench.grid.grids import a_grid, ran, rows, sums

MAIN = [sys.executable, "-c", "from outthink.cli.main import main; main()"]


def spent_at_engine(running: Running) -> Cost:
    """What the engine itself has counted since it was opened."""
    engine = next(iter(running.bench.built.values())).engine
    assert engine is not None
    return engine.counters()


async def test_the_same_whatever_runs_side_by_side(tmp_path: Path) -> None:
    _, one = await ran(tmp_path / "one", a_grid(tmp_path, in_flight=1))
    _, many = await ran(tmp_path / "many", a_grid(tmp_path, in_flight=9))
    assert len(one.outcomes.rows) == one.total == 84
    assert rows(one.outcomes.rows) == rows(many.outcomes.rows)
    other, _ = await ran(tmp_path / "other", a_grid(tmp_path, seeds=(5, 6))), None
    assert rows(other[1].outcomes.rows) != rows(one.outcomes.rows)


def test_a_killed_run_goes_on_and_equals_an_unbroken_one(tmp_path: Path) -> None:
    grid = a_grid(tmp_path, 12, in_flight=1, cap=Budget(tokens=1_000_000))
    file, folder = tmp_path / "grid.toml", tmp_path / "killed"
    file.write_text(grid_to_toml(grid), encoding="utf-8")
    command = [*MAIN, "bench", "run", str(file), "--folder", str(folder)]
    with (tmp_path / "said.txt").open("wb") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said)
        outcomes, until = folder / "outcomes.jsonl", time.monotonic() + 60
        # Amid the searches of the first seed: its selecting methods are done.
        while not outcomes.exists() or outcomes.read_bytes().count(b"\n") < 100:
            assert process.poll() is None, (tmp_path / "said.txt").read_text()
            assert time.monotonic() < until
            time.sleep(0.005)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    before, pools = outcomes.read_bytes(), (folder / "pools.jsonl").read_bytes()
    _, whole = asyncio.run(ran(tmp_path / "whole", grid))
    done = before.count(b"\n") - 1
    assert 90 <= done < whole.total
    killed = Folder.found(folder).record()
    assert killed.ended == "running"

    resumed = subprocess.run(
        [*MAIN, "bench", "resume", str(folder)], capture_output=True, text=True, timeout=120, check=False
    )
    assert resumed.returncode == 0, resumed.stderr
    after = outcomes.read_bytes()
    kept = before[: before.rfind(b"\n") + 1]
    assert after.startswith(kept)
    assert (folder / "pools.jsonl").read_bytes().startswith(pools[: pools.rfind(b"\n") + 1])
    with Folder.found(folder).outcomes() as journal:
        assert rows(journal.rows) == rows(whole.outcomes.rows)
    record = Folder.found(folder).record()
    assert record.ended == "done"
    assert record.seconds > killed.seconds
    assert record.processor_seconds > killed.processor_seconds
    # What was under way at the kill is paid again, and known to be uncertain; nothing else is.
    spent = sum(cost.tokens for cost in record.spent.values())
    paid = whole.ledger.total.tokens
    assert 0 < record.uncertain.tokens < paid
    assert spent <= paid <= spent + record.uncertain.tokens


async def test_the_cap_is_never_passed_whatever_is_resumed(tmp_path: Path) -> None:
    grid = a_grid(tmp_path, 6, cap=Budget(tokens=2500))
    _, free = await ran(tmp_path / "free", replace(grid, cap=Budget()))
    assert spent_at_engine(free).tokens > 3 * 2500, "the cap of this test must bind"
    counted = 0
    for _ in range(3):
        ended, running = await ran(tmp_path / "capped", grid)
        assert ended == "cap"
        counted += spent_at_engine(running).tokens
        assert counted == running.ledger.total.tokens <= 2500
    # It is not given up early either: less is left than one search takes at most.
    assert counted > 2500 * 0.7
    had = rows(running.outcomes.rows)
    assert 0 < len(had) < running.total
    assert all(one in rows(free.outcomes.rows) for one in had), "what the cap cuts short is no outcome"
    ended, more = await ran(tmp_path / "capped", replace(grid, cap=Budget(tokens=1_000_000)))
    assert ended == "done"
    assert rows(more.outcomes.rows) == rows(free.outcomes.rows)


async def test_a_call_cap_counts_the_judges_too(tmp_path: Path) -> None:
    ended, running = await ran(tmp_path / "capped", a_grid(tmp_path, 4, cap=Budget(verifier_calls=40)))
    assert ended == "cap"
    assert 20 < running.ledger.total.verifier_calls <= 40


def test_a_mark_is_never_below_what_was_promised(tmp_path: Path) -> None:
    """What a kill at any moment would find in the file."""
    path, steps = tmp_path / "spending.jsonl", 300
    with Journal(path, Mark, identity="test") as journal:
        ledger = CapLedger(Budget(tokens=10_000), journal)
        for i in range(steps):
            most = Cost(output_tokens=17 + i % 5, calls=1)
            ledger.claim(most)
            last = journal.rows[-1]
            high = sum(c.tokens for c in last.spent.values()) + last.more.tokens
            assert high >= ledger.total.tokens + ledger.claimed.tokens
            ledger.settle(most, Cost(output_tokens=11, calls=1), "generate")
        assert len(journal.rows) < steps / 5, "one mark serves many claims"
    with Journal(path, Mark, identity="test") as journal:
        again = CapLedger(Budget(tokens=10_000), journal)
        assert again.remaining("tokens") <= 10_000 - 11 * steps
        assert again.remaining("tokens") > 10_000 - 11 * steps - 300


async def test_selecting_methods_read_one_pool_and_are_billed_in_full(tmp_path: Path) -> None:
    _, running = await ran(tmp_path / "run", a_grid(tmp_path))
    by = {one.cell: one for one in running.outcomes.rows}
    paid = Cost()
    for (_, question, seed), pool in running.pools.items():
        for one in pool.samples:
            paid = paid + one.cost
        if len(pool.samples) == 1:
            continue
        for size in (2, 4):
            expected = sum(one.cost.tokens for one in pool.samples[:size])
            for method in ("vote", "best-of-n"):
                assert by[method, size, seed, question].generated.tokens == expected
            assert by["best-of-n", size, seed, question].judged.verifier_calls == size
            assert by["adaptive", size, seed, question].generated.tokens <= expected
    for one in running.outcomes.rows:
        if one.method in ("beam", "particle-filter"):
            paid = paid + one.generated
    # Nothing was generated for the methods that select.
    assert spent_at_engine(running).tokens == paid.tokens == running.ledger.total.tokens
    assert len(running.pools) == 4 * 2 + 4


async def test_the_estimate_is_within_its_factor(tmp_path: Path) -> None:
    grid = a_grid(tmp_path, 12)
    async with opened(Folder.made(tmp_path / "run", grid), pose(grid)) as running:
        bound = await estimate(running)
        assert spent_at_engine(running) == Cost(), "an estimate spends nothing"
        assert bound.factor is None
        assert bound.seconds is None
        await running.do(pilot(running))
        said, before = await estimate(running), running.ledger.total
        assert await running.run() == "done"
        true = running.ledger.total.tokens - before.tokens
        assert said.factor is not None
        assert 1.0 < said.factor < 3.0
        assert said.tokens / said.factor <= true <= said.tokens * said.factor
        assert true <= bound.tokens
        done = await estimate(running)
        assert (done.tokens, done.pools, done.searches) == (0, 0, 0)
    assert "12 pools" not in said.basis
    assert "pools and" in said.basis


async def test_ctrl_c_leaves_whole_rows_only(tmp_path: Path) -> None:
    grid, cut = a_grid(tmp_path, 6), Cut()
    folder = Folder.made(tmp_path / "run", grid)

    class AfterAFew:
        def told(self, running: Running) -> None:
            if len(running.cells) > 60:
                cut.fire("interrupt")

    async with opened(folder, pose(grid), cut=cut) as running:
        assert await running.run(AfterAFew()) == "interrupted"
    first = folder.record()
    assert first.ended == "interrupted"
    # What another version began is known as such, however often it is resumed.
    folder.keep(msgspec.structs.replace(first, versions={**first.versions, "outthink": "0.0.9"}))
    for _ in range(2):
        ended, again = await ran(tmp_path / "run", grid)
        assert folder.record().versions == {**first.versions, "outthink": f"0.0.9, then {first.versions['outthink']}"}
        assert folder.record().machine == first.machine
    _, whole = await ran(tmp_path / "whole", grid)
    assert ended == "done"
    assert rows(again.outcomes.rows) == rows(whole.outcomes.rows)


async def test_matched_tokens_are_those_of_the_pool(tmp_path: Path) -> None:
    _, running = await ran(tmp_path / "run", a_grid(tmp_path, match="tokens"))
    pools = {(p.question, p.seed): p for p in running.pools.values() if len(p.samples) > 1}
    grown = [one for one in running.outcomes.rows if one.method == "beam"]
    for one in grown:
        pool = pools[one.question, one.seed]
        assert one.tokens <= sum(sample.cost.tokens for sample in pool.samples[: one.size])
    assert any(one.limit == "tokens" for one in grown), "two steps cost more than one whole sample"


async def test_other_questions_are_refused(tmp_path: Path) -> None:
    grid = a_grid(tmp_path)
    folder = Folder.made(tmp_path / "run", grid)
    folder.keep_questions(pose(grid))
    path = sums(tmp_path, 3)
    path.write_text(path.read_text().replace("What is", "How much is"), encoding="utf-8")
    with pytest.raises(InputError, match="not those that this run was begun with"):
        folder.keep_questions(pose(grid))
    with pytest.raises(InputError, match="another grid"):
        Folder.made(tmp_path / "run", replace(grid, sizes=(2,)))


async def test_kept_replies_serve_what_a_cut_left_half_done(tmp_path: Path) -> None:
    # By text: the scripted engine makes up its vocabulary as it goes, and a fresh one would not know the tokens of kept replies.
    process = {"type": "text", "max_tokens": 40, "continuation": "assistant-prefix"}
    grid = a_grid(tmp_path, replies="kept", process=process)
    _, first = await ran(tmp_path / "run", grid)
    calls = spent_at_engine(first).calls
    assert (tmp_path / "run" / "replies-0.jsonl").exists()
    # As if every outcome and pool had been lost in a kill, and the replies kept.
    for name in ("outcomes.jsonl", "pools.jsonl"):
        (tmp_path / "run" / name).unlink()
    _, again = await ran(tmp_path / "run", grid)
    inner = next(iter(again.bench.built.values())).engine
    assert calls > 0
    assert inner.sent == 0  # type: ignore[union-attr]
    assert rows(again.outcomes.rows) == rows(first.outcomes.rows)
