from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.numerics import (
    BoolArray,
    Group,
    agreement,
    best_member,
    binomial_pmf,
    majority_accuracy,
    min_max_weights,
    tally,
)

keys = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=20)


def test_groups_come_heaviest_first_and_abstentions_are_left_out() -> None:
    assert tally(["4", "5", None, "4"]) == [Group("4", (0, 3), 2.0), Group("5", (1,), 1.0)]
    assert agreement(["4", "5", None, "4"]) == pytest.approx(2 / 3)


def test_ties_go_to_the_class_seen_first() -> None:
    assert [group.key for group in tally(["b", "a", "a", "c", "b"])] == ["b", "a", "c"]


def test_nobody_votes() -> None:
    assert tally([None, None]) == []
    assert tally([]) == []
    assert math.isnan(agreement([None]))
    assert math.isnan(agreement(["a"], np.array([0.0])))


@given(keys, st.floats(0.001, 100))
def test_constant_weights_give_the_majority(votes: list[str | None], weight: float) -> None:
    plain = [group.members for group in tally(votes)]
    assert [group.members for group in tally(votes, np.full(len(votes), weight))] == plain
    assert [group.members for group in tally(votes, min_max_weights(np.full(len(votes), weight)))] == plain


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=20), st.data())
def test_one_hot_weights_give_best_of_n(votes: list[str], data: st.DataObject) -> None:
    best = data.draw(st.integers(0, len(votes) - 1))
    scores = (np.arange(len(votes)) == best).astype(float)
    winner = tally(votes, scores)[0]
    assert winner.key == votes[best]
    assert best_member(winner, scores) == best


@given(st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=20, unique=True))
def test_stretched_weights_run_from_exactly_zero_to_exactly_one(scores: list[float]) -> None:
    array = np.array(scores)
    weights = min_max_weights(array)
    if array.max() * 0.5 > array.min() * 0.5:
        assert weights[np.argmin(array)] == 0.0
        assert weights[np.argmax(array)] == 1.0
    assert ((weights >= 0.0) & (weights <= 1.0)).all()


def test_the_two_conventions_of_weighted_voting_differ() -> None:
    votes, scores = ["a", "a", "b"], np.array([0.5, 0.5, 0.9])
    assert tally(votes, scores)[0].key == "a"
    assert tally(votes, min_max_weights(scores))[0].key == "b"


def test_order_of_members_does_not_change_a_sum() -> None:
    scores = np.array([1e16, 1.0, -0.0, 1.0])
    assert tally("aaaa", scores)[0].weight == tally("aaaa", scores[::-1])[0].weight == 1e16 + 2.0


def test_best_member_ties_go_to_the_lowest_index() -> None:
    assert best_member(Group("a", (1, 3, 4), 3.0), np.array([9.0, 0.2, math.nan, 0.7, 0.7])) == 3


@pytest.mark.parametrize("bad", [-1.0, math.nan, math.inf])
def test_bad_weights_are_refused_by_index(bad: float) -> None:
    with pytest.raises(ValueError, match=r"weights\[1\] is"):
        tally(["a", "b"], np.array([1.0, bad]))
    with pytest.raises(ValueError, match="1 weights for 2 keys"):
        tally(["a", "b"], np.array([1.0]))


def test_bad_scores_are_refused_by_index() -> None:
    with pytest.raises(ValueError, match=r"scores\[1\] is nan"):
        min_max_weights(np.array([1.0, math.nan]))
    with pytest.raises(ValueError, match="scores of group 'a'"):
        best_member(Group("a", (0,), 1.0), np.array([math.nan]))


ANSWERS = {3: 0.648, 5: 0.6826, 15: 0.7869, 31: 0.8716}


@pytest.mark.parametrize("n", ANSWERS)
def test_majority_of_two_answers_has_the_published_accuracy(n: int) -> None:
    assert majority_accuracy(0.6, n) == pytest.approx(ANSWERS[n], abs=5e-5)
    assert majority_accuracy(0.4, n) == pytest.approx(1 - ANSWERS[n], abs=5e-5)
    assert majority_accuracy(0.6, n + 1) == pytest.approx(majority_accuracy(0.6, n))


def simulated_accuracy(p: float, n: int, answer: Callable[[BoolArray], int]) -> float:
    """Share of 4,000 votes won by the right answer; `answer` maps who is right, [n], to the chosen member."""
    right = np.random.default_rng(7).random((4000, n)) < p
    return float(np.mean([votes[answer(votes)] for votes in right]))


def first_of_the_winners(votes: BoolArray) -> int:
    return tally(votes.tolist())[0].members[0]


@pytest.mark.parametrize(("p", "n"), [(0.6, 3), (0.6, 15), (0.4, 5), (0.6, 4), (0.4, 6)])
def test_simulated_votes_agree_with_the_closed_form(p: float, n: int) -> None:
    exact = majority_accuracy(p, n)
    error = math.sqrt(exact * (1 - exact) / 4000)
    assert error <= 0.03 * exact
    assert abs(simulated_accuracy(p, n, first_of_the_winners) - exact) <= 4 * error
    assert abs(simulated_accuracy(p, n, lambda votes: 0) - exact) > 4 * error  # the first member is not a vote


def test_binomial_probabilities() -> None:
    assert binomial_pmf(3, 0.5) == pytest.approx([1 / 8, 3 / 8, 3 / 8, 1 / 8])
    assert binomial_pmf(2, 0.0).tolist() == [1.0, 0.0, 0.0]
    assert binomial_pmf(2, 1.0).tolist() == [0.0, 0.0, 1.0]
    assert binomial_pmf(0, 0.3).tolist() == [1.0]
    assert binomial_pmf(5000, 0.37).sum() == pytest.approx(1.0, abs=1e-10)
    with pytest.raises(ValueError, match="probability"):
        binomial_pmf(3, 1.5)


def test_an_accuracy_needs_a_voter() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        majority_accuracy(0.5, 0)
