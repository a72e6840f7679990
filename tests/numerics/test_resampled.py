"""Intervals over questions cover at their level, and a known-wrong one is caught by the same simulation."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.numerics import (
    Curve,
    difference_at_cost,
    mean_intervals,
    normal_quantile,
    percentile_ends,
    rate_interval,
    resample_counts,
    student_quantile,
    wilson,
)

TRIALS = 2000
QUESTIONS, SEEDS = 40, 10


def paired_trials(rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Differences of two methods on the same questions under ten seeds, [trials, questions, seeds], and the true mean difference.

    Each question has its own difficulty, and its own gain, so that seeds of one question are far from independent.
    """
    difficulty = rng.beta(0.8, 0.8, (TRIALS, QUESTIONS, 1))
    gain = rng.choice([0.0, 0.4], p=[0.7, 0.3], size=(TRIALS, QUESTIONS, 1))
    first = rng.random((TRIALS, QUESTIONS, SEEDS)) < np.minimum(1.0, difficulty + gain)
    second = rng.random((TRIALS, QUESTIONS, SEEDS)) < difficulty
    # E min(1, d + 0.4) - d over Beta(0.8, 0.8), by quadrature on a fine sample of its own.
    sample = np.random.default_rng(99).beta(0.8, 0.8, 4_000_000)
    truth = 0.3 * float((np.minimum(1.0, sample + 0.4) - sample).mean())
    return first.astype(float) - second, truth


def test_paired_intervals_cover_at_their_level_and_one_over_samples_does_not() -> None:
    rng = np.random.default_rng(5)
    differences, truth = paired_trials(rng)
    by_question = differences.mean(axis=2)  # [trials, questions]
    counts = resample_counts(QUESTIONS, 1000, rng)
    covered = [truth in interval for interval in mean_intervals(by_question.T, counts)]
    # Four standard errors of a share of 2,000 trials around the nominal level, and one point for what 40 questions lack of normality.
    assert abs(np.mean(covered) - 0.95) < 4 * (0.95 * 0.05 / TRIALS) ** 0.5 + 0.01
    # Known wrong: every seed of a question counted as a question of its own.
    pooled = differences.reshape(TRIALS, -1)
    own = resample_counts(QUESTIONS * SEEDS, 1000, rng)
    wrong = [truth in interval for interval in mean_intervals(pooled.T, own)]
    assert np.mean(wrong) < 0.95 - 4 * (0.95 * 0.05 / TRIALS) ** 0.5 - 0.01


def test_differences_at_matched_cost_cover_and_unpaired_costs_do_not() -> None:
    """Against a baseline between two of its sizes; the known-wrong one reads it at its nearest size and calls that the same cost."""
    rng = np.random.default_rng(6)
    covered, wrong = [], []
    for _ in range(400):
        difficulty = rng.beta(1.0, 1.0, 60)
        cost = np.stack([100 * (1 + rng.random(60)), 400 * (1 + rng.random(60))], 1)
        chance = np.stack([0.6 * difficulty, 0.6 * difficulty + 0.4], 1)
        baseline = Curve(cost, (rng.random((60, 2)) < chance).astype(float))
        # The method costs what lies in the middle on the logarithmic axis, 200 x 1.5, where the baseline gives 0.5 and the method 0.55.
        own = 200 * (1 + rng.random(60))
        value = (rng.random(60) < 0.5 * difficulty + 0.3).astype(float)
        matched = difference_at_cost(baseline, own, value, rng, resamples=300)
        assert matched.inside
        covered.append(0.55 - 0.5 in matched.interval)
        at_size = matched.difference + matched.baseline - baseline.value[:, 0].mean()
        wrong.append(abs(at_size - 0.05) < matched.interval.width / 2)
    assert abs(np.mean(covered) - 0.95) < 4 * (0.95 * 0.05 / 400) ** 0.5 + 0.01
    assert np.mean(wrong) < 0.5


def test_a_baseline_that_was_not_run_at_that_cost_is_said_to_be_outside() -> None:
    rng = np.random.default_rng(1)
    baseline = Curve(np.full((20, 2), [10.0, 20.0]), np.full((20, 2), [0.0, 1.0]))
    low = difference_at_cost(baseline, np.full(20, 5.0), np.ones(20), rng)
    high = difference_at_cost(baseline, np.full(20, 50.0), np.ones(20), rng)
    at = difference_at_cost(baseline, np.full(20, 10.0 * 2**0.5), np.ones(20), rng)
    assert (low.inside, high.inside, at.inside) == (False, False, True)
    found = (low.baseline, low.baseline_cost, high.baseline, high.baseline_cost)
    assert found == pytest.approx((0.0, 10.0, 1.0, 20.0))
    assert at.difference == pytest.approx(0.5)  # half-way on the logarithmic axis
    with pytest.raises(ValueError, match="costs nothing"):
        difference_at_cost(baseline, np.zeros(20), np.ones(20), rng)
    with pytest.raises(ValueError, match="same questions"):
        difference_at_cost(baseline, np.ones(19), np.ones(19), rng)


def test_nobody_differing_is_no_proof_that_nobody_can() -> None:
    baseline = Curve(np.ones((10, 1)), np.ones((10, 1)))
    matched = difference_at_cost(baseline, np.ones(10), np.ones(10), np.random.default_rng(0))
    assert matched.difference == 0.0
    assert matched.interval.width > 0.2
    assert not matched.shown


def test_rounding_is_no_difference() -> None:
    """The same thirds added in another order differ in their last bits, always to one side; that is nothing shown."""
    rng = np.random.default_rng(3)
    thirds = rng.integers(0, 4, 300) / 3
    curve = Curve(np.full((300, 2), [100.0, 400.0]), np.stack([thirds, thirds], 1))
    for cost in (70.0, 150.0, 233.0):
        found = difference_at_cost(curve, np.full(300, cost), thirds.copy(), np.random.default_rng(0), resamples=200)
        assert found.difference == 0.0
        assert not found.shown
        assert found.interval.low < 0.0 < found.interval.high


def test_rates_of_single_outcomes_are_wilsons_and_means_over_seeds_are_resampled() -> None:
    rng = np.random.default_rng(2)
    right = (rng.random(50) < 0.9).astype(float)
    assert rate_interval(right, rng) == wilson(int(right.sum()), 50)
    assert rate_interval(np.zeros(50), rng).high > 0.05
    shares = rng.beta(2.0, 2.0, 200)
    found = rate_interval(shares, rng)
    half = normal_quantile(0.95) * shares.std(ddof=1) / 200**0.5
    assert (found.low, found.high) == pytest.approx((shares.mean() - half, shares.mean() + half), abs=0.15 * half)


@pytest.mark.parametrize(("degrees", "known"), [(3, 3.182), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)])
def test_student_quantiles(degrees: int, known: float) -> None:
    assert student_quantile(0.95, degrees) == pytest.approx(known, rel=0.01)


def test_resamples_hold_every_unit_as_often_as_chance_has_it() -> None:
    counts = resample_counts(7, 5000, np.random.default_rng(0))
    assert counts.shape == (5000, 7)
    assert (counts.sum(axis=1) == 7).all()
    np.testing.assert_allclose(counts.mean(axis=0), 1.0, atol=4 * (6 / 7 / 5000) ** 0.5)
    low, high = percentile_ends(counts[:, :1], 10_000)
    assert (low[0], high[0]) == (0.0, 3.0)
