"""The most that a search can cost: never less than what it does cost, whatever the seed, and found without spending."""

from __future__ import annotations

import math
from typing import Any

import pytest

from outthink.core.algorithm import Algorithm
from outthink.core.cost import Budget, Cost
from outthink.core.session import Session
from outthink.core.task import Task
from outthink.recipes import Live, Recipe, build, load, override
from outthink.recipes.most import COLUMNS, Most, most, price
from outthink.search import (
    Adaptive,
    Beam,
    BestFirst,
    BestOfN,
    DiverseVerifierTreeSearch,
    Evolve,
    LookAhead,
    ParallelTempering,
    ParticleFilter,
    ParticleGibbs,
    Pruning,
    Rebase,
    Refine,
    Rewind,
    StepBestOfN,
    Threshold,
    Tree,
    Vote,
)
from outthink.testing import FunctionOfContent, Prices, TokenChain

TASK = Task(prompt="any")
PRICES = Prices(call=Cost(calls=1, input_tokens=7), step=Cost(output_tokens=3))

METHODS: list[Algorithm[Any]] = [
    BestOfN(n=5),
    Vote(n=4, redraws=2),
    Vote(n=4, voters="shortest", early_stop=True),
    ParticleFilter(n=6, ess_threshold=1.0),
    ParticleFilter(n=3, every=2),
    ParticleFilter(n=3, ess_threshold=1.0, look_ahead=LookAhead()),
    ParticleGibbs(n=3, sweeps=2),
    ParallelTempering(n=2, sweeps=2),
    Beam(n=4, width=2),
    Beam(n=4, width=1, rounds=2),
    BestFirst(n=9, batch=2),
    Tree(n=6, batch=2),
    Tree(n=6, batch=3, levels=(2, 3)),
    Tree(n=5, evaluate="score"),
    Beam(n=4, width=2, look_ahead=2),
    DiverseVerifierTreeSearch(n=4, width=2),
    StepBestOfN(n=3, look_ahead=1),
    Rebase(n=4, rounds=3),
    Refine(n=2, rounds=3, feedback="score", contrast=True, unchanged=0),
    Refine(n=2, rounds=2, feedback="score", base="best", contrast=True, unchanged=0, ties="redraw", judge_again=False),
    Rewind(n=2, children=3),
    Rewind(n=3, children=2, start=3, back=2, ahead=4, rounds=1),
    Evolve(n=3),
    Evolve(schedule=(0, 3), sizes=(5, 0, 4), elites=1),
    Evolve(n=3, schedule=(0, 0), mutation="revise", feedback="score"),
    Adaptive(n=6),
    Adaptive(n=6, stop=Threshold(value=0.7), choose="score", pruning=Pruning(at=(1, 3), keep=0.5)),
]


def chain() -> TokenChain:
    return TokenChain("ab", length=5, stop=0.2, prices=PRICES)


def judge() -> FunctionOfContent:
    return FunctionOfContent(lambda content: 0.1 + 0.8 * (str(content).count("a") / 5), partial=True)


async def bounds_of(method: Algorithm[Any], budget: Budget | None = None) -> tuple[Most, TokenChain]:
    process = chain()
    base = load({"algorithm": {"type": "vote"}})
    recipe = Recipe(algorithm=method, engine=base.engine, process=base.process, budget=budget or Budget())
    async with build(recipe, live=Live(process=lambda task: process, verifier=judge())) as built:
        return await most(built, [TASK]), process


async def spent(method: Algorithm[Any], seed: int) -> Cost:
    base = load({"algorithm": {"type": "vote"}})
    recipe = Recipe(algorithm=method, engine=base.engine, process=base.process)
    live = Live(process=lambda task: chain(), verifier=judge())
    async with build(recipe, live=live) as built:
        return (await built.solver.solve(TASK, Session.open(seed=seed))).cost


@pytest.mark.parametrize("method", METHODS, ids=repr)
async def test_no_search_costs_more(method: Algorithm[Any]) -> None:
    found, process = await bounds_of(method)
    assert process.counters == Cost(), "a dry run spends nothing"
    costs = [await spent(method, seed) for seed in range(25)]
    for name in COLUMNS:
        assert max(cost.column(name) for cost in costs) <= found.bounds[name], name
    assert found.bounds["tokens"] < math.inf


@pytest.mark.parametrize("method", ["vote", "best-of-n", "particle-filter", "beam"])
async def test_no_search_costs_more_under_a_budget_that_shortens_replies(method: str) -> None:
    reply = " ".join("abcdefghijkl")
    changes = ["engine.type=scripted", f"engine.otherwise={reply}", "algorithm.n=4", "process.max_tokens=30"]
    base = override(load(method), [*changes, 'process.stepper={type="tokens", n=3}'])
    for limit in range(10, 200, 9):
        async with build(override(base, [f"budget.tokens={limit}"])) as built:
            found = await most(built, [TASK])
            assert built.engine is not None
            assert built.engine.counters() == Cost()
            result = await built.solver.solve(TASK, Session.open(budget=built.recipe.budget))
        for name in COLUMNS:
            assert result.cost.column(name) <= found.bounds[name], (limit, name)


async def test_the_bound_of_whole_samples_is_exact_when_all_are_longest() -> None:
    base = load({"algorithm": {"type": "vote"}})
    endless = TokenChain("ab", length=5, stop=0.0, prices=PRICES)
    recipe = Recipe(algorithm=BestOfN(n=5), engine=base.engine, process=base.process)
    async with build(recipe, live=Live(process=lambda task: endless, verifier=judge())) as built:
        found = await most(built, [TASK])
        cost = (await built.solver.solve(TASK, Session.open())).cost
    assert {name: cost.column(name) for name in COLUMNS if name != "seconds"} == {
        name: found.bounds[name] for name in COLUMNS if name != "seconds"
    }


async def test_the_budget_bounds_what_the_method_does_not() -> None:
    found, _ = await bounds_of(ParticleFilter(n=6), Budget(tokens=50, seconds=2, calls=10**6))
    assert found.bounds["tokens"] == 50
    assert found.bounds["seconds"] == 2
    assert found.limited == ("tokens", "seconds")
    assert found.unbounded == ()
    free, _ = await bounds_of(ParticleFilter(n=6))
    assert free.unbounded == ("seconds",)


async def test_a_method_without_a_bound_says_so() -> None:
    class Endless(BestOfN):
        """Not registered: what it does is its own affair."""

    from outthink.recipes.most import moves

    moves.register(Endless, lambda algorithm, steps: None)
    found, _ = await bounds_of(Endless(), Budget(tokens=50))
    assert found.moves is None
    assert found.bounds["tokens"] == 50
    assert "calls" in found.unbounded


async def test_tasks_add_up() -> None:
    process = chain()
    recipe = Recipe(algorithm=BestOfN(n=2), **{k: getattr(load("vote"), k) for k in ("engine", "process")})
    async with build(recipe, live=Live(process=lambda task: process, verifier=judge())) as built:
        one, three = await most(built, [TASK]), await most(built, [TASK] * 3)
        none = await most(built, [])
    assert three.bounds["tokens"] == 3 * one.bounds["tokens"]
    assert three.moves == 6
    assert none.bounds["tokens"] == 0


async def test_the_price_of_a_member_is_what_it_would_reserve() -> None:
    assert (await price(chain())).asked == Cost(calls=1, input_tokens=7, output_tokens=15)


@pytest.mark.parametrize("feedback", ["request", "score", "notes"])
async def test_a_rewritten_text_reads_the_one_before(feedback: str) -> None:
    """Refining a text of the scripted engine: nothing costs more than was said, and a bound without the answer read again is too low."""
    reply = " ".join("abcdefghijkl")
    changes = ["engine.type=scripted", f"engine.otherwise={reply}", "process.max_tokens=40", "algorithm.rounds=2"]
    changes += ["algorithm.n=2", f"algorithm.feedback={feedback}", "algorithm.accept=always", "algorithm.choose=last"]
    changes += ["verifier.type=confidence", "algorithm.unchanged=0"]
    async with build(override(load("refine"), changes)) as built:
        found = await most(built, [TASK])
        assert built.engine is not None
        fresh = await price(built.solver.process(TASK))
        assert built.engine.counters() == Cost()
        cost = (await built.solver.solve(TASK, Session.open())).cost
    assert found.moves == 6
    assert cost.calls == found.bounds["calls"] == 6
    assert all(cost.column(name) <= found.bounds[name] for name in COLUMNS)
    # What a verifier says may be of any length.
    assert (found.bounds["tokens"] == math.inf) == (feedback == "notes")
    assert cost.input_tokens > 6 * fresh.asked.input_tokens, "without the answer read again the bound would be broken"
