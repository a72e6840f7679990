"""Laws of resampling: E[count_i] = n w_i, the exact variance of each scheme, and evidence without bias.

Each law also rejects schemes that are known to be wrong, on the same seeds.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from outthink.numerics import (
    RESAMPLERS,
    FloatArray,
    IntArray,
    Resampler,
    count_variance,
    log_mean_exp,
    multinomial,
    normalise,
)
from tests.laws.law import FULL

pytestmark = pytest.mark.laws

RUNS = 100_000 if FULL else 14_000
SWEEPS = 4_000 if FULL else 2_000
WEIGHTS = np.array([0.6, 2.3, 0.7, 1.4, 0.6, 0.7, 0.7]) / 7
N = 7
STANDARD_ERRORS = 4.5
RELATIVE_ERROR = 0.02


def comb_without_shift(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Wrong: systematic resampling rounded down, its common shift always 0."""
    return np.searchsorted(np.cumsum(weights), np.arange(n) / n, side="right")


def copies_of_the_best(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Wrong: everyone becomes the best."""
    return np.full(n, np.argmax(weights))


def killing_with_equal_replacements(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Wrong: dead slots are filled by anyone, whatever their weight."""
    dead = rng.random(n) >= weights / weights.max()
    return np.where(dead, rng.integers(0, n, n), np.arange(n))


def residual_without_rest(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Wrong: what the whole children leave over is shared by weight and not by fraction."""
    whole = np.floor(n * weights).astype(int)
    return np.concatenate((np.repeat(np.arange(len(weights)), whole), multinomial(weights, n - whole.sum(), rng)))


def killing_without_maximum(weights: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """Unbiased as well, but kills more than it need: survival with probability w_i and not w_i / max w."""
    ancestors = np.arange(n)
    dead = rng.random(n) >= weights
    ancestors[dead] = multinomial(weights, int(dead.sum()), rng)
    return ancestors


BIASED: list[Resampler] = [
    comb_without_shift,
    copies_of_the_best,
    killing_with_equal_replacements,
    residual_without_rest,
]


@functools.cache
def counts(resampler: Resampler) -> IntArray:
    """Children of each member in each run, [RUNS, m]."""
    generators = map(np.random.default_rng, range(RUNS))
    return np.array([np.bincount(resampler(WEIGHTS, N, rng), minlength=len(WEIGHTS)) for rng in generators])


def is_unbiased(resampler: Resampler) -> bool:
    """Whether no mean count is further from n w_i than chance allows."""
    seen = counts(resampler)
    error = seen.std(axis=0) / math.sqrt(RUNS)
    assert (error <= RELATIVE_ERROR * seen.mean(axis=0)).all()
    return bool((np.abs(seen.mean(axis=0) - N * WEIGHTS) <= STANDARD_ERRORS * error + 1e-12).all())


def has_variance(resampler: Resampler, variance: FloatArray) -> bool:
    """Whether the squared deviations from n w_i average to `variance`, [m], as nearly as chance allows."""
    squares = (counts(resampler) - N * WEIGHTS) ** 2
    error = squares.std(axis=0) / math.sqrt(RUNS)
    assert (error <= RELATIVE_ERROR * squares.mean(axis=0)).all()
    return bool((np.abs(squares.mean(axis=0) - variance) <= STANDARD_ERRORS * error + 1e-12).all())


@pytest.mark.parametrize("scheme", RESAMPLERS)
def test_expected_children_are_in_proportion_to_weight(scheme: str) -> None:
    assert is_unbiased(RESAMPLERS[scheme])


@pytest.mark.parametrize("wrong", BIASED)
def test_biased_schemes_are_rejected(wrong: Resampler) -> None:
    assert not is_unbiased(wrong)


@pytest.mark.parametrize("scheme", RESAMPLERS)
def test_variance_of_the_children_is_the_stated_one(scheme: str) -> None:
    stated = count_variance(scheme, WEIGHTS, N)
    assert has_variance(RESAMPLERS[scheme], stated)
    others = {name: count_variance(name, WEIGHTS, N) for name in RESAMPLERS}
    for name, variance in others.items():
        if not np.allclose(variance, stated):
            assert not has_variance(RESAMPLERS[name], stated), f"{name} passes for {scheme}"


def test_killing_without_the_maximum_is_unbiased_and_told_apart_by_its_variance() -> None:
    assert is_unbiased(killing_without_maximum)
    assert not has_variance(killing_without_maximum, count_variance("killing", WEIGHTS, N))


@pytest.mark.parametrize("scheme", RESAMPLERS)
@pytest.mark.parametrize("seed", range(20))
def test_no_scheme_varies_more_than_independent_draws(scheme: str, seed: int) -> None:
    weights = np.random.default_rng(seed).dirichlet(np.full(12, 0.5))
    assert (count_variance(scheme, weights, 12) <= 12 * weights * (1 - weights) + 1e-12).all()


def test_known_variances() -> None:
    weights = np.array([0.5, 0.3, 0.2])
    assert count_variance("multinomial", weights, 4) == pytest.approx([1.0, 0.84, 0.64])
    assert count_variance("systematic", weights, 4) == pytest.approx([0.0, 0.16, 0.16])
    assert count_variance("ssp", weights, 4) == pytest.approx([0.0, 0.16, 0.16])
    assert count_variance("residual", weights, 4) == pytest.approx([0.0, 0.16, 0.16])
    assert count_variance("stratified", weights, 4) == pytest.approx([0.0, 0.16, 0.16])
    assert count_variance("killing", np.array([0.5, 0.5]), 2) == pytest.approx([0.0, 0.0])


def test_laws_are_refused_for_unknown_schemes_and_sizes() -> None:
    with pytest.raises(ValueError, match="'bootstrap', expected one of multinomial"):
        count_variance("bootstrap", WEIGHTS, N)
    with pytest.raises(ValueError, match="n = 3 for 7 members"):
        count_variance("killing", WEIGHTS, 3)


def evidence(resampler: Resampler, rng: np.random.Generator) -> float:
    """Evidence of a run over 3 bits, each 1 with probability 0.3, reward 0.8 for a 1 and 0.4 for a 0, 16 particles."""
    n, log_evidence = 16, 0.0
    bits = rng.random(n) < 0.3
    for step in range(3):
        log_w = np.log(np.where(bits, 0.8, 0.4))
        log_evidence += log_mean_exp(log_w)
        if step < 2:
            kept = bits[resampler(normalise(log_w), n, rng)]
            # sticky bits, so that who has children matters: each stays what it is half of the time
            bits = np.where(rng.random(n) < 0.5, kept, rng.random(n) < 0.3)
    return math.exp(log_evidence)


def exact_evidence() -> float:
    """The same sum over all strings of bits."""
    forward = np.array([0.7, 0.3])
    move = 0.5 * np.eye(2) + 0.5 * np.array([[0.7, 0.3], [0.7, 0.3]])
    for step in range(3):
        forward = (forward if step == 0 else forward @ move) * np.array([0.4, 0.8])
    return float(forward.sum())


@pytest.mark.parametrize("scheme", RESAMPLERS)
def test_evidence_is_unbiased_under_every_scheme(scheme: str) -> None:
    estimates = np.array([evidence(RESAMPLERS[scheme], np.random.default_rng(seed)) for seed in range(SWEEPS)])
    error = estimates.std() / math.sqrt(SWEEPS)
    assert error <= 0.01 * exact_evidence()
    assert abs(estimates.mean() - exact_evidence()) <= 4 * error


@pytest.mark.parametrize("wrong", [copies_of_the_best, killing_with_equal_replacements])
def test_evidence_gives_wrong_schemes_away(wrong: Resampler) -> None:
    estimates = np.array([evidence(wrong, np.random.default_rng(seed)) for seed in range(SWEEPS)])
    assert abs(estimates.mean() - exact_evidence()) > 4 * estimates.std() / math.sqrt(SWEEPS)
