"""Spacings: what the sheets say, from noise to data, and a grid takes them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.needs import need

need("torch")

from outthink.core import SettingsError
from outthink.diffusion import Flow, Grid, Path, VarianceExploding, VariancePreserving
from outthink.diffusion.spacings import by_ratio, even, fine_at_noise, shifted


@pytest.mark.parametrize("times", [even(10), fine_at_noise(10), shifted(even(10), 3.0), shifted(even(10), 0.2)])
def test_times_fall_from_noise_to_data(times: np.ndarray) -> None:
    assert (times[0], times[-1]) == (1.0, 0.0)
    assert (np.diff(times) < 0).all()
    assert Grid.on(Flow(), times).steps == 10


def test_steps_at_the_noisy_end_are_small() -> None:
    """Spec 20, item 4: tau_i = 1 - i / M, r_i = sqrt(1 - (1 - tau_i)^2)."""
    tau = 1.0 - np.arange(11) / 10
    assert np.allclose(fine_at_noise(10), np.sqrt(1.0 - (1.0 - tau) ** 2), rtol=0, atol=1e-15)
    steps = -np.diff(fine_at_noise(10))
    assert (np.diff(steps) > 0).all()


def test_a_shift_multiplies_the_ratio() -> None:
    times = even(10)[1:-1]
    before, after = Grid.on(Flow(), times).levels.ratio, Grid.on(Flow(), shifted(times, 3.0)).levels.ratio
    assert np.allclose(after, 3.0 * before)
    assert np.allclose(shifted(times, 1.0), times)
    with pytest.raises(SettingsError, match="positive factor"):
        shifted(times, 0.0)


@pytest.mark.parametrize("path", [Flow(), VariancePreserving(), VarianceExploding()], ids=lambda p: p.name())
def test_levels_by_their_ratio(path: Path) -> None:
    levels = Grid.on(path, by_ratio(path, 8, 0.02, 70.0)).levels
    assert levels.ratio[[0, 7, 8]] == pytest.approx([70.0, 0.02, 0.0])
    assert np.allclose(np.diff(levels.ratio[:8] ** (1 / 7), n=2), 0.0, atol=1e-9)
