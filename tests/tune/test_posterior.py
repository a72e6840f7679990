"""The reduced posterior against the full one, value by value; kernels and evidence against numbers worked out apart."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from outthink.core.errors import InputError, SettingsError
from outthink.numerics.types import FloatArray
from outthink.tune.evidence import Counts, Noises, PairedTable, paired, repeated
from outthink.tune.fitting import fit
from outthink.tune.kernels import Gaussian, Kernel, Matern
from outthink.tune.posterior import Posterior, merged

REPEATS = (1, 3, 7, 2, 5, 4)


def full(kernel: Kernel, x: FloatArray, y: FloatArray, noise: float, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The textbook posterior on all values."""
    inverse = np.linalg.inv(kernel(x, x) + noise * np.eye(len(x)))
    cross = kernel(at, x)
    return cross @ inverse @ y, kernel.at(at) - np.einsum("ij,jk,ik->i", cross, inverse, cross)


def drawn(seed: int = 0) -> tuple[FloatArray, FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    points = rng.random((6, 2))
    which = np.repeat(np.arange(6), REPEATS)
    return points, which, rng.normal(size=len(which))


@pytest.mark.parametrize(
    "kernel", [Gaussian(np.array([0.3, 0.6])), Matern(np.array([0.3, 0.6]), 1.3, 0.0, 0.2, nu=1.5)]
)
def test_counts_give_the_posterior_of_all_values(kernel: Kernel) -> None:
    points, which, values = drawn()
    at = np.random.default_rng(1).random((50, 2))
    known = Posterior(kernel, points, repeated(Counts.of(6, which, values), 0.3))
    mean, variance = full(kernel, points[which], values, 0.3, at)
    assert np.abs(known.mean(at) - mean).max() < 1e-10
    assert np.abs(known.variance(at) - variance).max() < 1e-10
    assert np.abs(np.diag(known.covariance(at, at)) - variance).max() < 1e-10
    # A posterior that takes the means for single values is another one.
    careless = Posterior(kernel, points, repeated(Counts.of(6, np.arange(6), Counts.of(6, which, values).mean), 0.3))
    assert np.abs(careless.mean(at) - mean).max() > 1e-3


def test_the_evidence_is_that_of_all_values() -> None:
    points, which, values = drawn()
    kernel = Gaussian(np.array([0.3, 0.6]))
    for level in (0.0, 0.7):
        known = Posterior(kernel, points, repeated(Counts.of(6, which, values), 0.3), level)
        x = points[which]
        exact = multivariate_normal(np.full(22, level), kernel(x, x) + 0.3 * np.eye(22)).logpdf(values)
        assert known.log_evidence == pytest.approx(exact, abs=1e-9)


def test_questions_in_common_are_integrated_out() -> None:
    rng = np.random.default_rng(3)
    points = rng.random((5, 2))
    kernel = Matern(np.array([0.4, 0.4]), 0.5, 0.2)
    values = np.where(rng.random((5, 8)) < 0.6, rng.normal(size=(5, 8)), np.nan)
    values[0] = np.nan  # a point without values
    known = Posterior(
        kernel, points, paired(PairedTable.of(values), Noises(0.3, 0.2, 0.4), np.array([0, 0, 1, 1, 2])), 0.25
    )
    cell = [(i, w) for i in range(5) for w in range(8) if not np.isnan(values[i, w])]
    which, asked = np.array(cell).T
    y = values[which, asked]
    same = (asked[:, None] == asked[None, :]).astype(float)
    drawn = same * (np.array([0, 0, 1, 1, 2])[which][:, None] == np.array([0, 0, 1, 1, 2])[which][None, :])
    covariance = kernel(points[which], points[which]) + 0.4 * same + 0.2 * drawn + 0.3 * np.eye(len(y))
    assert known.log_evidence == pytest.approx(
        multivariate_normal(np.full(len(y), 0.25), covariance).logpdf(y), abs=1e-9
    )
    at = rng.random((20, 2))
    cross = kernel(at, points[which])
    inverse = np.linalg.inv(covariance)
    assert np.abs(known.mean(at) - 0.25 - cross @ inverse @ (y - 0.25)).max() < 1e-9
    assert np.abs(known.variance(at) - kernel.at(at) + np.einsum("ij,jk,ik->i", cross, inverse, cross)).max() < 1e-9


def test_without_difficulty_questions_are_repeats() -> None:
    values = np.random.default_rng(4).normal(size=(3, 5))
    points = np.array([[0.1], [0.4], [0.9]])
    kernel = Gaussian(np.array([0.3]))
    one = Posterior(kernel, points, paired(PairedTable.of(values), Noises(0.2)))
    other = Posterior(kernel, points, repeated(Counts.of(3, np.repeat(np.arange(3), 5), values.ravel()), 0.2))
    assert one.log_evidence == pytest.approx(other.log_evidence, abs=1e-10)
    assert np.allclose(one.mean(points), other.mean(points), atol=1e-12)


def test_matern_numbers() -> None:
    one, zero = np.array([[0.7]]), np.array([[0.0]])
    assert Matern(np.ones(1), nu=0.5)(one, zero)[0, 0] == pytest.approx(0.496585, abs=1e-6)
    # The sheet writes 5/2 with sqrt(5) r in both factors, as here.
    assert Matern(np.ones(1), nu=2.5)(one, zero)[0, 0] == pytest.approx(0.706943, abs=1e-6)
    with pytest.raises(SettingsError, match="no closed form"):
        Matern(np.ones(1), nu=0.7)


def test_a_point_measured_twice_is_one_point_with_half_the_noise() -> None:
    kernel = Gaussian(np.array([0.3]))
    points = np.array([[0.2], [0.7]])
    twice = Posterior(kernel, points, repeated(Counts.of(2, [0, 0, 1], [1.0, 2.0, 0.5]), 0.1))
    halved = Posterior(kernel, points, repeated(Counts.of(2, [0, 1], [1.5, 0.5]), np.array([0.05, 0.1])))
    at = np.linspace(0, 1, 11)[:, None]
    assert np.abs(twice.mean(at) - halved.mean(at)).max() < 1e-10
    assert np.abs(twice.variance(at) - halved.variance(at)).max() < 1e-10


def test_sticking_widens_no_width_by_more_than_the_rule_says() -> None:
    points, which, values = drawn(5)
    kernel, noise = Gaussian(np.array([0.3, 0.6])), 0.3
    counts = Counts.of(6, which, values)
    before = Posterior(kernel, points, repeated(counts, noise))
    at = np.random.default_rng(6).random((50, 2))
    for more in (1, 5, 20):
        after = Posterior(kernel, points, repeated(replace(counts, n=counts.n + more * np.eye(6, dtype=int)[2]), noise))
        bound = 1.0 + more * before.variance(points[[2]])[0] / noise
        assert (before.variance(at) / after.variance(at) <= bound + 1e-9).all()
        assert before.variance(points[[2]])[0] / after.variance(points[[2]])[0] == pytest.approx(bound, abs=1e-8)


def test_the_gradient_that_is_climbed_is_the_slope_of_the_evidence() -> None:
    from outthink.tune.fitting import _kernel_gradient

    points, which, values = drawn(7)
    evidence = repeated(Counts.of(6, which, values), 0.3)
    for family in (
        Gaussian(np.array([0.3, 0.6]), 1.4),
        Matern(np.array([0.3, 0.6]), 1.4, 0.2),
        Matern(np.array([0.3, 0.6]), nu=0.5),
    ):
        told = _kernel_gradient(Posterior(family, points, evidence))
        theta = np.log([*family.lengths, family.variance])
        for i in range(3):
            sides = []
            for step in (1e-5, -1e-5):
                moved = np.exp(theta + step * np.eye(3)[i])
                kernel = replace(family, lengths=moved[:2], variance=float(moved[2]))
                sides.append(Posterior(kernel, points, evidence).log_evidence)
            assert told[i] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5, abs=1e-7)


def test_fitting_finds_the_noise_and_which_coordinate_matters() -> None:
    rng = np.random.default_rng(8)
    points = rng.random((40, 2))
    which = np.repeat(np.arange(40), 6)
    values = np.sin(6.0 * points[which, 0]) + rng.normal(0.0, 0.3, len(which))
    found = fit(
        points, lambda noises: repeated(Counts.of(40, which, values), noises[0]), level=0.0, noises=np.array([0.5])
    )
    assert math.sqrt(found.noises[0]) == pytest.approx(0.3, rel=0.2)
    assert found.known.kernel.lengths[1] > 3.0 * found.known.kernel.lengths[0]
    assert found.signal
    flat = rng.normal(0.0, 0.3, len(which))
    assert not fit(
        points, lambda noises: repeated(Counts.of(40, which, flat), noises[0]), level=0.0, noises=np.array([0.5])
    ).signal


def test_points_that_are_the_same_are_merged() -> None:
    points, which = merged(np.array([[0.1, 0.2], [0.5, 0.5], [0.1, 0.2 + 1e-12]]), np.array([0.3, 0.3]))
    assert points.tolist() == [[0.1, 0.2], [0.5, 0.5]]
    assert which.tolist() == [0, 1, 0]


def test_values_that_are_not_finite_and_repeats_that_are_no_draws_are_told() -> None:
    with pytest.raises(InputError, match="not finite"):
        Counts.of(2, [0, 1], [1.0, math.nan])
    assert Counts.of(2, [0] * 5 + [1], [0.4] * 5 + [1.0]).identical
    assert not Counts.of(2, [0] * 5, [0.4, 0.4, 0.4, 0.4, 0.5]).identical
