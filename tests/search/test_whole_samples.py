"""Best-of-n and vote: ties, abstentions, classes of equal answers, budgets, failures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Algorithm,
    AllFailed,
    Budget,
    Equivalence,
    Incompatible,
    Result,
    Search,
    Session,
    Stop,
    Task,
    Verifier,
)
from outthink.search import BestOfN, Vote
from outthink.search.drawn import group_of
from outthink.testing import Flaky, FunctionOfAnswer, FunctionOfContent, TokenChain


async def solve(
    algorithm: Algorithm[Any],
    verifier: Verifier | None = None,
    *,
    equivalence: Equivalence | None = None,
    budget: Budget | None = None,
    seed: int = 0,
    process: Any = None,
) -> Result:
    session = Session.open(seed=seed, budget=budget)
    make = process or (lambda: TokenChain("abc", length=3))
    try:
        return await Search(lambda task: make(), algorithm, verifier, equivalence).solve(Task(), session)
    finally:
        session.close()


async def test_ties_go_to_the_first_or_to_one_at_random_by_the_seed() -> None:
    same = FunctionOfContent(lambda text: 1.0)
    assert [(await solve(BestOfN(n=5), same, seed=s)).chosen for s in range(5)] == [0] * 5
    drawn = [(await solve(BestOfN(n=5, ties="random"), same, seed=s)).chosen for s in range(60)]
    assert set(drawn) == {0, 1, 2, 3, 4}
    assert drawn == [(await solve(BestOfN(n=5, ties="random"), same, seed=s)).chosen for s in range(60)]


async def test_no_opinion_ranks_below_every_score() -> None:
    shy = FunctionOfContent(lambda text: math.nan if "a" in text else -100.0)
    for seed in range(10):
        result = await solve(BestOfN(n=12), shy, seed=seed)
        if any("a" not in c.content for c in result.candidates):
            assert "a" not in result.answer


async def test_weighted_sums_the_scores_of_equal_answers() -> None:
    by_last = FunctionOfAnswer(lambda answer: answer[-1])
    judge = FunctionOfContent(lambda text: {"a": 0.5, "b": 0.4, "c": 0.3}[text[-1]], low=0.0, high=1.0)
    result = await solve(BestOfN(n=24, select="weighted"), judge, equivalence=by_last)
    totals: dict[str, float] = {}
    for candidate, score in zip(result.candidates, result.scores, strict=True):
        totals[candidate.content[-1]] = totals.get(candidate.content[-1], 0.0) + (score or 0.0)
    assert result.answer[-1] == max(totals, key=lambda k: totals[k])
    assert result.agreement == pytest.approx(max(totals.values()) / sum(totals.values()))
    assert sum(result.weights) == pytest.approx(1.0)


async def test_negative_scores_cannot_be_votes_as_they_are() -> None:
    judge = FunctionOfContent(lambda text: -1.0)
    for algorithm in (BestOfN(select="weighted"), Vote(weights="score")):
        with pytest.raises(Incompatible, match="min-max"):
            await solve(algorithm, judge)
    assert (await solve(Vote(weights="score", scale="min-max"), judge)).answer is not None


async def test_equivalent_answers_vote_together_and_abstentions_never_win() -> None:
    def by_b(answer: str) -> str | None:
        return None if answer.startswith("a") else str("b" in answer)

    for seed in range(10):
        result = await solve(Vote(n=21), equivalence=FunctionOfAnswer(by_b), seed=seed)
        keys = [by_b(c.content) for c in result.candidates]
        votes = [k for k in keys if k is not None]
        winner = max(sorted(set(votes), key=votes.index), key=votes.count)
        assert by_b(result.answer) == winner
        assert result.agreement == pytest.approx(votes.count(winner) / len(votes))
        assert all(w == 0 for w, k in zip(result.weights, keys, strict=True) if k is None)


async def test_when_everyone_abstains_there_is_no_answer_and_redraws_are_bounded() -> None:
    nobody = FunctionOfAnswer(lambda answer: None)
    result = await solve(Vote(n=4), equivalence=nobody)
    assert result.answer is None
    assert len(result.candidates) == 4
    again = await solve(Vote(n=4, redraws=2), equivalence=nobody)
    assert again.answer is None
    assert len(again.candidates) == 12
    assert again.cost.output_tokens == 36


async def test_redraws_stop_when_somebody_answers() -> None:
    picky = FunctionOfAnswer(lambda answer: answer if answer == "ccc" else None)
    found = [await solve(Vote(n=2, redraws=60), equivalence=picky, seed=s) for s in range(5)]
    assert all(r.answer == "ccc" for r in found)
    assert len({len(r.candidates) for r in found}) > 1


async def test_sixty_four_members_under_a_cap_of_tokens_spend_at_most_the_cap() -> None:
    judge = FunctionOfContent(lambda text: float(text.count("b")))
    result = await solve(BestOfN(n=64), judge, budget=Budget(tokens=100))
    assert result.cost.tokens <= 100
    assert result.cost.verifier_calls == 33
    assert (result.stop, result.limit) == (Stop.BUDGET, "tokens")
    assert sum(c.final for c in result.candidates) == 33
    finished = [s for s, c in zip(result.scores, result.candidates, strict=True) if c.final]
    assert None not in finished
    assert result.scores[result.chosen or 0] == max(s for s in finished if s is not None)
    assert "31 of 64 members unfinished" in result.degraded


async def test_judgements_are_part_of_the_budget() -> None:
    judge = FunctionOfContent(lambda text: float(text.count("b")))
    result = await solve(BestOfN(n=16), judge, budget=Budget(verifier_calls=5))
    assert result.cost.verifier_calls == 5
    assert sum(c.final for c in result.candidates) == 5
    assert result.limit == "verifier_calls"


async def test_failed_members_leave_the_others_and_are_never_the_answer() -> None:
    judge = FunctionOfContent(lambda text: float(text.count("b")))
    degraded = 0
    for seed in range(20):
        result = await solve(BestOfN(n=8), judge, process=lambda: Flaky(TokenChain("abc", length=3), 0.2), seed=seed)
        failed = [not c.final for c in result.candidates]
        assert len(result.failures) == sum(failed)
        assert (f"{sum(failed)} of 8 members failed" in result.degraded) == any(failed)
        assert all(s is None for s, f in zip(result.scores, failed, strict=True) if f)
        assert not failed[result.chosen or 0]
        degraded += any(failed)
    assert 5 <= degraded <= 20
    with pytest.raises(AllFailed):
        await solve(BestOfN(n=2), judge, process=lambda: Flaky(TokenChain(), 1.0))


def test_classes_are_numbered_by_first_appearance() -> None:
    assert group_of(["x", None, "y", "x"]).tolist() == [0, -1, 1, 0]
    assert group_of([]).dtype == np.int64
