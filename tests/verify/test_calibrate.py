"""Curves from scores to chances: right on data whose truth is known, and monotone."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.core import InputError
from outthink.verify.calibrate import calibration_error, curve_of, isotonic, platt


def data(n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    rng = np.random.default_rng(3)
    scores = rng.normal(size=n)
    truth = 1.0 / (1.0 + np.exp(-(2.0 * scores - 1.0)))
    return scores, truth, rng.random(n) < truth


def test_platt_finds_the_sigmoid_that_made_the_labels() -> None:
    scores, truth, right = data()
    curve = platt(scores, right)
    assert curve.slope == pytest.approx(2.0, abs=0.1)
    assert curve.offset == pytest.approx(-1.0, abs=0.06)
    assert calibration_error(curve(scores), right) < 0.015
    # Raw scores squashed without a fit are far off: the measure sees it.
    assert calibration_error(1.0 / (1.0 + np.exp(-scores)), right) > 0.05
    assert np.abs(curve(scores) - truth).max() < 0.02


def test_isotonic_follows_any_rising_curve() -> None:
    rng = np.random.default_rng(4)
    scores = rng.random(20_000)
    truth = np.where(scores < 0.3, 0.1, np.where(scores < 0.7, 0.4, 0.95))
    right = rng.random(20_000) < truth
    curve = isotonic(scores, right)
    assert (np.diff(curve.chances) >= 0).all()
    for at, chance in ((0.1, 0.1), (0.5, 0.4), (0.9, 0.95)):
        assert curve(np.array([at]))[0] == pytest.approx(chance, abs=0.05)
    # The best sigmoid cannot: steps are no sigmoid.
    assert calibration_error(platt(scores, right)(scores), right) > 2 * calibration_error(curve(scores), right)


def test_pooling_by_hand() -> None:
    curve = isotonic(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True]))
    assert list(curve(np.array([0.0, 1.0, 2.0, 3.0, 4.0, 9.0]))) == [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]
    ties = isotonic(np.array([1.0, 1.0, 2.0]), np.array([True, False, True]))
    assert list(ties(np.array([1.0, 2.0]))) == [0.5, 1.0]


def test_curves_survive_a_file() -> None:
    scores, _, right = data(500)
    for curve in (platt(scores, right), isotonic(scores, right)):
        again = curve_of(curve.tensors())
        assert np.array_equal(again(scores), curve(scores))
    with pytest.raises(InputError, match="no calibration"):
        curve_of({})


def test_one_kind_of_label_teaches_nothing() -> None:
    for fit in (platt, isotonic):
        with pytest.raises(InputError):
            fit(np.arange(3.0), np.array([True, True, True]))
