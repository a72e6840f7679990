"""Many runs over one embedded engine and one store: every event is stored, settings stay apart, tokens are shared fairly, memory stays.

The full size, 200 runs, is measured by `benchmarks/reliability.py`; here are 36 on the laboratory model, and the scheduler alone on a toy.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import outthink
from benchmarks.fairness import FairnessWatch, jain
from outthink.core.events import AnyEvent
from outthink.engines.local import Local, LocalEngine
from outthink.engines.local.work import Job, Order
from outthink.store import Store
from tests.engines.local.test_scheduler import scheduler_of
from tests.engines.local.toy import ToyBackend
from tests.needs import need

RUNS = 36
QUESTION = "3 5 7 -> 22"


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    need("llama-cpp")
    opened = Local(model="laboratory", max_sequences=8, threads=1).open()
    yield opened
    opened.close_now()


def settings_of(run: int) -> dict[str, Any]:
    """Settings that no neighbour shares."""
    changes = [f"process.max_tokens={6 + 3 * (run % 12)}", f"process.sampling.temperature={0.5 + run / 100}"]
    return {"method": outthink.Vote(n=3 + run % 4), "seed": run, "changes": ["process.format=plain", *changes]}


async def test_no_event_is_lost_and_no_settings_are_mixed(engine: LocalEngine, tmp_path: Path) -> None:
    emitted: list[list[AnyEvent]] = [[] for _ in range(RUNS)]
    watch = FairnessWatch(engine)
    with Store.open(tmp_path / "runs.sqlite") as store:
        results = await asyncio.gather(
            *[
                outthink.asolve(
                    QUESTION, model=engine, store=store, sinks=[emitted[run].append], answer="none", **settings_of(run)
                )
                for run in range(RUNS)
            ]
        )
        assert len({result.run for result in results}) == RUNS
        for run, result in enumerate(results):
            stored = store.events(result.run)
            assert len(stored) == len(emitted[run]), "store count = emitter's count"
            assert [type(one) for one in stored] == [type(one) for one in emitted[run]]
            assert len(result.candidates) == 3 + run % 4
            assert result.cost.output_tokens <= (3 + run % 4) * (6 + 3 * (run % 12))
            kept = store.run(result.run)
            assert kept.result is not None
            assert kept.line.tokens == result.cost.tokens
    assert watch.fill >= 0.9
    # The bill of each run is its own: together they are what the engine counted.
    billed = sum(result.cost.output_tokens for result in results)
    assert billed == engine.counters().output_tokens


async def test_a_run_is_the_same_alone_and_among_others(tmp_path: Path) -> None:
    """Settings, seeds and replies do not leak: in the deterministic mode each run gives what it gives alone."""
    exact = Local(model="laboratory", max_sequences=8, threads=1, deterministic=True).open()
    try:

        async def one(run: int) -> tuple[Any, ...]:
            result = await outthink.asolve(QUESTION, model=exact, answer="none", **settings_of(run))
            return tuple(candidate.content for candidate in result.candidates)

        together = await asyncio.gather(*[one(run) for run in range(10)])
        alone = [await one(run) for run in (0, 4, 9)]
    finally:
        await exact.close()
    assert alone == [together[0], together[4], together[9]]


def served(lengths: dict[str, int], *, by: str = "tokens", places: int = 8) -> Counter[str]:
    """Tokens that each owner was given until the first of them had nothing waiting; 60 jobs each, with one length an owner."""
    scheduler = scheduler_of(ToyBackend(cells=5000, sequences=24), places=places, rows=16, ends=False)
    jobs = [
        Job(Order(tokens=(1, 2 + i % 5), limit=length, seed=i, owner=owner), lambda job: None)
        for owner, length in lengths.items()
        for i in range(60)
    ]
    if by == "turns":
        # The known-wrong variant: what a turn took is not counted, so that owners share turns.
        scheduler._queue.served = lambda work, amount: None  # type: ignore[method-assign]
    scheduler.submit(jobs)
    while len({job.owner for job in scheduler._queue}) == len(lengths):
        scheduler.step()
    counts: Counter[str] = Counter()
    for job in jobs:
        counts[job.owner] += len(job.generated)
    return counts


LENGTHS = {f"run {i}": length for i, length in enumerate([2, 2, 3, 4, 6, 8, 12, 16, 24, 32])}


def test_tokens_are_shared_fairly_however_long_the_replies() -> None:
    fair = jain(list(served(LENGTHS).values()))
    assert fair >= 0.9, fair


def test_sharing_turns_would_not_be_fair() -> None:
    unfair = jain(list(served(LENGTHS, by="turns").values()))
    assert unfair < 0.7, unfair


def test_who_comes_late_starts_level() -> None:
    """Nobody saves up turns by staying away, and nobody waits for the others' past."""
    scheduler = scheduler_of(ToyBackend(cells=5000, sequences=24), places=4, rows=16, ends=False)

    def jobs(owner: str) -> list[Job]:
        return [Job(Order(tokens=(1, 2), limit=5, seed=i, owner=owner), lambda job: None) for i in range(300)]

    early = jobs("early")
    scheduler.submit(early)
    for _ in range(100):
        scheduler.step()
    before = sum(len(job.generated) for job in early)
    assert before > 300
    late = jobs("late")
    scheduler.submit(late)
    for _ in range(60):
        scheduler.step()
    gained = [sum(len(job.generated) for job in early) - before, sum(len(job.generated) for job in late)]
    assert jain([float(one) for one in gained]) > 0.97, gained


def test_owners_that_are_gone_are_forgotten() -> None:
    scheduler = scheduler_of(ToyBackend(cells=5000, sequences=24), places=4, rows=16, ends=False)
    for run in range(400):
        scheduler.submit([Job(Order(tokens=(1, 2), limit=2, owner=f"run {run}"), lambda job: None) for _ in range(5)])
        while scheduler.busy:
            scheduler.step()
    queue = scheduler._queue
    assert len(queue._service) <= 70
    assert not queue._charged


def test_jains_index() -> None:
    assert jain([3.0, 3.0, 3.0]) == pytest.approx(1.0)
    assert jain([1.0, 0.0, 0.0, 0.0]) == pytest.approx(0.25)
    assert jain(list(np.ones(4) * 1e9)) == pytest.approx(1.0)
