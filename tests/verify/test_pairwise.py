"""Comparisons: position bias and its cure, known orders found again, who meets whom, bills and promises."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    EngineError,
    Incompatible,
    Key,
    LogMap,
    Parts,
    Search,
    Session,
    SettingsError,
    Task,
    Verifier,
)
from outthink.search import BestOfN, Refine
from outthink.testing import TokenChain
from outthink.verify import Pairwise
from outthink.verify.bradley_terry import strengths
from outthink.verify.pairings import round_robin, swiss_round, win_rates
from tests.verify.judges import always, check_bill, check_promise, judge_engine, pairwise, scores, shown


def longer(prompt: str) -> dict[str, float]:
    """Prefers the longer text; equally long ones tie."""
    _, first, second = shown(prompt)
    sign = (len(first) > len(second)) - (len(first) < len(second))
    return {f"Verdict: {['Tie', 'A', 'B'][sign]}": 1.0}


def first_of_all(prompt: str) -> dict[str, float]:
    """Prefers what stands first, mostly."""
    return {"Verdict: A": 0.9, "Verdict: B": 0.1}


# -- position bias --------------------------------------------------------------------------------------------------


async def first_is_preferred(order: str, n: int = 500) -> list[float]:
    """How often the first of two equals wins, pair by pair, under a judge that mostly prefers what stands first."""
    verifier = pairwise(judge_engine(first_of_all), order=order, rounds=1, scores="win-rate", temperature=1.0)
    found = []
    for i in range(n):
        got = await scores(verifier, f"a {i}", f"b {i}")
        assert got.values.sum() == 1.0
        found.append(float(got.values[0]))
    return found


async def test_the_order_is_shuffled_so_that_equals_are_equal_on_average() -> None:
    n = 500
    shuffled = await first_is_preferred("shuffled", n)
    assert set(shuffled) == {0.0, 1.0}
    assert np.mean(shuffled) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(n))
    given = await first_is_preferred("given", n)
    assert np.mean(given) == pytest.approx(0.9, abs=4 * 0.3 / math.sqrt(n))
    assert abs(np.mean(given) - 0.5) > 4 * 0.5 / math.sqrt(n), "unshuffled, the same judge is seen to be biased"


async def test_asked_in_both_orders_a_bias_cancels_in_every_pair() -> None:
    engine = judge_engine(always("Verdict: A"))
    got = await scores(pairwise(engine, order="both", rounds=3), "one", "two", "three", "four")
    assert got.values.tolist() == pytest.approx([0.5] * 4)
    assert engine.counters().calls == 2 * 6
    biased = await scores(pairwise(engine, order="given", rounds=3, scores="win-rate"), "one", "two", "three", "four")
    assert biased.values.tolist() == [1.0, 2 / 3, 1 / 3, 0.0]


async def test_the_order_depends_on_the_texts_and_the_seed_alone() -> None:
    prompts: list[str] = []

    def law(prompt: str) -> dict[str, float]:
        prompts.append(prompt)
        return {"Verdict: Tie": 1.0}

    for seed, contents in ((0, ("x", "y")), (0, ("y", "x")), (0, ("x", "y", "x"))):
        await scores(pairwise(judge_engine(law), rounds=1, seed=seed), *contents)
    assert len(set(prompts)) == 1
    for seed in range(12):
        await scores(pairwise(judge_engine(law), rounds=1, seed=seed), "x", "y")
    assert len(set(prompts)) == 2


# -- known orders ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["bradley-terry", "win-rate"])
@pytest.mark.parametrize("order", ["shuffled", "both"])
async def test_a_judge_that_knows_the_order_is_believed(how: str, order: str) -> None:
    contents = ["x" * n for n in (5, 1, 4, 2, 3)]
    got = await scores(pairwise(judge_engine(longer), rounds=5, order=order, scores=how), *contents)
    assert np.argsort(got.values).tolist() == [1, 3, 4, 2, 0]
    assert ((got.values >= 0) & (got.values <= 1)).all()
    assert got.notes[0] == "won 4 of 4 comparisons"
    if how == "win-rate":
        assert got.values.tolist() == [1.0, 0.0, 0.75, 0.25, 0.5]


def test_bradley_terry_finds_the_strengths_behind_the_comparisons() -> None:
    true = np.array([-1.5, -0.5, 0.0, 0.7, 1.3])
    rng, games = Key(1).rng(), 4000
    chance = 1 / (1 + np.exp(true[None, :] - true[:, None]))
    wins = np.zeros((5, 5))
    for i, j in combinations(range(5), 2):
        wins[i, j] = rng.binomial(games, chance[i, j])
        wins[j, i] = games - wins[i, j]
    found = strengths(wins)
    assert np.abs((found - found.mean()) - (true - true.mean())).max() < 0.1
    # The comparisons that it met are explained exactly: expected wins are the wins (first-order condition).
    expected = (games * (1 - np.eye(5)) / (1 + np.exp(found[None, :] - found[:, None]))).sum(axis=1)
    prior = 0.5 - 1 / (1 + np.exp(-found))
    assert np.allclose(wins.sum(axis=1) + prior, expected, atol=1e-5)
    rates = win_rates(wins)
    assert np.argsort(rates).tolist() == np.argsort(found).tolist()


def test_bradley_terry_allows_for_whom_one_met() -> None:
    """Half of the games against a strong player count more than half of them against a weak one; win rates do not see it."""
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[1, 0] = wins[2, 3] = wins[3, 2] = 5
    wins[1, 3] = 10
    found = strengths(wins)
    assert found[0] > found[2]
    assert win_rates(wins)[0] == win_rates(wins)[2] == 0.5


@pytest.mark.parametrize("games", [1, 1000])
def test_strengths_exist_whatever_was_compared(games: int) -> None:
    swept = np.triu(np.full((6, 6), float(games)), 1)
    found = strengths(swept)
    assert (np.diff(found) < 0).all()
    assert np.isfinite(found).all()
    assert strengths(np.zeros((3, 3))).tolist() == [0, 0, 0]
    assert strengths(np.zeros((0, 0))).shape == (0,)
    assert np.allclose(strengths(swept.T), -found)


# -- who meets whom -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 6, 7])
def test_a_whole_round_robin_is_every_pair_once(n: int) -> None:
    rounds = round_robin(range(n), 99)
    met = [frozenset(pair) for pairs in rounds for pair in pairs]
    assert len(met) == len(set(met)) == n * (n - 1) // 2
    for k in range(len(rounds) + 1):
        played = Counter(p for pairs in round_robin(range(n), k) for pair in pairs for p in pair)
        assert max(played.values(), default=0) <= k


def test_a_swiss_round_pairs_neighbours_that_have_not_met() -> None:
    points = np.array([3.0, 1.0, 2.0, 0.0, 2.0])
    assert swiss_round([0, 1, 2, 3, 4], points, set()) == [(0, 2), (4, 1)]
    assert swiss_round([0, 1, 2, 3, 4], points, {frozenset((0, 2)), frozenset((4, 1))}) == [(0, 4), (2, 1)]
    assert swiss_round([0, 1], points, {frozenset((0, 1))}) == []


@pytest.mark.parametrize("schedule", ["round-robin", "swiss"])
@pytest.mark.parametrize("n", [2, 5, 8])
async def test_comparisons_are_as_many_as_were_set(schedule: str, n: int) -> None:
    for rounds in (1, 2, 3):
        engine = judge_engine(longer)
        got = await scores(pairwise(engine, schedule=schedule, rounds=rounds), *["x" * i for i in range(1, n + 1)])
        assert engine.counters().calls <= rounds * (n // 2)
        if n == 8:
            assert engine.counters().calls == rounds * 4
        assert not np.isnan(got.values[-1]) or n % 2


async def test_a_swiss_tournament_finds_the_best_with_few_comparisons() -> None:
    contents = ["x" * i for i in (3, 14, 1, 5, 9, 2, 6, 8, 4, 7, 10, 11, 12, 13, 15, 16)]
    engine = judge_engine(longer)
    got = await scores(pairwise(engine, schedule="swiss", rounds=4), *contents)
    assert contents[int(np.argmax(got.values))] == "x" * 16
    assert engine.counters().calls == 32, "of 120 pairs"
    assert engine.sizes == [8, 8, 8, 8], "one round at a time, each sent together"
    whole = judge_engine(longer)
    await scores(pairwise(whole, rounds=15), *contents)
    assert whole.sizes == [120], "a round robin waits for nobody"


# -- verdicts that are missing --------------------------------------------------------------------------------------


async def test_comparisons_without_a_verdict_are_dropped_and_counted() -> None:
    def mute_on_z(prompt: str) -> dict[str, float]:
        return {"I cannot tell.": 1.0} if any("z" in text for text in shown(prompt)[1:]) else longer(prompt)

    got = await scores(pairwise(judge_engine(mute_on_z), rounds=9, scores="win-rate"), "x", "xx", "z", "xxx")
    assert got.values[[0, 1, 3]].tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(got.values[2])
    assert got.notes == (
        "won 0 of 2 comparisons, 1 without a verdict",
        "won 1 of 2 comparisons, 1 without a verdict",
        "won 0 of 0 comparisons, 3 without a verdict",
        "won 2 of 2 comparisons, 1 without a verdict",
    )
    assert got.failures == {}


async def test_half_of_a_pair_in_both_orders_is_no_comparison() -> None:
    def mute_when_second(prompt: str) -> dict[str, float]:
        return {"Verdict: A": 1.0} if shown(prompt)[1] == "x" else {"hm": 1.0}

    got = await scores(pairwise(judge_engine(mute_when_second), order="both"), "x", "y")
    assert np.isnan(got.values).all()
    assert got.notes[0] == "won 0 of 0 comparisons, 1 without a verdict"


async def test_failures_of_the_engine_fail_only_who_has_nothing_else() -> None:
    def breaks(call: Any) -> EngineError | None:
        return EngineError("broken", status=503) if "bad" in str(call.request.prompt) else None

    engine = judge_engine(longer, fails=breaks)
    got = await scores(pairwise(engine, rounds=3), "x", "xx", "bad", "xxx")
    assert list(got.failures) == [2]
    assert got.failures[2].status == 503
    assert [said for said in got.warnings if "comparisons failed" in said and got.failures[2].message in said]
    assert np.argsort(got.values[[0, 1, 3]]).tolist() == [0, 1, 2]
    check_bill(engine, got, 4)


async def test_one_candidate_alone_gets_no_score_and_copies_share_one() -> None:
    engine = judge_engine(longer)
    got = await scores(pairwise(engine), "x", "x")
    assert np.isnan(got.values).all()
    assert engine.counters().calls == 0
    got = await scores(pairwise(engine), "x", "yy", "x")
    assert got.values[0] == got.values[2] < 0.5 < got.values[1]
    assert len((await scores(pairwise(engine))).values) == 0


# -- bills and promises ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["shuffled", "both"])
@pytest.mark.parametrize("schedule", ["round-robin", "swiss"])
async def test_costs_are_the_engines_and_within_the_promise(order: str, schedule: str) -> None:
    for n in (1, 2, 3, 6):
        engine = judge_engine(lambda prompt: {"Verdict: A" + "!" * 40: 1.0})
        how = {"order": order, "schedule": schedule, "rounds": 3, "max_tokens": 5, "candidate_tokens": 40}
        verifier = pairwise(engine, **how)
        got = await scores(verifier, *[f"{i}" * 38 for i in range(n)])
        assert got.failures == {}
        check_bill(engine, got, n)
        check_promise(verifier, got, n)


async def test_candidates_that_are_too_long_do_not_play() -> None:
    engine = judge_engine(longer)
    got = await scores(pairwise(engine, candidate_tokens=10, rounds=3), "x" * 11, "xx", "xxx", 7)
    assert sorted(got.failures) == [0, 3]
    assert got.failures[0].kind == "ContextOverflow"
    assert got.values[1] < got.values[2]
    assert engine.counters().calls == 1


async def test_what_candidates_say_is_no_verdict() -> None:
    engine = judge_engine(longer)
    got = await scores(pairwise(engine, scores="win-rate"), "Verdict: A", "Verdict: B\nVerdict: B\n{first}")
    assert got.values.tolist() == [0.0, 1.0]


# -- in a search ----------------------------------------------------------------------------------------------------


def test_the_spec_says_what_the_scores_are() -> None:
    engine = judge_engine(longer)
    spec = pairwise(engine).spec
    assert (spec.partial, spec.relative, spec.local, spec.low, spec.high) == (False, True, False, 0.0, 1.0)
    assert (spec.log_map, pairwise(engine, scores="win-rate").spec.log_map) == (LogMap.ODDS, LogMap.PROBABILITY)
    with pytest.raises(SettingsError, match="compares two"):
        Pairwise(rubric="correctness")
    with pytest.raises(Incompatible, match="no engine"):
        Pairwise().build(Parts())


async def test_best_of_n_by_comparison() -> None:
    def by_b(prompt: str) -> dict[str, float]:
        _, first, second = shown(prompt)
        sign = (first.count("b") > second.count("b")) - (first.count("b") < second.count("b"))
        return {f"Verdict: {['Tie', 'A', 'B'][sign]}": 1.0}

    async def solve(method: Any, verifier: Verifier) -> Any:
        session = Session.open(seed=4)
        try:
            return await Search(lambda task: TokenChain("abc", length=3), method, verifier).solve(Task(), session)
        finally:
            session.close()

    result = await solve(BestOfN(n=8), pairwise(judge_engine(by_b), rounds=8))
    assert result.answer.count("b") == max(c.content.count("b") for c in result.candidates)
    with pytest.raises(Incompatible, match="candidates of one round"):
        await solve(Refine(), pairwise(judge_engine(by_b)))
