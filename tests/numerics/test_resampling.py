from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.numerics import (
    RESAMPLERS,
    FloatArray,
    IntArray,
    count_bounds,
    killing,
    multinomial,
    residual,
    ssp,
    stratified,
    systematic,
)

SORTED = sorted(set(RESAMPLERS) - {"killing"})


def draw(scheme: str, weights: FloatArray, n: int, seed: int) -> IntArray:
    return RESAMPLERS[scheme](weights, n, np.random.default_rng(seed))


@st.composite
def weight_vectors(make: st.DrawFn) -> FloatArray:
    """Normalised weights with zeros, ties, whole shares and widely different sizes."""
    masses = make(st.lists(st.sampled_from([0.0, 1e-9, 0.1, 1.0, 1.0, 3.0, 1e6]), min_size=1, max_size=24))
    array = np.array(masses)
    if array.sum() == 0.0:
        array[make(st.integers(0, len(array) - 1))] = 1.0
    return array / float(array.sum())


def test_every_scheme_is_listed_by_name() -> None:
    assert dict(RESAMPLERS) == {
        "multinomial": multinomial,
        "systematic": systematic,
        "stratified": stratified,
        "residual": residual,
        "killing": killing,
        "ssp": ssp,
    }


@pytest.mark.parametrize("scheme", RESAMPLERS)
@given(weights=weight_vectors(), seed=st.integers(0, 2**32 - 1))
def test_counts_stay_within_their_bounds(scheme: str, weights: FloatArray, seed: int) -> None:
    for n in {len(weights)} if scheme == "killing" else {0, 1, len(weights), 37}:
        ancestors = draw(scheme, weights, n, seed)
        counts = np.bincount(ancestors, minlength=len(weights))
        low, high = count_bounds(scheme, weights, n)
        assert ancestors.shape == (n,)
        assert ancestors.dtype == np.int64
        assert len(counts) == len(weights)
        assert (counts >= low).all()
        assert (counts <= high).all()
        assert not counts[weights == 0.0].any()


@pytest.mark.parametrize("scheme", SORTED)
@given(weights=weight_vectors(), seed=st.integers(0, 2**32 - 1))
def test_ancestors_ascend(scheme: str, weights: FloatArray, seed: int) -> None:
    assert (np.diff(draw(scheme, weights, 20, seed)) >= 0).all()


@pytest.mark.parametrize("scheme", ["systematic", "ssp"])
@given(weights=weight_vectors(), n=st.integers(0, 64), seed=st.integers(0, 2**32 - 1))
def test_counts_are_the_floor_or_the_ceiling(scheme: str, weights: FloatArray, n: int, seed: int) -> None:
    counts = np.bincount(draw(scheme, weights, n, seed), minlength=len(weights))
    share = n * weights
    assert (counts >= np.floor(share + 1e-9) - (np.abs(share - np.rint(share)) < 1e-9)).all()
    assert (counts <= np.ceil(share - 1e-9) + (np.abs(share - np.rint(share)) < 1e-9)).all()


@pytest.mark.parametrize("scheme", RESAMPLERS)
@pytest.mark.parametrize("seed", range(5))
def test_same_generator_state_same_ancestors(scheme: str, seed: int) -> None:
    weights = np.random.default_rng(99).dirichlet(np.ones(16))
    assert (draw(scheme, weights, 16, seed) == draw(scheme, weights, 16, seed)).all()


@pytest.mark.parametrize("scheme", RESAMPLERS)
@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_one_member_with_all_the_weight_has_all_the_children(scheme: str, n: int) -> None:
    for keeper in {0, n // 2, n - 1}:
        weights = (np.arange(n) == keeper).astype(float)
        assert (draw(scheme, weights, n, 3) == keeper).all()


@pytest.mark.parametrize("scheme", ["residual", "systematic", "stratified", "killing", "ssp"])
@pytest.mark.parametrize("n", [2, 3, 10, 49, 64])
def test_equal_weights_leave_everyone_with_one_child(scheme: str, n: int) -> None:
    for seed in range(20):
        assert sorted(draw(scheme, np.full(n, 1 / n), n, seed)) == list(range(n))


@pytest.mark.parametrize("scheme", ["residual", "ssp"])
def test_whole_shares_are_certain_in_spite_of_rounding(scheme: str) -> None:
    shares = np.array([2, 4, 1, 6, 5, 2, 4])
    weights = shares / 24
    assert (np.floor(24 * (weights / weights.sum())) < shares).sum() > 1  # plain rounding down loses children
    for seed in range(50):
        assert np.bincount(draw(scheme, weights, 24, seed)).tolist() == shares.tolist()


class Fixed(np.random.Generator):
    """A generator whose uniforms are all one number: the extremes that chance does not reach."""

    def __init__(self, value: float) -> None:
        super().__init__(np.random.PCG64(0))
        self.value = value

    def random(self, size: int | None = None) -> object:  # type: ignore[override]
        return self.value if size is None else np.full(size, self.value)


@pytest.mark.parametrize("scheme", RESAMPLERS)
@pytest.mark.parametrize("uniform", [0.0, math.nextafter(1.0, 0.0)])
@given(weights=weight_vectors())
def test_extreme_uniforms_neither_leave_the_array_nor_revive_the_dead(
    scheme: str, uniform: float, weights: FloatArray
) -> None:
    ancestors = RESAMPLERS[scheme](weights, len(weights), Fixed(uniform))
    assert ancestors.shape == weights.shape
    assert (weights[ancestors] > 0.0).all()


def test_killing_keeps_survivors_in_their_slots() -> None:
    weights = np.array([0.4, 0.4, 0.1, 0.1])
    for seed in range(200):
        assert draw("killing", weights, 4, seed)[:2].tolist() == [0, 1]


def test_ssp_rounds_neighbours_against_each_other() -> None:
    """With shares of one half each, just one of members 0 and 1 has a child, and just one of 2 and 3."""
    pairs = {tuple(draw("ssp", np.full(4, 0.25), 2, seed).tolist()) for seed in range(100)}
    assert pairs == {(0, 2), (0, 3), (1, 2), (1, 3)}


def test_killing_refuses_another_number_of_children() -> None:
    with pytest.raises(ValueError, match="5 children of 3 members"):
        draw("killing", np.full(3, 1 / 3), 5, 0)


@pytest.mark.parametrize("scheme", RESAMPLERS)
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.6], r"sum to 1\.1, expected 1"),
        ([1.5, -0.5], r"weights\[1\] is -0\.5"),
        ([1.0, math.nan], r"weights\[1\] is nan"),
        ([math.inf, 0.0], r"weights\[0\] is inf"),
        ([], "empty"),
        ([[1.0]], "one dimension"),
    ],
)
def test_bad_weights_are_refused(scheme: str, weights: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        draw(scheme, np.array(weights), 2, 0)


@pytest.mark.parametrize("scheme", RESAMPLERS)
def test_a_negative_number_of_children_is_refused(scheme: str) -> None:
    with pytest.raises(ValueError, match=r"-1"):
        draw(scheme, np.array([1.0]), -1, 0)


@pytest.mark.parametrize("scheme", RESAMPLERS)
def test_weights_are_left_as_they_were(scheme: str) -> None:
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    weights.flags.writeable = False
    draw(scheme, weights, 4, 0)
    assert weights.tolist() == [0.1, 0.2, 0.3, 0.4]
