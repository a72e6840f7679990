from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.numerics import (
    Interval,
    PairCounts,
    count_pairs,
    difference_interval,
    mcnemar,
    normal_quantile,
    sign_test,
    two_sided_half,
)

pairs = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)).filter(any)


def test_published_example() -> None:
    """Airway hyper-responsiveness before and after a transplant, 21 children (Fagerland et al., 2013, 2014)."""
    counts = PairCounts(first_only=1, second_only=7, n=21)
    interval = difference_interval(counts)
    assert counts.difference == pytest.approx(-0.286, abs=5e-4)
    assert (interval.low, interval.high) == pytest.approx((-0.517, -0.026), abs=5e-4)
    assert mcnemar(counts) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar(counts, mid_p=True) == pytest.approx(0.0391, abs=5e-5)


@given(st.integers(0, 40), st.integers(0, 40))
def test_exact_p_value_is_the_share_of_splits_at_least_as_uneven(less: int, more: int) -> None:
    n = less + more
    gap = abs(less - more)
    beyond = sum(Fraction(math.comb(n, k), 2**n) for k in range(n + 1) if abs(2 * k - n) > gap)
    equal = sum(Fraction(math.comb(n, k), 2**n) for k in range(n + 1) if abs(2 * k - n) == gap)
    assert two_sided_half(less, more) == pytest.approx(float(beyond + equal))
    if n > 0:
        assert two_sided_half(less, more, mid_p=True) == pytest.approx(float(beyond + equal / 2))


def test_nothing_to_compare_is_no_evidence() -> None:
    assert mcnemar(PairCounts(0, 0, 5)) == 1.0
    assert mcnemar(PairCounts(0, 0, 5), mid_p=True) == 1.0
    assert sign_test(np.zeros(4)) == 1.0


def test_large_counts_stay_exact() -> None:
    assert two_sided_half(5000, 5000) == 1.0
    assert 0.0 < two_sided_half(4000, 5000) < 1e-20


def profile_z(counts: PairCounts, delta: float) -> float:
    """Score statistic with the nuisance probability found on a fine grid of the likelihood, not by the quadratic."""
    b, c, n = counts.first_only, counts.second_only, counts.n
    q = np.linspace(max(0.0, -delta), (1.0 - delta) / 2.0, 400_001)[1:-1]
    log_likelihood = b * np.log(q + delta) + c * np.log(q) + (n - b - c) * np.log(1 - 2 * q - delta)
    best = q[np.argmax(log_likelihood)]
    return (b - c - n * delta) / math.sqrt(n * (2 * best + delta * (1 - delta)))


@pytest.mark.parametrize(
    "counts", [PairCounts(1, 7, 21), PairCounts(9, 2, 30), PairCounts(4, 4, 12), PairCounts(3, 1, 100)]
)
def test_interval_ends_where_the_score_test_turns(counts: PairCounts) -> None:
    interval = difference_interval(counts)
    assert profile_z(counts, interval.low) == pytest.approx(normal_quantile(0.95), abs=1e-3)
    assert profile_z(counts, interval.high) == pytest.approx(-normal_quantile(0.95), abs=1e-3)


@given(pairs, st.sampled_from([0.5, 0.95, 0.999]))
def test_interval_holds_the_estimate_and_turns_with_the_sign(numbers: tuple[int, int, int], level: float) -> None:
    b, c, same = numbers
    interval = difference_interval(PairCounts(b, c, b + c + same), level)
    mirrored = difference_interval(PairCounts(c, b, b + c + same), level)
    assert -1.0 <= interval.low <= (b - c) / (b + c + same) <= interval.high <= 1.0
    assert interval.width > 0.0
    assert (-mirrored.high, -mirrored.low) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_methods_that_never_differ_may_still_differ_a_little() -> None:
    z2 = normal_quantile(0.95) ** 2
    interval = difference_interval(PairCounts(0, 0, 20))
    assert (interval.low, interval.high) == pytest.approx((-z2 / (20 + z2), z2 / (20 + z2)))


def wald(counts: PairCounts) -> Interval:
    """Wrong at small n: the difference +- 1.96 standard errors."""
    b, c, n = counts.first_only, counts.second_only, counts.n
    half = 1.96 * math.sqrt(max(b + c - (b - c) ** 2 / n, 0.0)) / n
    return Interval(counts.difference - half, counts.difference + half, 0.95)


def coverage(interval: Callable[[PairCounts], Interval], n: int) -> float:
    """Share of 2,000 pairs of methods, drawn evenly from all that could be, whose true difference is covered."""
    rng = np.random.default_rng(17)
    covered = 0
    for _ in range(2000):
        first, second, same = rng.dirichlet(np.ones(3))
        b, c, _ = rng.multinomial(n, [first, second, same])
        covered += first - second in interval(PairCounts(int(b), int(c), n))
    return covered / 2000


@pytest.mark.laws
@pytest.mark.parametrize("n", [12, 20])
def test_interval_covers_and_the_textbook_one_does_not(n: int) -> None:
    assert 0.93 <= coverage(difference_interval, n) <= 0.97
    assert not 0.93 <= coverage(wald, n) <= 0.97


@pytest.mark.laws
def test_tests_reject_a_true_hypothesis_at_most_as_often_as_stated() -> None:
    split = np.random.default_rng(5).binomial(13, 0.5, 4000)
    exact = [two_sided_half(int(k), 13 - int(k)) for k in split]
    one_sided = [two_sided_half(int(k), 13 - int(k)) / 2 for k in split]
    allowed = 0.05 + 4 * math.sqrt(0.05 * 0.95 / 4000)
    assert np.mean(np.array(exact) <= 0.05) <= allowed
    assert np.mean(np.array(one_sided) <= 0.05) > allowed


def test_sign_test_looks_at_signs_only() -> None:
    assert sign_test(np.array([3.0, 0.1, 7.0, 0.0, 2.0, 9.0, 1.0])) == pytest.approx(2 / 64)
    assert sign_test(np.array([1.0, 1.0, -5.0])) == 1.0
    with pytest.raises(ValueError, match=r"differences\[1\] is nan"):
        sign_test(np.array([0.0, math.nan]))


def test_counting_pairs() -> None:
    first = np.array([True, True, False, False, True])
    second = np.array([True, False, True, False, False])
    assert count_pairs(first, second) == PairCounts(2, 1, 5)
    with pytest.raises(TypeError, match="float64 and bool"):
        count_pairs(first.astype(float), second)
    with pytest.raises(ValueError, match="same tasks"):
        count_pairs(first, second[:3])


@pytest.mark.parametrize("bad", [(-1, 0, 3), (0, -1, 3), (2, 2, 3), (0, 0, 0)])
def test_impossible_counts_are_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="expected at least"):
        PairCounts(*bad)
