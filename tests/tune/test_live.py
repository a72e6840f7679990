"""Recipes that are measured for real: samples are drawn once, the ledger is the engine's own count, the cap holds over kills and cuts."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from outthink.bench.grid.spending import Spending
from outthink.bench.journal import Journal
from outthink.bench.open_recipes import OpenRecipes
from outthink.bench.pools import Pool
from outthink.core.component import EngineSettings
from outthink.core.cost import Budget
from outthink.core.cut import Cut
from outthink.core.ledger import Ledger
from outthink.core.session import Session
from outthink.engines.engine import Engine
from outthink.engines.scripted import ScriptedEngine
from outthink.recipes.engines import Engines
from outthink.tune import Problem, Tuned, study_of
from outthink.tune.live import LiveRecipes
from outthink.tune.problem import read_problem
from outthink.tune.shared_samples import SharedSamples
from outthink.tune.space import Config, Value
from outthink.tune.study import candidates_of, split
from tests.cli.test_tune import RECIPE

SPACE = """
recipe = "{folder}/recipe.toml"
tokens = 40_000
questions = 8
held_out = 4
chunk = 4
initial = 2
at_most = 100000
changes = ["process.max_tokens=16"]
in_flight = 3
[[tasks]]
type = "jsonl"
path = "{folder}/questions.jsonl"
[space."algorithm.type"]
type = "choice"
values = ["vote", "best-of-n"]
[space."algorithm.n"]
type = "whole"
low = 1
high = 4
[space."verifier.type"]
type = "choice"
values = ["matches-regex", "length"]
when = {{ "algorithm.type" = ["best-of-n"] }}
[space."algorithm.redraws"]
type = "choice"
values = [0, 1]
when = {{ "algorithm.type" = ["vote"] }}
[space."process.sampling.temperature"]
type = "choice"
values = [0.5, 1.0]
"""
SCORED = """
[verifier]
type = "matches-regex"
pattern = "4"
"""
VOTE: dict[str, Value] = {
    "algorithm.type": "vote",
    "algorithm.n": 3,
    "algorithm.redraws": 0,
    "process.sampling.temperature": 0.5,
}

REDRAWING: dict[str, Value] = VOTE | {"algorithm.redraws": 1}
"""Asks again where nobody votes, so it samples for itself."""


@pytest.fixture
def problem(tmp_path: Path) -> Problem:
    (tmp_path / "recipe.toml").write_text(RECIPE + SCORED)
    rows = [json.dumps({"question": f"What is 2 + 2, time {i}?", "answer": "4"}) for i in range(20)]
    (tmp_path / "questions.jsonl").write_text("\n".join(rows))
    text = SPACE.format(folder=tmp_path)
    (tmp_path / "problem.toml").write_text(text)
    return read_problem(tmp_path / "problem.toml")


class Bench:
    """A live objective whose engine can be looked at."""

    def __init__(self, problem: Problem, session: Session, recipes: OpenRecipes, pools: Journal[Pool]) -> None:
        self.questions = [question.task.id for question in split(problem)[0]]
        self.objective = LiveRecipes(problem, split(problem)[0], session, recipes, SharedSamples(pools))
        self.session, self.engines = session, list[ScriptedEngine]()

    @property
    def counted(self) -> int:
        """Tokens by the engines' own count."""
        return sum(engine.counters().tokens for engine in self.engines)


@asynccontextmanager
async def opened(
    problem: Problem, folder: Path, *, budget: Budget | None = None, cut: Cut | None = None
) -> AsyncIterator[Bench]:
    async with AsyncExitStack() as stack:
        engines = Engines(idle=0)
        stack.push_async_callback(engines.close)
        found: list[ScriptedEngine] = []

        async def door(settings: EngineSettings, engine: Engine, _: AsyncExitStack) -> Engine:
            assert isinstance(engine, ScriptedEngine)
            found.append(engine)
            return engine

        recipes = OpenRecipes(engines, door=door)
        stack.push_async_callback(recipes.close)
        pools = stack.enter_context(Journal(folder / "samples.jsonl", Pool, identity="test"))
        session = replace(Session.open(seed=1, cut=cut), ledger=Ledger(budget))
        bench = Bench(problem, session, recipes, pools)
        bench.engines = found
        await bench.objective.read_pools(candidates_of(problem, problem.over))
        yield bench


def like(config: Config, **changes: Value) -> dict[str, Value]:
    return {**config, **{name.replace("_", "."): value for name, value in changes.items()}}


async def test_a_sample_is_drawn_once_and_the_bill_is_the_engines_own(problem: Problem, tmp_path: Path) -> None:
    async with opened(problem, tmp_path) as bench:
        asked = bench.questions[:4]
        first = await bench.objective.measure(VOTE, asked, 1e9)
        assert first.tokens == bench.counted > 0
        best = like(VOTE, algorithm_type="best-of-n") | {"verifier.type": "matches-regex"}
        best.pop("algorithm.redraws")
        assert bench.objective.price(best, asked, 50.0) == 0.0
        second = await bench.objective.measure(best, asked, 1e9)
        assert second.tokens == 0.0
        assert bench.counted == first.tokens
        # An answer costs what it would cost alone, whoever has paid for its samples.
        assert second.spent == first.spent
        larger = await bench.objective.measure(like(VOTE, algorithm_n=4), asked, 1e9)
        assert 0 < larger.tokens == bench.counted - first.tokens < first.tokens
        other = await bench.objective.measure(VOTE | {"process.sampling.temperature": 1.0}, asked, 1e9)
        assert other.tokens > 0
        assert bench.objective.lost == 0.0


async def test_values_are_those_of_the_first_samples_of_the_pool(problem: Problem, tmp_path: Path) -> None:
    async with opened(problem, tmp_path) as bench:
        large = like(VOTE, algorithm_n=4)
        measured = await bench.objective.measure(large, bench.questions, 1e9)
        known = await bench.objective.made_known(measured, candidates_of(problem, problem.over))
    by_config = {
        (one.config["algorithm.type"], one.config["algorithm.n"], one.config.get("verifier.type")): one for one in known
    }
    assert len(known) == 3 + 4 * 2
    with Journal(tmp_path / "samples.jsonl", Pool, identity="test") as journal:
        pools = {pool.question: pool for pool in journal.rows}
    for n in range(1, 4):
        votes, checked = by_config["vote", n, None], by_config["best-of-n", n, "matches-regex"]
        for name, pool in pools.items():
            answers = [sample.answer for sample in pool.samples[:n]]
            winner = max(answers, key=lambda answer: (answers.count(answer), -answers.index(answer)))
            assert votes.values[name] == float(winner == "4")
            assert checked.values[name] == float("4" in answers)
            assert votes.spent[name] == sum(sample.cost.tokens for sample in pool.samples[:n])


async def test_a_cap_is_kept_and_what_it_ends_has_no_value(problem: Problem, tmp_path: Path) -> None:
    async with opened(problem, tmp_path) as bench:
        whole = await bench.objective.measure(like(VOTE, algorithm_n=4), bench.questions, 1e9)
    for config in (like(VOTE, algorithm_n=4), REDRAWING):
        folder = tmp_path / str(config["algorithm.redraws"])
        async with opened(problem, folder, budget=Budget(tokens=int(whole.tokens * 0.55))) as bench:
            part = await bench.objective.measure(config, bench.questions, whole.tokens * 0.55)
            assert bench.counted == part.tokens <= whole.tokens * 0.55
            assert 0 < len(part.values) < len(bench.questions)
            assert not part.failures
            assert config is REDRAWING or all(whole.values[name] == value for name, value in part.values.items())


async def test_a_measurement_pays_no_more_than_it_may(problem: Problem, tmp_path: Path) -> None:
    """Whatever the session's own budget is: here it has none."""
    for config in (like(VOTE, algorithm_n=4), REDRAWING):
        async with opened(problem, tmp_path / str(config["algorithm.redraws"])) as bench:
            part = await bench.objective.measure(config, bench.questions, 2_000)
            assert 0 < bench.counted == part.tokens <= 2_000
            assert 0 < len(part.values) < len(bench.questions)
            assert not part.failures


async def test_what_a_cut_ends_is_no_value_and_never_stored(problem: Problem, tmp_path: Path) -> None:
    cut = Cut()
    async with opened(problem, tmp_path, cut=cut) as bench:
        names = bench.questions
        await bench.objective.measure(VOTE, names[:2], 1e9)
        cut.fire("interrupt")
        for config in (like(VOTE, algorithm_n=4), REDRAWING):
            part = await bench.objective.measure(config, names, 1e9)
            assert (part.values, part.failures, part.tokens) == ({}, {}, 0.0)


def spent_by(folder: Path) -> list[float]:
    """Tokens of each measurement of a study."""
    lines = (folder / "trials.jsonl").read_bytes().splitlines()[1:]
    return [msgspec.json.decode(line)["tokens"] for line in lines]


async def studied(problem: Problem, folder: Path, *, measurements: int = 10**6) -> Tuned:
    cut, seen = Cut(), [0]

    def told(_: object) -> None:
        seen[0] += 1
        if seen[0] >= measurements:
            cut.fire("interrupt")

    return (await study_of(problem, folder, cut=cut, told=told)).tuned


async def test_a_study_that_is_stopped_again_and_again_keeps_one_budget(problem: Problem, tmp_path: Path) -> None:
    for _ in range(3):
        part = await studied(problem, tmp_path / "study", measurements=2)
        assert part.stop == "interrupt"
    done = await studied(problem, tmp_path / "study")
    assert done.tokens <= problem.tokens
    assert sum(spent_by(tmp_path / "study")) == done.tokens
    whole = await studied(problem, tmp_path / "whole")
    assert [dict(one.config) for one in whole.trials] == [dict(one.config) for one in done.trials]


async def test_what_a_kill_has_lost_is_paid(problem: Problem, tmp_path: Path) -> None:
    """As after kill -9 in the middle of a measurement: marks in the file of spending, no trial."""
    folder = tmp_path / "study"
    await studied(problem, folder, measurements=2)
    known = sum(spent_by(folder))
    with Spending(folder / "spending.jsonl", Budget(tokens=int(problem.tokens)), identity=problem.digest) as spending:
        allowance = msgspec.structs.replace(spending.ledger.total, output_tokens=5_000, input_tokens=0)
        spending.ledger.claim(allowance)
        spending.ledger.settle(allowance, allowance, "generate")
    done = await studied(problem, folder)
    assert done.tokens <= problem.tokens
    assert done.tokens == pytest.approx(sum(spent_by(folder)) + 5_000)
    assert sum(spent_by(folder)) > known
