from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.numerics import (
    FloatArray,
    Interval,
    bootstrap_basic,
    bootstrap_percentile,
    normal_quantile,
    paired_bootstrap,
    wilson,
)

TRIALS = 2000
RESAMPLES = 400


def covers_95_percent(trial: Callable[[np.random.Generator], bool]) -> bool:
    """Whether 2,000 trials at a nominal 95% cover between 93% and 97%: 4 standard errors of the share are 2%."""
    share = np.mean([trial(np.random.default_rng(seed)) for seed in range(TRIALS)])
    return bool(0.93 <= share <= 0.97)


def wald(successes: int, n: int) -> Interval:
    """Wrong at small n: the rate +- 1.96 standard errors."""
    rate = successes / n
    half = 1.96 * math.sqrt(rate * (1 - rate) / n)
    return Interval(rate - half, rate + half, 0.95)


def rate_trial(interval: Callable[[int, int], Interval], n: int) -> Callable[[np.random.Generator], bool]:
    def trial(rng: np.random.Generator) -> bool:
        rate = rng.random()
        return rate in interval(int(rng.binomial(n, rate)), n)

    return trial


@pytest.mark.laws
@pytest.mark.parametrize("n", [5, 12, 40])
def test_wilson_covers_and_the_textbook_interval_does_not(n: int) -> None:
    assert covers_95_percent(rate_trial(wilson, n))
    assert not covers_95_percent(rate_trial(wald, n))


def test_known_wilson_intervals() -> None:
    seven = wilson(7, 10)
    assert (seven.low, seven.high) == pytest.approx((0.39678, 0.89221), abs=1e-5)
    none, every = wilson(0, 20), wilson(20, 20)
    assert (none.low, none.high) == pytest.approx((0.0, 0.16113), abs=1e-5)
    assert (every.low, every.high) == pytest.approx((0.83887, 1.0), abs=1e-5)
    assert (none.low, every.high) == (0.0, 1.0)


@given(st.integers(1, 500), st.data(), st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_wilson_end_points_are_where_the_score_test_turns(n: int, data: st.DataObject, level: float) -> None:
    successes = data.draw(st.integers(0, n))
    interval = wilson(successes, n, level)
    assert 0.0 <= interval.low < interval.high <= 1.0
    assert successes / n in interval
    for end in (interval.low, interval.high):
        if 0.0 < end < 1.0:
            score = abs(successes - n * end) / math.sqrt(n * end * (1 - end))
            assert score == pytest.approx(normal_quantile(level), rel=1e-6)


def mean_trial(
    interval: Callable[[FloatArray, np.random.Generator], Interval],
) -> Callable[[np.random.Generator], bool]:
    return lambda rng: 3.0 in interval(rng.normal(3.0, 2.0, 60), rng)


def pooled_repeats(values: FloatArray, rng: np.random.Generator) -> Interval:
    """Wrong: three repeats of each task resampled as if they were independent tasks."""
    return bootstrap_percentile(np.tile(values, 3), rng, resamples=RESAMPLES)


@pytest.mark.laws
@pytest.mark.parametrize("bootstrap", [bootstrap_percentile, bootstrap_basic])
def test_bootstrap_covers_the_mean(bootstrap: Callable[..., Interval]) -> None:
    assert covers_95_percent(mean_trial(lambda values, rng: bootstrap(values, rng, resamples=RESAMPLES)))


@pytest.mark.laws
def test_repeats_taken_for_tasks_do_not_cover_the_mean() -> None:
    assert not covers_95_percent(mean_trial(pooled_repeats))


def paired_trial(
    interval: Callable[[FloatArray, FloatArray, np.random.Generator], Interval],
) -> Callable[[np.random.Generator], bool]:
    def trial(rng: np.random.Generator) -> bool:
        difficulty = rng.normal(0.0, 2.0, 60)
        return 0.3 in interval(difficulty + rng.normal(0.3, 1.0, 60), difficulty + rng.normal(0.0, 1.0, 60), rng)

    return trial


def unpaired(first: FloatArray, second: FloatArray, rng: np.random.Generator) -> Interval:
    """Wrong: forgets that both were measured on the same tasks."""
    return paired_bootstrap(first, rng.permutation(second), rng, resamples=RESAMPLES)


@pytest.mark.laws
def test_paired_bootstrap_covers_the_difference_and_the_unpaired_one_does_not() -> None:
    assert covers_95_percent(paired_trial(lambda a, b, rng: paired_bootstrap(a, b, rng, resamples=RESAMPLES)))
    assert not covers_95_percent(paired_trial(unpaired))


def test_bootstrap_of_equal_values_is_a_point_and_the_seed_decides() -> None:
    flat = bootstrap_percentile(np.full(5, 2.0), np.random.default_rng(0))
    assert (flat.low, flat.high, flat.width) == (2.0, 2.0, 0.0)
    values = np.random.default_rng(3).exponential(size=30)
    first, second = (bootstrap_percentile(values, np.random.default_rng(5)) for _ in range(2))
    assert first == second
    assert first != bootstrap_percentile(values, np.random.default_rng(6))


def test_basic_is_percentile_reflected_about_the_mean() -> None:
    values = np.random.default_rng(3).exponential(size=30)
    percentile = bootstrap_percentile(values, np.random.default_rng(5))
    basic = bootstrap_basic(values, np.random.default_rng(5))
    assert basic.low + percentile.high == pytest.approx(2 * values.mean())
    assert basic.high + percentile.low == pytest.approx(2 * values.mean())


def test_bootstrap_of_two_values_has_a_known_law() -> None:
    """Means of two draws from {0, 1} are 0, 1/2, 1 with probability 1/4, 1/2, 1/4: the middle 40% is the point 1/2."""
    narrow = bootstrap_percentile(np.array([0.0, 1.0]), np.random.default_rng(0), level=0.4)
    wide = bootstrap_percentile(np.array([0.0, 1.0]), np.random.default_rng(0), level=0.6)
    assert (narrow.low, narrow.high) == (0.5, 0.5)
    assert (wide.low, wide.high) == (0.0, 1.0)


def test_many_tasks_are_resampled_in_bounded_pieces() -> None:
    values = np.random.default_rng(2).normal(size=40_000)
    interval = bootstrap_percentile(values, np.random.default_rng(2), resamples=200)
    assert interval.width == pytest.approx(2 * 1.96 / math.sqrt(40_000), rel=0.2)


def test_bad_arguments_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="n is 0"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="successes is 3"):
        wilson(3, 2)
    for level in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="level is"):
            wilson(1, 2, level)
        with pytest.raises(ValueError, match="level is"):
            bootstrap_percentile(np.zeros(3), rng, level)
    with pytest.raises(ValueError, match="number of values is 1, expected at least 2"):
        bootstrap_percentile(np.zeros(1), rng)
    with pytest.raises(ValueError, match=r"values\[1\] is nan"):
        bootstrap_basic(np.array([0.0, math.nan]), rng)
    with pytest.raises(ValueError, match="2 values of the first and 3 of the second"):
        paired_bootstrap(np.zeros(2), np.zeros(3), rng)
    with pytest.raises(ValueError, match="resamples is 0"):
        bootstrap_percentile(np.zeros(2), rng, resamples=0)
