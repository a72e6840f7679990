from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from outthink.numerics import (
    FloatArray,
    effective_sample_size,
    log_mean_exp,
    log_normalise,
    log_odds,
    log_probability,
    log_sum_exp,
    normalise,
)

finite = arrays(np.float64, st.integers(1, 40), elements=st.floats(-700, 700))
shifts = st.floats(-1e4, 1e4)


def test_known_sums() -> None:
    log_w = np.log([1.0, 2.0, 5.0])
    assert log_sum_exp(log_w) == pytest.approx(math.log(8))
    assert log_mean_exp(log_w) == pytest.approx(math.log(8 / 3))
    assert normalise(log_w) == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert np.exp(log_normalise(log_w)) == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert effective_sample_size(log_w) == pytest.approx(64 / 30)


@pytest.mark.parametrize("scale", [60.0, 800.0, 1e6, 1e308])
def test_rewards_far_outside_the_range_of_exp_stay_exact(scale: float) -> None:
    up, down = np.array([scale, scale, 0.0]), np.array([-scale, -scale])
    assert log_sum_exp(up) == pytest.approx(scale + math.log(2))
    assert log_sum_exp(down) == pytest.approx(-scale + math.log(2))
    assert normalise(down) == pytest.approx([0.5, 0.5])
    assert normalise(up)[:2] == pytest.approx([0.5, 0.5])
    assert effective_sample_size(up) == pytest.approx(2.0)


def test_a_gap_wider_than_floating_point_is_weight_zero() -> None:
    log_w = np.array([-1.7e308, 1.7e308])
    assert normalise(log_w).tolist() == [0.0, 1.0]
    assert log_normalise(log_w).tolist() == [-math.inf, 0.0]


def test_rejected_members_have_weight_zero() -> None:
    log_w = np.array([-math.inf, 0.0, -math.inf, 0.0])
    assert normalise(log_w).tolist() == [0.0, 0.5, 0.0, 0.5]
    assert log_normalise(log_w).tolist() == [-math.inf, -math.log(2), -math.inf, -math.log(2)]
    assert log_mean_exp(log_w) == pytest.approx(math.log(0.5))
    assert effective_sample_size(log_w) == 2.0


def test_when_all_are_rejected_sums_are_zero_and_weights_are_refused() -> None:
    log_w = np.full(3, -math.inf)
    assert log_sum_exp(log_w) == -math.inf
    assert log_mean_exp(log_w) == -math.inf
    for function in (normalise, log_normalise, effective_sample_size):
        with pytest.raises(ValueError, match="every member was rejected: all 3"):
            function(log_w)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("function", [log_sum_exp, log_mean_exp, normalise, log_normalise, effective_sample_size])
def test_a_bad_entry_is_named(function: Callable[[FloatArray], object], bad: float) -> None:
    with pytest.raises(ValueError, match=r"log_w\[2\] is (nan|inf)"):
        function(np.array([0.0, -math.inf, bad, bad]))


def test_empty_and_two_dimensional_inputs() -> None:
    assert log_sum_exp(np.array([])) == -math.inf
    with pytest.raises(ValueError, match="empty"):
        log_mean_exp(np.array([]))
    with pytest.raises(ValueError, match="all 0 log-weights"):
        normalise(np.array([]))
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        normalise(np.zeros((2, 2)))


@given(finite, shifts)
def test_weights_sum_to_one_and_ignore_a_common_shift(log_w: FloatArray, shift: float) -> None:
    weights = normalise(log_w)
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert (weights >= 0).all()
    assert normalise(log_w + shift) == pytest.approx(weights, abs=1e-9)
    assert np.exp(log_normalise(log_w)) == pytest.approx(weights, abs=1e-12)
    assert log_sum_exp(log_w + shift) == pytest.approx(log_sum_exp(log_w) + shift, abs=1e-9)


@given(finite)
def test_effective_sample_size_lies_between_one_and_n(log_w: FloatArray) -> None:
    weights = normalise(log_w)
    assert 1.0 <= effective_sample_size(log_w) <= len(log_w)
    assert effective_sample_size(log_w) == pytest.approx(1.0 / (weights**2).sum())
    assert effective_sample_size(np.zeros(len(log_w))) == len(log_w)


@given(st.integers(1, 30), st.data())
def test_one_survivor_has_all_the_weight(n: int, data: st.DataObject) -> None:
    survivor = data.draw(st.integers(0, n - 1))
    log_w = np.where(np.arange(n) == survivor, -123.0, -math.inf)
    assert normalise(log_w).tolist() == (np.arange(n) == survivor).astype(float).tolist()
    assert effective_sample_size(log_w) == 1.0


def test_log_odds_of_known_scores() -> None:
    values, clipped = log_odds(np.array([0.5, 0.8, 0.2]))
    assert values == pytest.approx([0.0, math.log(4), -math.log(4)])
    assert clipped == 0
    values, clipped = log_odds(np.array([0.0, 1.0, 1e-9, 0.5]))
    assert values[:3] == pytest.approx([-16.118, 16.118, -16.118], abs=1e-3)
    assert clipped == 3


def test_log_probability_clips_from_below_only() -> None:
    values, clipped = log_probability(np.array([1.0, 0.4, 0.0]))
    assert values == pytest.approx([0.0, math.log(0.4), math.log(1e-7)])
    assert clipped == 1
    assert log_probability(np.array([0.0]), eps=1e-3).values == pytest.approx([math.log(1e-3)])


@given(arrays(np.float64, st.integers(1, 20), elements=st.floats(0, 1)))
def test_log_odds_are_finite_odd_and_invert_to_the_score(p: FloatArray) -> None:
    values = log_odds(p).values
    assert np.isfinite(values).all()
    assert log_odds(1.0 - p).values == pytest.approx(-values, abs=1e-9)
    assert 1.0 / (1.0 + np.exp(-values)) == pytest.approx(p, abs=2e-7)


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan, math.inf])
def test_scores_outside_the_unit_interval_are_refused_by_index(bad: float) -> None:
    for function in (log_odds, log_probability):
        with pytest.raises(ValueError, match=r"p\[1\] is .*expected a number in \[0, 1\]"):
            function(np.array([0.5, bad]))


@pytest.mark.parametrize("eps", [0.0, 0.5, -1.0, math.nan])
def test_a_clipping_margin_must_leave_room(eps: float) -> None:
    with pytest.raises(ValueError, match="clipping margin"):
        log_odds(np.array([0.5]), eps=eps)
