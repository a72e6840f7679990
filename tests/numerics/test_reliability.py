from __future__ import annotations

import numpy as np
import pytest

from outthink.numerics import calibration


def test_a_calibrated_source_shows_noise_only_and_a_boastful_one_its_error() -> None:
    rng = np.random.default_rng(0)
    stated = rng.random(4000)
    right = (rng.random(4000) < stated).astype(float)
    true = calibration(stated, right)
    assert true.error < 2 * true.noise
    boast = calibration(np.sqrt(stated), right)
    assert boast.error > 5 * boast.noise
    # E (sqrt(u) - u) = 2/3 - 1/2
    assert boast.error == pytest.approx(1 / 6, abs=0.02)
    # E u(1 - u) = 1/6 is the least that a Brier score can be here.
    assert true.brier == pytest.approx(1 / 6, abs=0.01)
    assert boast.brier > true.brier


def test_the_bins_hold_what_was_said_and_seen() -> None:
    found = calibration(np.array([0.05, 0.05, 0.95, 1.0]), np.array([0.0, 1.0, 1.0, 1.0]))
    assert [(b.low, b.count, b.stated, b.right) for b in found.bins] == [(0.0, 2, 0.05, 0.5), (0.9, 2, 0.975, 1.0)]
    assert found.error == pytest.approx((0.9 + 0.05) / 4)
    assert found.n == 4


def test_what_is_no_probability_is_refused() -> None:
    with pytest.raises(ValueError, match="stated"):
        calibration(np.array([1.2]), np.array([1.0]))
    with pytest.raises(ValueError, match="one each"):
        calibration(np.array([0.5, 0.5]), np.array([1.0]))
    with pytest.raises(ValueError, match="number of samples"):
        calibration(np.zeros(0), np.zeros(0))
