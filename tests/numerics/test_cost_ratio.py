from __future__ import annotations

import numpy as np
import pytest

from outthink.numerics.cost_ratio import Curve, cost_to_reach, ratio_at_levels


def curve(costs: list[float], values: list[float], tasks: int = 50) -> Curve:
    """A curve without noise: every task costs and gives the same."""
    return Curve(np.tile(costs, (tasks, 1)), np.tile(values, (tasks, 1)))


def test_cost_is_read_linearly_in_its_logarithm() -> None:
    cost, value = np.array([100.0, 400.0]), np.array([0.2, 0.6])
    assert cost_to_reach(cost, value, 0.4) == pytest.approx(200.0)
    assert cost_to_reach(cost, value, 0.2) == 100.0
    assert cost_to_reach(cost, value, 0.1) == 100.0
    assert cost_to_reach(cost, value, 0.61) == float("inf")


def test_a_method_that_is_the_baseline_at_a_quarter_of_the_cost_is_four_times_cheaper_at_every_level() -> None:
    costs, values = [100.0, 200.0, 400.0, 800.0], [0.2, 0.4, 0.5, 0.7]
    ratios = ratio_at_levels(
        curve(costs, values), curve([c / 4 for c in costs], values), np.random.default_rng(0), resamples=50
    )
    assert [r.ratio for r in ratios] == pytest.approx([4.0] * 4)
    assert [r.level for r in ratios] == pytest.approx([0.325, 0.45, 0.575, 0.7])
    assert all(r.interval.low == pytest.approx(4.0) and r.interval.high == pytest.approx(4.0) for r in ratios)
    assert not any(r.at_most for r in ratios)


def test_a_level_that_is_never_reached_is_a_ratio_of_zero() -> None:
    baseline, method = curve([10.0, 100.0], [0.1, 0.9]), curve([10.0, 100.0], [0.1, 0.5])
    last = ratio_at_levels(baseline, method, np.random.default_rng(0), resamples=20)[-1]
    assert last.ratio == 0.0
    assert last.method_cost == float("inf")
    assert (last.interval.low, last.interval.high) == (0.0, 0.0)


def test_a_dip_is_no_loss_since_nobody_needs_the_larger_size() -> None:
    cost, value = curve([1.0, 2.0, 4.0], [0.5, 0.3, 0.7]).mean()
    assert value.tolist() == pytest.approx([0.5, 0.5, 0.7])
    assert cost.tolist() == [1.0, 2.0, 4.0]


def test_sizes_are_ordered_by_what_they_cost() -> None:
    cost, value = curve([4.0, 1.0, 2.0], [0.9, 0.1, 0.5]).mean()
    assert cost.tolist() == [1.0, 2.0, 4.0]
    assert value.tolist() == pytest.approx([0.1, 0.5, 0.9])


def test_a_method_better_at_its_smallest_size_says_that_its_cost_is_an_upper_bound() -> None:
    first = ratio_at_levels(
        curve([10.0, 100.0], [0.1, 0.3]), curve([20.0, 40.0], [0.5, 0.6]), np.random.default_rng(0), resamples=20
    )[0]
    assert first.at_most
    assert first.method_cost == 20.0


@pytest.mark.parametrize("paired", [True, False])
def test_the_interval_covers_the_truth_and_drawing_tasks_apart_would_be_far_too_wide(paired: bool) -> None:
    # Tasks differ wildly in cost, alike for both sides; the method costs a third of the baseline on every task, up to 10% of noise.
    rng = np.random.default_rng(5)
    trials, covered, width = 60, 0, 0.0
    for _ in range(trials):
        scale = rng.lognormal(0.0, 1.0, size=(80, 1))
        hard = rng.random((80, 1))
        value = (hard < np.array([[0.2, 0.4, 0.6, 0.8]])).astype(float)
        base = Curve(300 * scale * np.array([[1.0, 2.0, 4.0, 8.0]]), value)
        cost = base.cost / 3 * rng.lognormal(0.0, 0.1, size=base.cost.shape)
        method = Curve(cost, value) if paired else Curve(cost[::-1], value[::-1])
        middle = ratio_at_levels(base, method, rng, resamples=150, quarters=(0.5,))[0]
        covered += 3.0 in middle.interval
        width += middle.interval.width / trials
    if paired:
        assert covered >= 0.85 * trials
        assert width < 0.5
    else:
        assert width > 1.0


@pytest.mark.parametrize(
    ("cost", "value"),
    [
        (np.ones((2, 2)), np.ones((2, 3))),
        (np.ones(3), np.ones(3)),
        (np.ones((2, 1)), np.full((2, 1), np.nan)),
        (np.zeros((2, 1)), np.ones((2, 1))),
        (np.ones((0, 1)), np.ones((0, 1))),
    ],
)
def test_curves_that_mean_nothing_are_refused(cost: np.ndarray, value: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected|finite"):
        Curve(cost, value)


def test_different_tasks_are_refused() -> None:
    with pytest.raises(ValueError, match="expected the same"):
        ratio_at_levels(curve([1.0], [1.0], 3), curve([1.0], [1.0], 4), np.random.default_rng(0))
