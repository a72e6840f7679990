"""Stored pools: judged once by every verifier that a method asks, and a failure stays a failure."""

from __future__ import annotations

from pathlib import Path

from outthink.bench.grid.executors import PoolUnit, SearchUnit
from outthink.bench.grid.ray_executor import packed_unit, promise, unpacked
from outthink.core.cost import Budget, Cost
from tests.bench.grid.grids import a_grid, ran


async def test_two_verifiers_judge_one_pool_under_names_of_their_own(tmp_path: Path) -> None:
    recipes = [
        {"recipe": "vote"},
        {"recipe": "best-of-n"},
        {"recipe": "best-of-n", "name": "other", "changes": ["verifier.right=0.7"]},
        {"recipe": "best-of-n", "name": "shorter", "changes": ['verifier.type="length"']},
        {"recipe": "best-of-n", "name": "same", "changes": ['algorithm.select="weighted"']},
    ]
    _, running = await ran(tmp_path / "run", a_grid(tmp_path, recipes=recipes))
    (pool_of,) = running.bench.pools
    assert set(pool_of.plan.verifiers) == {"arithmetic", "arithmetic#2", "length"}
    assert len(running.pools) == 4 * 2
    for pool in running.pools.values():
        for sample in pool.samples:
            first, second = sample.judged["arithmetic"].value, sample.judged["arithmetic#2"].value
            assert (first, second) in {(0.99, 0.7), (0.01, 0.01), (0.5, 0.5)}
    scores = {
        method: {one.score for one in running.outcomes.rows if one.method == method}
        for method in ("best-of-n", "other")
    }
    assert scores["best-of-n"] <= {0.99, 0.5, 0.01}
    assert scores["other"] <= {0.7, 0.5, 0.01}
    assert 0.7 in scores["other"]


async def test_a_judge_that_says_nothing_has_no_opinion_and_is_paid(tmp_path: Path) -> None:
    grid = a_grid(
        tmp_path,
        2,
        recipes=[{"recipe": "vote"}, {"recipe": "best-of-n"}],
        seeds=1,
        verifier={"type": "judge", "rubric": "correctness", "n_evaluate": 1},
    )
    ended, running = await ran(tmp_path / "run", grid)
    assert ended == "done"
    for pool in running.pools.values():
        for sample in pool.samples:
            judged = sample.judged["judge"]
            assert judged.value is None
            assert judged.cost.calls >= 1, "what was asked for nothing was paid"
    votes = [one for one in running.outcomes.rows if one.method == "vote"]
    assert all(one.answer is not None and not one.judged.calls for one in votes)
    best = [one for one in running.outcomes.rows if one.method == "best-of-n"]
    assert all(one.score is None or one.score != one.score for one in best)
    assert all(one.judged.calls >= one.size for one in best)


async def test_a_sample_that_fails_is_kept_as_its_failure_and_leaves_the_others(tmp_path: Path) -> None:
    rules = [{"pattern": r"What is 2 \+ 1\?", "replies": ["2 + 1 = 3\n\nAnswer: 3"]}]
    engine = {"type": "scripted", "rules": rules, "context": 60, "cached": False}
    grid = a_grid(tmp_path, 2, engine=engine, recipes=[{"recipe": "vote"}], seeds=1, sizes=[2])
    path = tmp_path / "sums.jsonl"
    lines = path.read_text().splitlines()
    path.write_text(lines[0] + "\n" + lines[1].replace("What is", "word " * 80 + "What is") + "\n")
    ended, running = await ran(tmp_path / "run", grid)
    assert ended == "done"
    good, bad = (
        running.pools[pool.plan.name, f"sums/{own}", 0] for pool in running.bench.pools for own in ("2-1", "3-1")
    )
    assert all(not sample.failure and sample.right for sample in good.samples)
    assert all(sample.failure for sample in bad.samples)
    failed = {one.question: one for one in running.outcomes.rows}["sums/3-1"]
    assert not failed.right
    assert failed.failure
    assert failed.answer is None


def test_units_and_leases_travel() -> None:
    for unit in (PoolUnit(1, 2, "q"), SearchUnit(3, 4, "q", Budget(tokens=7)), SearchUnit(0, 0, "q")):
        assert unpacked(packed_unit(unit)) == unit
    assert promise(Budget(tokens=70, output_tokens=90, calls=3, money=0.5, seconds=9)) == Cost(
        output_tokens=90, calls=3, money=0.5
    )
