"""What each way of choosing would have given at each size, question by question: exact where there is a closed form, else over subsets.

`single` is one sample; `oracle` is unbiased pass@k, the share of questions of which any sample is right; both, and `best-of-n`, are exact
at every size. Votes are exact where all subsets can be taken (at most 2,000), else the mean over 500.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from outthink.core.errors import InputError, explain, nearest
from outthink.numerics.order_statistics import pass_at_k, selection_probabilities
from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.replay import choosing
from outthink.replay.samples import SampleTable


@dataclass(frozen=True)
class OneQuestion:
    """One question's samples, as the choosers see them."""

    answer: IntArray
    right: BoolArray
    usable: BoolArray
    tokens: FloatArray
    score: FloatArray
    rank: FloatArray


Chooser = Callable[[OneQuestion, IntArray], IntArray]


@dataclass(frozen=True)
class Selector:
    """A way of choosing.

    Attributes:
        choose: the chosen sample of each subset; None where `right_share` says all that there is.
        scored: whether it needs scores. lengths: whether it needs to know how long samples are.
        says: for people.
    """

    choose: Chooser
    scored: bool = False
    lengths: bool = False
    says: str = ""


def _any_right(one: OneQuestion, subsets: IntArray) -> IntArray:
    return choosing.by_score(choosing.ranks(one.right.astype(float), one.usable), subsets)


def _first(one: OneQuestion, subsets: IntArray) -> IntArray:
    return subsets[:, 0]


def _vote(one: OneQuestion, subsets: IntArray) -> IntArray:
    return choosing.by_vote(one.answer, subsets)


def _best(one: OneQuestion, subsets: IntArray) -> IntArray:
    return choosing.by_score(one.rank, subsets)


def _weighted(one: OneQuestion, subsets: IntArray) -> IntArray:
    votes = choosing.raw_votes(one.score, one.usable, subsets)
    if (votes < 0.0).any():
        raise InputError(
            explain(
                "Scores are summed as votes, and one is negative.",
                got=float(votes.min()),
                expected="scores of at least 0",
                remedy="Select weighted-min-max, which stretches them to [0, 1].",
            )
        )
    return choosing.by_weight(one.answer, votes, one.rank, subsets)


def _weighted_min_max(one: OneQuestion, subsets: IntArray) -> IntArray:
    return choosing.by_weight(one.answer, choosing.min_max_votes(one.score, one.usable, subsets), one.rank, subsets)


def _shortest(one: OneQuestion, subsets: IntArray) -> IntArray:
    return choosing.by_vote(one.answer, choosing.shortest(one.answer, one.tokens, subsets))


def _by_length(one: OneQuestion, subsets: IntArray) -> IntArray:
    votes = choosing.length_votes(one.answer, one.tokens, subsets)
    return choosing.by_weight(one.answer, votes, choosing.ranks(-one.tokens, one.usable), subsets)


SELECTORS: dict[str, Selector] = {
    "single": Selector(_first, says="one sample, whatever the size: pass@1"),
    "vote": Selector(_vote, says="the most frequent answer"),
    "best-of-n": Selector(_best, scored=True, says="the best-scored sample"),
    "weighted": Selector(_weighted, scored=True, says="the answer whose scores add up to most"),
    "weighted-min-max": Selector(_weighted_min_max, scored=True, says="the same with scores stretched to [0, 1]"),
    "shortest": Selector(_shortest, lengths=True, says="a vote among the shorter half"),
    "length-weighted": Selector(
        _by_length, lengths=True, says="an answer counts its samples over the logarithm of their mean length"
    ),
    "oracle": Selector(_any_right, says="right if any sample is: pass@k"),
}


def selector(name: str) -> Selector:
    """The selector of that name. Raises `InputError`."""
    if name not in SELECTORS:
        raise InputError(
            explain(
                "There is no such way to choose.",
                got=name,
                expected=", ".join(SELECTORS),
                remedy=nearest(name, SELECTORS),
            )
        )
    return SELECTORS[name]


def one_question(table: SampleTable, row: int, score: FloatArray | None) -> OneQuestion:
    """Row `row` of the table, cut to its own samples. `score`: [q, n]; None for a choice without scores."""
    n = int(table.drawn[row].sum())
    usable = table.usable[row, :n]
    own = np.full(n, np.nan) if score is None else score[row, :n]
    return OneQuestion(
        table.answer[row, :n], table.right[row, :n], usable, table.tokens[row, :n], own, choosing.ranks(own, usable)
    )


def closed_form(name: str, table: SampleTable, score: FloatArray | None, size: int) -> FloatArray | None:
    """Probability that the choice among a random `size` of each row's samples is right, [q]; None where there is no closed form.

    All rows have the same number of samples, and at least `size`.
    """
    n = table.drawn.shape[1]
    if name == "single":
        return np.asarray(table.right.mean(axis=1))
    if name == "oracle":
        by_count = np.array([pass_at_k(n, c, size) for c in range(n + 1)])
        return np.asarray(by_count[table.right.sum(axis=1)], np.float64)
    if name == "best-of-n" and score is not None:
        by_rank = selection_probabilities(-np.arange(n, dtype=float), size)
        order = np.argsort(-choosing.ranks(score, table.usable), axis=1, kind="stable")
        return np.asarray(np.take_along_axis(table.right, order, axis=1) @ by_rank)
    return None


def over_subsets(choose: Chooser, one: OneQuestion, subsets: IntArray) -> float:
    """The share of the subsets whose choice is right."""
    if not one.right.any():
        return 0.0
    chosen = choose(one, subsets)
    return float((one.right[chosen] & (chosen >= 0)).mean())
