"""Best-first search: the published hand-run, its keys, ties, budgets, re-expansion, and what it says when it is stuck."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from outthink.core import Budget, Incompatible, LogMap, Result, ScoreKind, Search, Session, SettingsError, Stop, Task
from outthink.core.events import Visited, Warned
from outthink.core.verifier import ScoreSpec
from outthink.search import BestFirst
from outthink.search.frontier import estimates, first_of_each, step_costs, unit_scores
from outthink.testing import FunctionOfContent, TokenChain
from tests.search.table import Table, by_name

HAND = {
    "": ["A", "B"],
    "A": ["A1", "A2"],
    "B": ["B1", "B2"],
    "A1": ["A1x", "A1y"],
    "A2": ["A2x", "A2y"],
    "B2": ["B2x", "B2y"],
}
SCORES = {"A": 0.6, "B": 0.5, "A1": 0.4, "A2": 0.3, "B1": 0.7, "B2": 0.2} | dict.fromkeys(
    ("A1x", "A1y", "A2x", "A2y", "B2x", "B2y"), 0.5
)


async def solve(
    algorithm: BestFirst, process: Any, verifier: FunctionOfContent, *, budget: Budget | None = None, seed: int = 0
) -> tuple[Result, Session]:
    session = Session.open(seed=seed, budget=budget)
    result = await Search(lambda task: process, algorithm, verifier).solve(Task(), session)
    session.close()
    return result, session


def warnings(session: Session) -> list[str]:
    return [event.message for event in session.trace.events if isinstance(event, Warned)]


def keys(session: Session) -> dict[str, float]:
    """f of each node when it was pushed, by what it shows."""
    found: dict[str, float] = {}
    for event in session.trace.events:
        if isinstance(event, Visited):
            for node, visits, value in zip(event.nodes, event.visits, event.values, strict=True):
                seen = session.trace.contents.get(("", node))
                if seen is not None and visits == 0 and value is not None:
                    found.setdefault(seen.content, value)
    return found


async def test_the_hand_run_of_the_sheet() -> None:
    """Spec 04, check 1: pops root, A, B, B1; 3 expansions, 6 scorings."""
    process, judge = Table(HAND), by_name(SCORES)
    result, session = await solve(BestFirst(children=2), process, judge)
    assert process.expanded == ["", "A", "B"]
    assert (result.answer, result.stop) == ("B1", Stop.DONE)
    assert judge.counters.verifier_calls == process.counters.output_tokens == 6
    pushed = keys(session)
    expected = {"A": 0.4, "B": 0.5, "A1": 0.8, "A2": 1.0, "B1": 0.3, "B2": 1.1}
    assert {name: pytest.approx(value) for name, value in expected.items()} == pushed


@pytest.mark.parametrize(
    ("settings", "order"),
    [
        ({"cost": "none"}, ["", "A", "B"]),
        ({"cost": "decrease"}, ["", "A", "B"]),
        ({"frontier": 1}, ["", "A", "A1"]),
        ({"depth_credit": 0.5}, ["", "A", "A1"]),
    ],
    ids=str,
)
async def test_cost_cap_and_credit_change_the_order(settings: dict[str, Any], order: list[str]) -> None:
    process = Table(HAND)
    await solve(BestFirst(children=2, **settings), process, by_name(SCORES))
    assert process.expanded == order


async def test_nodes_expanded_together_are_moved_in_one_call() -> None:
    process = Table(HAND)
    result, _ = await solve(BestFirst(children=2, batch=2), process, by_name(SCORES))
    assert process.expanded == ["", "A", "B"]
    assert process.calls == 2
    assert result.answer == "B1"


async def test_nothing_behind_a_finished_node_is_expanded() -> None:
    """B1 stands second when A1 is popped: a wide batch stops there."""
    scores = SCORES | {"A1": 0.59, "B1": 0.55}
    process = Table(HAND)
    await solve(BestFirst(children=2, batch=4, cost="none"), process, by_name(scores))
    assert process.expanded == ["", "A", "B", "A1"]


def test_the_formulas() -> None:
    before, after = np.array([0.4, 0.4, math.nan, math.inf]), np.array([0.6, 0.1, 0.5, 0.2])
    assert step_costs(before, after, "increase") == pytest.approx([0.2, 0, 0, 0])
    assert step_costs(before, after, "decrease") == pytest.approx([0, 0.3, 0, 0])
    assert step_costs(before, after, "none").tolist() == [0, 0, 0, 0]
    assert estimates(np.array([0.25, 1.0, 0.0, math.nan]), "complement").tolist() == [0.75, 0, 1, math.inf]
    assert estimates(np.array([math.exp(-2), 0.0, math.nan]), "log") == pytest.approx([2, math.inf, math.inf])


def test_scores_become_numbers_between_0_and_1_as_declared() -> None:
    def spec(low: float, high: float, log_map: LogMap = LogMap.RAW) -> ScoreSpec:
        return ScoreSpec(ScoreKind.PREFIX_VALUE, True, low, high, log_map)

    score = np.array([-1.0, 0.0, math.nan])
    assert unit_scores(score, "declared", spec(-math.inf, 0.0))[:2] == pytest.approx([math.exp(-1), 1.0])
    assert unit_scores(score, "declared", spec(-math.inf, math.inf))[:2] == pytest.approx([1 / (1 + math.e), 0.5])
    share = np.array([0.3, 1.0])
    assert unit_scores(share, "declared", spec(0.0, 1.0, LogMap.PROBABILITY)).tolist() == [0.3, 1.0]


def test_equal_siblings_are_found_among_old_and_new() -> None:
    class Rows:
        parent = np.array([0, 0, 0, 1])
        mark = np.array([0, 7, 8, 7], np.uint64)

    new = first_of_each(np.array([0, 0, 0, 1, 1]), np.array([7, 9, 9, 9, 7], np.uint64), Rows())  # type: ignore[arg-type]
    assert new.tolist() == [False, True, False, True, False]


async def test_equal_siblings_are_not_judged_twice() -> None:
    for seed in range(5):
        costs = {}
        for duplicates in ("drop", "keep"):
            judge = FunctionOfContent(lambda text: 0.5, low=0.0, high=1.0, log_map=LogMap.PROBABILITY)
            search = BestFirst(n=24, children=6, duplicates=duplicates)  # type: ignore[arg-type]
            await solve(search, TokenChain("ab", length=4), judge, seed=seed)
            costs[duplicates] = judge.counters.verifier_calls
            if duplicates == "drop":
                assert len(judge.seen) == len(set(judge.seen))
        assert costs["drop"] < costs["keep"]


async def test_the_best_prefix_is_finished_when_all_children_are_drawn() -> None:
    judge = FunctionOfContent(
        lambda text: 0.9 if set(text) <= {"b"} else 0.4, low=0.0, high=1.0, log_map=LogMap.PROBABILITY
    )
    result, session = await solve(BestFirst(n=6), TokenChain("abc", length=12), judge)
    assert result.stop is Stop.DONE
    assert len(result.answer or "") == 12
    assert result.cost.output_tokens <= 6 + 12
    assert any("taken to its end unsearched" in said for said in warnings(session))
    whole, session = await solve(BestFirst(n=200), TokenChain("abc", length=3), judge)
    assert whole.answer is not None
    assert warnings(session) == []


async def test_a_budget_that_ends_first_gives_the_best_prefix_and_no_answer() -> None:
    judge = FunctionOfContent(lambda text: 0.5, low=0.0, high=1.0, log_map=LogMap.PROBABILITY)
    result, _ = await solve(BestFirst(), TokenChain("ab", length=9), judge, budget=Budget(output_tokens=12))
    assert (result.answer, result.stop, result.limit) == (None, Stop.BUDGET, "output_tokens")
    assert [candidate.final for candidate in result.candidates] == [False]
    assert result.degraded == ("1 of 1 members unfinished",)


async def test_re_expansion_draws_more_children_of_the_same_node_but_not_for_ever() -> None:
    """Every child of the first steps is bad: only with eta does the search go back to them for fresh ones."""

    def deep(text: str) -> float:
        return 0.9 if text in ("", "c", "cc", "ccc") else 0.05

    def judge() -> FunctionOfContent:
        return FunctionOfContent(deep, low=0.0, high=1.0, log_map=LogMap.PROBABILITY)

    found = {}
    for eta in (None, 0.1):
        answers = [
            (await solve(BestFirst(n=60, children=2, eta=eta), TokenChain("abc", length=3), judge(), seed=s))[0].answer
            for s in range(40)
        ]
        found[eta] = answers.count("ccc")
    assert found[0.1] > (found[None] + 8)
    same = FunctionOfContent(lambda text: 0.5, low=0.0, high=1.0, log_map=LogMap.PROBABILITY)
    one_way = TokenChain("ab", length=30, initial=[1, 0], transition=[[1, 0], [1, 0]])
    result, session = await solve(BestFirst(n=500, children=2, eta=1e-9), one_way, same)
    most = max(v for e in session.trace.events if isinstance(e, Visited) for v in e.visits)
    assert most <= 8
    assert result.answer == "a" * 30


async def test_a_process_without_noise_is_noticed() -> None:
    judge = FunctionOfContent(lambda text: 0.5, low=0.0, high=1.0, log_map=LogMap.PROBABILITY)
    one_way = TokenChain("ab", length=5, initial=[1, 0], transition=[[1, 0], [1, 0]])
    _, session = await solve(BestFirst(children=2), one_way, judge)
    assert any("no noise" in said for said in warnings(session))
    _, session = await solve(BestFirst(children=2), TokenChain("ab", length=5), judge)
    assert warnings(session) == []


async def test_what_it_cannot_rank_is_refused() -> None:
    chain = TokenChain("ab")
    final_only = FunctionOfContent(len, partial=False, kind=ScoreKind.OUTCOME)
    with pytest.raises(Incompatible, match="best-of-n"):
        await solve(BestFirst(), chain, final_only)
    with pytest.raises(Incompatible, match="sigmoid"):
        await solve(BestFirst(squash="none"), chain, FunctionOfContent(len))
    with pytest.raises(SettingsError, match="frontier"):
        BestFirst(frontier=1, batch=2)
