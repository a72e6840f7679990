"""Frontier, separation, subsets and revision against the sheet's figures and against the plain definition."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from outthink.numerics import (
    frontier_share,
    majority_accuracy,
    pareto_frontier,
    revision_rates,
    separation,
    separation_interval,
    separation_within,
    subset_majority,
    subset_mean,
)
from outthink.numerics.revision import RevisionRates


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


# -- frontier -------------------------------------------------------------------------------------------------------

POINTS = [(1, 0.5), (2, 0.5), (2, 0.6), (3, 0.55), (4, 0.6), (5, 0.7)]


def test_the_frontier_is_that_of_the_sheet_in_any_order_and_with_duplicates() -> None:
    """Spec 06, check 5."""
    for order in itertools.permutations(POINTS):
        cost, accuracy = np.array(order).T
        at = pareto_frontier(cost, accuracy)
        assert [order[i] for i in at] == [(1, 0.5), (2, 0.6), (5, 0.7)]
    cost, accuracy = np.array(POINTS * 2).T
    assert pareto_frontier(cost, accuracy).tolist() == [0, 2, 5]
    assert pareto_frontier(np.zeros(0), np.zeros(0)).tolist() == []


def test_the_frontier_is_what_nobody_dominates() -> None:
    for seed in range(200):
        cost, accuracy = rng(seed).integers(0, 6, (2, 12)).astype(float)
        dominated = {
            i
            for i, j in itertools.product(range(12), repeat=2)
            if cost[j] <= cost[i] and accuracy[j] >= accuracy[i] and (cost[j], accuracy[j]) != (cost[i], accuracy[i])
        }
        found = {(cost[i], accuracy[i]) for i in pareto_frontier(cost, accuracy)}
        assert found == {(cost[i], accuracy[i]) for i in range(12) if i not in dominated}


def test_a_point_is_on_the_frontier_as_often_as_the_questions_say() -> None:
    right = np.zeros((3, 40))
    right[0, :20] = right[1, :21] = right[2, :40] = 1.0
    right[1, :21] = 1.0
    cost = np.repeat([[1.0], [2.0], [3.0]], 40, axis=1)
    share = frontier_share(cost, right, rng(), resamples=400)
    assert share[0] == share[2] == 1.0
    # One question in 40 makes the difference: it is drawn at all with probability 1 - (39/40)^40.
    assert abs(share[1] - (1 - (39 / 40) ** 40)) < 0.1
    with pytest.raises(ValueError, match="points, questions"):
        frontier_share(cost, right[:2], rng())


# -- separation -----------------------------------------------------------------------------------------------------


def test_the_separation_of_two_normals_is_that_of_the_sheet() -> None:
    """Spec 06, check 6: Phi(0.5 / sqrt 2) = 0.6382."""
    values = np.concatenate([rng(1).normal(0.0, 1.0, 10_000), rng(2).normal(0.5, 1.0, 10_000)])
    right = np.arange(20_000) < 10_000
    assert abs(separation(values, right) - 0.6382) < 0.01
    assert abs(separation(values, ~right) - (1 - 0.6382)) < 0.01


def test_a_confounded_feature_separates_questions_and_not_samples() -> None:
    """Spec 06, check 6: length depends on the question only; hard ones are long and mostly wrong."""
    draws = rng(3)
    question = np.repeat(np.arange(500), 20)
    hard = question % 2 == 1
    right = draws.random(10_000) < np.where(hard, 0.3, 0.7)
    values = draws.normal(size=10_000) + 1.5 * hard
    assert separation(values, right) > 0.6
    assert abs(separation_within(values, right, question) - 0.5) < 0.02
    pooled = separation_interval(values, right, question, rng(4), within=False, resamples=100)
    within = separation_interval(values, right, question, rng(4), resamples=100)
    assert pooled.low > 0.5
    assert within.low < 0.5 < within.high


def test_separation_is_the_share_of_pairs_with_ties_a_half() -> None:
    for seed in range(50):
        values, right = rng(seed).integers(0, 5, 15).astype(float), rng(seed + 1000).random(15) < 0.5
        pairs = [(g, b) for g in values[right] for b in values[~right]]
        if pairs:
            plain = sum((g < b) + 0.5 * (g == b) for g, b in pairs) / len(pairs)
            assert separation(values, right) == pytest.approx(plain)
            assert separation_within(values, right, np.zeros(15, int)) == pytest.approx(plain)
    assert math.isnan(separation(np.ones(3), np.ones(3, bool)))
    with pytest.raises(ValueError, match="both right and wrong"):
        separation_interval(np.ones(3), np.ones(3, bool), np.arange(3), rng())


# -- subsets --------------------------------------------------------------------------------------------------------


def test_a_majority_of_three_out_of_eight_is_counted_exactly() -> None:
    """Spec 06, check 2: (C(5,3) + C(5,2) 3) / 56 = 40 / 56."""
    right = np.arange(8) < 5
    keys = ["r" if r else "w" for r in right]
    assert abs(subset_majority(keys, right, 3, rng()) - 40 / 56) < 1e-12


def test_the_estimate_is_unbiased_where_the_first_samples_are_not_better() -> None:
    """Spec 06, check 2: the mean over pools is the true curve, enumerated or drawn, and ties are split evenly."""
    draws, p = rng(7), 0.6
    for pool, size, pools in ((8, 3, 5000), (8, 4, 2500), (16, 7, 150)):
        found, first = [], []
        for _ in range(pools):
            right = draws.random(pool) < p
            found.append(subset_majority(["r" if r else "w" for r in right], right, size, draws))
            share = right[:size].mean()
            first.append(1.0 if share > 0.5 else 0.5 if share == 0.5 else 0.0)
        error = np.std(found, ddof=1) / math.sqrt(pools)
        assert abs(np.mean(found) - majority_accuracy(p, size)) < 4 * error
        assert np.std(found) < 0.8 * np.std(first), "one subset is noisier than all of them"


def test_abstaining_samples_do_not_vote_and_sizes_are_checked() -> None:
    keys = ["r", None, None, "w"]
    # Subsets of 2: {r,-} twice, {w,-} twice, {-,-}, {r,w}.
    assert subset_majority(keys, np.array([True, False, False, False]), 2, rng()) == pytest.approx((2 + 0.5) / 6)
    assert subset_mean(5, 5, lambda at: float(at.sum()), rng()) == 10.0
    for size in (0, 6):
        with pytest.raises(ValueError, match="between 1 and the 5"):
            subset_mean(5, size, lambda at: 0.0, rng())


# -- revision -------------------------------------------------------------------------------------------------------


def test_a_reviser_does_what_the_sheet_says_and_its_harm_is_said() -> None:
    """Spec 06, check 3."""
    helps, harms = RevisionRates(0.3, 0.1), RevisionRates(0.05, 0.15)
    assert [round(helps.accuracy(0.5, s), 4) for s in (1, 2, 3, 4)] == [0.5, 0.6, 0.66, 0.696]
    assert helps.accuracy(0.5, 8) == pytest.approx(0.743, abs=5e-4)
    assert [round(harms.accuracy(0.6, s), 4) for s in (2, 4)] == [0.53, 0.4292]
    assert harms.accuracy(0.6, 8) == pytest.approx(0.3234, abs=5e-5)
    assert (helps.harms(0.5), harms.harms(0.6), harms.harms(0.2)) == (False, True, False)
    assert (helps.limit, harms.limit) == (pytest.approx(0.75), pytest.approx(0.25))


def test_rates_are_read_off_chains() -> None:
    draws = rng(5)
    right = np.zeros((4000, 6), bool)
    right[:, 0] = draws.random(4000) < 0.6
    for s in range(1, 6):
        flips = draws.random(4000) < np.where(right[:, s - 1], 0.15, 0.05)
        right[:, s] = right[:, s - 1] ^ flips
    rates = revision_rates(right)
    assert rates.mends == pytest.approx(0.05, abs=0.01)
    assert rates.breaks == pytest.approx(0.15, abs=0.015)
    assert rates.harms(0.6)
    idle = revision_rates(np.ones((3, 1), bool))
    assert math.isnan(idle.mends)
    assert idle.accuracy(0.4, 9) == 0.4
    assert not idle.harms(0.4)
