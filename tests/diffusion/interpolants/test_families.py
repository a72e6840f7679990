"""Interpolants begin at the base, end at the target, and say how fast they change; gamma's product is finite where its rate is not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.needs import need

need("torch")

from outthink.core import SettingsError
from outthink.diffusion.interpolants import (
    BrownianBridge,
    EncodingDecoding,
    Interpolant,
    LinearInterpolant,
    Mirror,
    Noiseless,
    OneSided,
    Parabolic,
    Sigmoidal,
    SineSquared,
    TrigonometricInterpolant,
)
from outthink.diffusion.paths import VariancePreserving
from tests.diffusion.interpolants.shared import ALL, ONE_SIDED, TWO_SIDED, label, times

INSIDE = times(0.05, 0.21, 0.4, 0.63, 0.8, 0.95)


@pytest.mark.parametrize("interpolant", TWO_SIDED, ids=label)
def test_two_sided_ones_hold_both_ends(interpolant: Interpolant) -> None:
    mix = interpolant.at(times(0.0, 1.0))
    assert np.allclose([mix.base, mix.target, mix.noise], [[1, 0], [0, 1], [0, 0]], atol=1e-12)


@pytest.mark.parametrize("interpolant", ONE_SIDED, ids=label)
def test_one_sided_ones_go_from_noise_to_data(interpolant: Interpolant) -> None:
    mix = interpolant.at(times(0.0, 1.0))
    # The variance-preserving path keeps a little of the data at its noisiest.
    tolerance = (
        1e-2 if isinstance(interpolant, OneSided) and isinstance(interpolant.path, VariancePreserving) else 1e-12
    )
    assert np.allclose([mix.base, mix.target, mix.noise], [[0, 0], [0, 1], [1, 0]], atol=tolerance)


@pytest.mark.parametrize("interpolant", ALL, ids=label)
def test_rates_are_derivatives(interpolant: Interpolant) -> None:
    step = 1e-6
    mix, later, sooner = (interpolant.at(INSIDE + shift) for shift in (0.0, step, -step))
    for name in ("base", "target", "noise"):
        slope = (getattr(later, name) - getattr(sooner, name)) / (2 * step)
        assert np.allclose(getattr(mix, f"{name}_rate"), slope, atol=1e-6)
    assert np.allclose(mix.noise_product, mix.noise * mix.noise_rate, atol=1e-12)


@pytest.mark.parametrize(
    "gamma", [BrownianBridge(scale=2.0), Parabolic(), SineSquared(), Sigmoidal()], ids=lambda g: g.name()
)
def test_gamma_is_positive_inside_and_its_product_finite_everywhere(gamma) -> None:  # type: ignore[no-untyped-def]
    at = gamma.at(np.linspace(0.0, 1.0, 101))
    assert (at.value[1:-1] > 0).all()
    assert np.allclose(at.value[[0, -1]], 0.0, atol=1e-12)
    assert np.isfinite(at.product).all()
    assert gamma.blows_up == (not np.isfinite(at.rate).all())


def test_the_product_has_its_limit_where_the_rate_is_infinite() -> None:
    assert BrownianBridge(scale=2.0).at(times(0.0, 1.0)).product.tolist() == [1.0, -1.0]
    for interpolant in ONE_SIDED:
        near, end = interpolant.at(times(1.0 - 1e-9)), interpolant.at(times(1.0))
        assert np.allclose(near.noise_product, end.noise_product, atol=1e-6)


def test_which_paths_keep_the_variance() -> None:
    """Spec 30: with unit-variance ends, a^2 + b^2 + g^2 = 1 for the linear family with A = 2 and the preserving trigonometric one."""

    def total(interpolant: Interpolant) -> np.ndarray:
        mix = interpolant.at(INSIDE)
        return mix.base**2 + mix.target**2 + mix.noise**2

    for keeps in (LinearInterpolant(gamma=BrownianBridge(scale=2.0)), TrigonometricInterpolant(preserving=True)):
        assert np.abs(total(keeps) - 1.0).max() < 1e-12
    for loses in (LinearInterpolant(), TrigonometricInterpolant(), EncodingDecoding()):
        assert np.abs(total(loses) - 1.0).max() > 0.1


def test_backward_twice_is_the_same() -> None:
    for interpolant in ALL:
        mix, back = interpolant.at(INSIDE), interpolant.backward().at(1.0 - INSIDE)
        assert np.allclose(mix.base, back.target)
        assert np.allclose(mix.noise_rate, -back.noise_rate)
        again = interpolant.backward().backward().at(INSIDE)
        assert np.allclose(mix.target_rate, again.target_rate)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(SettingsError, match="moves nothing"):
        Mirror(gamma=Noiseless())
    with pytest.raises(SettingsError, match="all noise"):
        TrigonometricInterpolant(gamma=BrownianBridge(scale=4.0), preserving=True)
    assert math.isclose(TrigonometricInterpolant(preserving=True).at(times(0.5)).noise[0], 0.5)
