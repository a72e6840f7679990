"""What a measurement is worth, against numbers from the sheet, draws, and each other in the limits where they must agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from outthink.tune.acquisition import (
    batch_improvement,
    expected_improvement,
    knowledge_gradient,
    knowledge_gradient_slope,
    log_expected_improvement,
    log_feasible,
    noisy_improvement,
    slopes,
)
from outthink.tune.envelope import expected_gain
from outthink.tune.evidence import Counts, repeated
from outthink.tune.kernels import Gaussian
from outthink.tune.posterior import Posterior

X, Y = np.array([[0.1], [0.5], [0.8]]), np.array([0.2, 0.9, -0.3])


def after(noise: float) -> Posterior:
    return Posterior(Gaussian(np.array([0.3])), X, repeated(Counts.of(3, [0, 1, 2], Y), noise))


@pytest.mark.parametrize(
    ("ahead", "deviation", "told"), [(1, 1, 1.083315), (-1, 1, 0.083315), (0, 1, 0.398942), (0.5, 0.2, 0.500401)]
)
def test_expected_improvement(ahead: float, deviation: float, told: float) -> None:
    found = float(expected_improvement(np.array(ahead), np.array(deviation)))
    assert found == pytest.approx(told, abs=1e-6)
    draws = ahead + deviation * np.random.default_rng(0).standard_normal(4_000_000)
    assert abs(np.maximum(draws, 0.0).mean() - found) < 1e-3
    # The formula as the tutorial prints it is wrong above the incumbent.
    printed = max(ahead, 0.0) + deviation * norm.pdf(ahead / deviation) - abs(ahead) * norm.cdf(ahead / deviation)
    assert (abs(printed - found) > 1e-3) == (ahead > 0)


def test_its_logarithm_stays_finite_far_below() -> None:
    z = np.array([3.0, 0.0, -0.5, -2.0, -8.0, -20.0])
    assert np.allclose(log_expected_improvement(z, np.ones(6)), np.log(expected_improvement(z, np.ones(6))), rtol=1e-6)
    far = log_expected_improvement(np.array([-60.0, -99.9, -100.1, -1000.0]), np.ones(4))
    assert np.isfinite(far).all()
    # log density(z) - 2 log |z|, and continuous where the expansion takes over.
    assert far[3] == pytest.approx(-0.5 * 1e6 - 0.5 * math.log(2 * math.pi) - 2 * math.log(1000.0), abs=1e-4)
    slope = (far[2] - far[1]) / -0.2
    assert slope == pytest.approx(100.0, rel=0.01)
    assert log_expected_improvement(np.array([2.0, -1.0]), np.zeros(2)).tolist() == [math.log(2.0), -math.inf]


def test_the_expected_maximum_of_lines() -> None:
    rng = np.random.default_rng(1)
    assert expected_gain(np.zeros(2), np.array([1.0, 0.0])) == pytest.approx(0.398942, abs=1e-6)
    assert expected_gain(np.array([1.0, 0.0]), np.zeros(2)) == 0.0
    normals = rng.standard_normal(2_000_000)
    for seed in range(4):
        a, b = np.random.default_rng(seed).normal(size=(2, 8))
        if seed == 3:
            b[2] = b[5]
        top = np.full(len(normals), -np.inf)
        for one, slope in zip(a, b, strict=True):
            np.maximum(top, one + slope * normals, out=top)
        error = top.std() / math.sqrt(len(top))
        assert abs(expected_gain(a, b) - (top.mean() - a.max())) < 3.5 * error


def test_without_noise_the_noisy_rule_is_expected_improvement() -> None:
    x = np.array([[0.3]])
    for noise, told in ((0.1, 0.041696), (1e-2, 0.056737), (1e-4, 0.064679), (1e-8, 0.064782)):
        assert noisy_improvement(after(noise), X, x, noise)[0] == pytest.approx(told, abs=1e-6)
    exact = after(1e-10)
    ahead, deviation = exact.mean(x) - 0.9, np.sqrt(exact.variance(x))
    assert expected_improvement(ahead, deviation)[0] == pytest.approx(0.064782, abs=1e-5)


def test_measuring_again_can_be_worth_it_under_noise() -> None:
    known = after(0.5)
    assert noisy_improvement(known, X, X[[1]], 0.5)[0] > 1e-3
    assert noisy_improvement(after(1e-9), X, X[[1]], 1e-9)[0] < 1e-6


def test_the_knowledge_gradient_is_the_expected_rise_of_the_best_mean() -> None:
    known, grid, x, noise = after(0.1), np.linspace(0, 1, 21)[:, None], np.array([[0.3], [0.9]]), 0.1
    found = knowledge_gradient(known, grid, x, noise)
    rng = np.random.default_rng(2)
    for j in range(2):
        # Draw the value, condition anew on all four, look at the best mean.
        deviation = math.sqrt(known.variance(x[[j]])[0] + noise)
        values = known.mean(x[[j]])[0] + deviation * rng.standard_normal(4000)
        points = np.concatenate([X, x[[j]]])
        rises = [
            Posterior(known.kernel, points, repeated(Counts.of(4, range(4), [*Y, value]), noise)).mean(grid).max()
            for value in values
        ]
        error = float(np.std(rises)) / math.sqrt(len(rises))
        assert abs(found[j] - (np.mean(rises) - known.mean(grid).max())) < 3.5 * error
    assert (knowledge_gradient(known, grid, x, noise) >= noisy_improvement(known, X, x, noise) - 1e-12).sum() >= 1


def test_conditions_are_averaged() -> None:
    # The function of (x, condition); what is wanted is its average over two conditions.
    kernel = Gaussian(np.array([0.3, 0.8]))
    points = np.array([[0.1, 0.0], [0.5, 1.0], [0.8, 0.0]])
    known = Posterior(kernel, points, repeated(Counts.of(3, [0, 1, 2], Y), 0.05))
    weights = np.array([0.25, 0.75])
    grid = np.array([[[a, 0.0], [a, 1.0]] for a in np.linspace(0, 1, 9)])
    x = np.array([[0.4, 1.0]])
    found = knowledge_gradient(known, grid, x, 0.05, weights=weights)[0]
    flat = grid.reshape(-1, 2)
    mean = known.mean(flat).reshape(-1, 2) @ weights
    covariance = known.covariance(flat, x).reshape(-1, 2) @ weights
    by_hand = expected_gain(mean, covariance / math.sqrt(known.variance(x)[0] + 0.05))
    assert found == pytest.approx(by_hand, rel=1e-12)
    # What one condition alone would say is another number.
    assert abs(found - knowledge_gradient(known, grid[:, 1], x, 0.05)[0]) > 1e-3


def test_the_frozen_gradient_is_unbiased() -> None:
    known, noise = after(0.1), 0.1
    grid, x = np.linspace(0, 1, 41)[:, None], np.array([0.3])
    normals = np.random.default_rng(3).standard_normal(4000)
    told = np.mean([knowledge_gradient_slope(known, grid, x, noise, float(z))[0] for z in normals])

    def gain(at: float) -> float:
        moved = known.mean(grid)[:, None] + slopes(known, grid, np.array([[at]]), noise) * normals[None]
        return float(moved.max(0).mean())

    assert told == pytest.approx((gain(0.301) - gain(0.299)) / 0.002, rel=0.02)


def test_a_batch_is_worth_more_than_its_best_and_less_than_the_sum() -> None:
    known = after(0.01)
    normals = np.random.default_rng(4).standard_normal((200_000, 2))
    pair = np.array([[0.3], [0.38]])
    ones = [
        float(expected_improvement(known.mean(pair[[i]]) - 0.9, np.sqrt(known.variance(pair[[i]])))[0]) for i in (0, 1)
    ]
    both = batch_improvement(known, pair, 0.9, normals)
    assert max(ones) < both < sum(ones)
    alone = batch_improvement(known, pair[[0]], 0.9, normals[:, :1])
    assert alone == pytest.approx(ones[0], rel=0.02)


def test_constraints_multiply() -> None:
    mean, deviation = np.array([[0.0], [1.0]]), np.array([[1.0], [0.5]])
    assert log_feasible(mean, deviation)[0] == pytest.approx(math.log(0.5 * norm.cdf(2.0)), rel=1e-9)
