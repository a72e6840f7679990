"""Child counts: the sheet's own figures, exact sums, and no dependence on the order of the members."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from outthink.search.allocation import Policy, in_turn, keep_best, of_each, ranking, softmax_shares

nan = float("nan")


def rebase(score: list[float], width: int, temperature: float = 0.2) -> list[int]:
    return softmax_shares(np.array(score), width, temperature=temperature).tolist()


def test_rebase_shares_are_those_of_the_sheet() -> None:
    """Spec 05, check 5."""
    assert rebase([0.9, 0.6, 0.3], 16) == [13, 3, 0]
    assert rebase([0.9, 0.6, 0.3], 16, 0.005) == [16, 0, 0]
    assert rebase([0.5, 0.5, 0.5], 16) == [6, 5, 5]
    assert rebase([0.3, 0.9, 0.6], 16) == [0, 13, 3]


POLICIES: dict[str, Policy] = {
    "keep 1": partial(keep_best, keep=1),
    "keep 3": partial(keep_best, keep=3),
    "keep all": partial(keep_best, keep=100),
    "softmax": partial(softmax_shares, temperature=0.2),
    "cold softmax": partial(softmax_shares, temperature=1e-3),
    "hot softmax": partial(softmax_shares, temperature=1e6),
}


@pytest.mark.parametrize("name", POLICIES)
def test_counts_sum_to_the_width_and_do_not_depend_on_the_order(name: str) -> None:
    policy, rng = POLICIES[name], np.random.default_rng(5)
    for _ in range(1700):
        k, width = int(rng.integers(1, 20)), int(rng.integers(0, 40))
        score = rng.normal(size=k) * 10 ** float(rng.uniform(-3, 3))
        if rng.random() < 0.3:
            score[rng.random(k) < 0.4] = nan
        counts = policy(score, width)
        assert counts.sum() == width
        assert (counts >= 0).all()
        order = rng.permutation(k)
        known = ~np.isnan(score)
        # Members without an opinion are tied with one another.
        assert (policy(score[order], width)[known[order]] == counts[order][known[order]]).all()
        better = score[known][:, None] > score[known][None, :]
        if "softmax" not in name:
            assert (counts[known][:, None] >= counts[known][None, :])[better].all()


def test_ceiling_without_differences_would_overflow_and_rounding_does_not_add_a_child() -> None:
    assert rebase([2000.0, 1999.9, -2000.0], 8) == [5, 3, 0]
    with pytest.raises(OverflowError):
        math.exp(2000.0 / 0.2)
    for k in range(1, 40):
        # 3 e / (3 e + rounding) of a multiple must be that multiple.
        assert rebase([0.1] * k, 6 * k) == [6] * k
        assert rebase([1.0, *[0.1] * k], 0) == [0] * (k + 1)


def test_no_opinion_gets_nothing_unless_nobody_has_one() -> None:
    assert rebase([nan, 0.2, nan], 5) == [0, 5, 0]
    assert rebase([nan, nan, nan], 5) == [2, 2, 1]
    assert rebase([-np.inf, -np.inf], 4) == [2, 2]
    assert rebase([], 4) == []
    assert keep_best(np.array([nan, -5.0, nan]), 6, keep=2).tolist() == [3, 3, 0]


def test_ties_go_to_the_lowest_index() -> None:
    assert ranking(np.array([1.0, nan, 2.0, 1.0, nan])).tolist() == [2, 0, 3, 1, 4]
    assert keep_best(np.array([1.0, 2.0, 2.0]), 7, keep=1).tolist() == [0, 7, 0]
    assert keep_best(np.array([1.0, 2.0, 2.0]), 7, keep=2).tolist() == [0, 4, 3]
    assert in_turn(np.array([2, 0, 1]), 7).tolist() == [2, 2, 3]


def test_subtrees_do_not_see_each_other() -> None:
    score, subtree = np.array([9.0, 8.0, 0.1, 0.2, 0.3]), np.array([0, 0, 3, 3, 3])
    assert of_each(partial(keep_best, keep=1), subtree, score, 4).tolist() == [4, 0, 0, 0, 4]
    rng = np.random.default_rng(2)
    for _ in range(200):
        score, subtree = rng.normal(size=12), rng.integers(0, 4, 12)
        counts = of_each(partial(softmax_shares, temperature=1.0), subtree, score, 5)
        for number in np.unique(subtree):
            at = subtree == number
            assert counts[at].tolist() == softmax_shares(score[at], 5, temperature=1.0).tolist()
