from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.numerics import FloatArray, best_of_k, pass_at_k, selection_probabilities


def enumerated(scores: FloatArray, k: int) -> FloatArray:
    """How often each sample is the best of a subset, over all subsets; `max` keeps the first of equals."""
    chosen = [max(subset, key=scores.__getitem__) for subset in itertools.combinations(range(len(scores)), k)]
    return np.bincount(chosen, minlength=len(scores)) / len(chosen)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, -math.inf, 2.5]), min_size=1, max_size=8), st.data())
def test_selection_agrees_with_enumeration(scores: list[float], data: st.DataObject) -> None:
    k = data.draw(st.integers(1, len(scores)))
    assert selection_probabilities(np.array(scores), k) == pytest.approx(enumerated(np.array(scores), k))


@pytest.mark.parametrize(("n", "correct", "k"), [(16, 3, 4), (5, 0, 2), (5, 5, 1), (10, 7, 4), (200, 1, 100)])
def test_pass_at_k_is_the_ratio_of_binomials(n: int, correct: int, k: int) -> None:
    exact = 1 - math.comb(n - correct, k) / math.comb(n, k)
    assert pass_at_k(n, correct, k) == pytest.approx(exact)
    right = (np.arange(n) < correct).astype(float)
    assert best_of_k(right, k) == pytest.approx(exact)  # a perfect scorer reaches pass@k


def test_large_n_neither_overflows_nor_drifts() -> None:
    probabilities = selection_probabilities(np.random.default_rng(0).random(20_000), 5_000)
    assert probabilities.sum() == pytest.approx(1.0, abs=1e-9)
    assert pass_at_k(20_000, 10_000, 10_000) == 1.0
    assert 0.0 < pass_at_k(20_000, 1, 1) == pytest.approx(1 / 20_000)


def test_ends_are_the_mean_and_the_maximum() -> None:
    scores = np.random.default_rng(1).normal(size=9)
    assert best_of_k(scores, 1) == pytest.approx(scores.mean())
    assert best_of_k(scores, 9) == pytest.approx(scores.max())


def test_ties_go_to_the_lowest_index() -> None:
    scores, values = np.array([0.5, 1.0, 1.0]), np.array([0.0, 1.0, 0.0])
    assert best_of_k(scores, 3, values) == 1.0
    assert selection_probabilities(np.ones(3), 2) == pytest.approx([2 / 3, 1 / 3, 0.0])


def uniform_maximum(k: int, order: int) -> FloatArray:
    """Estimates from 20,000 sets of 8 uniform scores; `order` -1 picks the worst by mistake."""
    draws = np.random.default_rng(11).random((20_000, 8))
    weights = selection_probabilities(np.arange(8.0), k)
    return np.sort(draws, axis=1)[:, ::order] @ weights


@pytest.mark.parametrize("k", [2, 4, 8])
def test_best_of_k_uniform_scores_is_k_over_k_plus_one(k: int) -> None:
    right, wrong = uniform_maximum(k, 1), uniform_maximum(k, -1)
    error = right.std() / math.sqrt(len(right))
    assert error < 0.003
    assert abs(right.mean() - k / (k + 1)) <= 4 * error
    assert abs(wrong.mean() - k / (k + 1)) > 4 * error


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="k is 4, expected between 1 and the 3"):
        selection_probabilities(np.zeros(3), 4)
    with pytest.raises(ValueError, match="k is 0"):
        pass_at_k(3, 1, 0)
    with pytest.raises(ValueError, match="correct is 4"):
        pass_at_k(3, 4, 1)
    with pytest.raises(ValueError, match=r"scores\[1\] is nan"):
        best_of_k(np.array([0.0, math.nan]), 1)
    with pytest.raises(ValueError, match=r"scores\[0\] is -inf"):
        best_of_k(np.array([-math.inf, 0.0]), 1)
    with pytest.raises(ValueError, match="3 values for 2 scores"):
        best_of_k(np.zeros(2), 1, np.zeros(3))
