"""Who is chosen out of each subset of one question's samples: the same rules as the methods themselves, for many subsets at once.

A subset is a row of sample numbers in the order in which they came, -1 where it has fewer. Each function returns the chosen sample of each
subset, [subsets], -1 where nobody can be chosen. Ties go to the one that came first, as everywhere; a class of equal answers came when its
first member came. `tests/replay` holds them against `vote` and `best-of-n` run on the same samples.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outthink.numerics.types import BoolArray, FloatArray, IntArray

NOBODY = -1
ROUNDING = 1e-9
"""Sums of weights that differ by less than this share are ties: they were added in different orders."""


def by_score(rank: FloatArray, subsets: IntArray) -> IntArray:
    """The best-ranked sample. `rank`: [n], from `ranks`."""
    ranked = np.where(subsets < 0, -np.inf, rank[subsets])
    best = np.argmax(ranked, axis=1)
    return np.where(_at(ranked, best) == -np.inf, NOBODY, _at(subsets, best))


def ranks(score: FloatArray, usable: BoolArray) -> FloatArray:
    """What best-of-n goes by, [..., n]: no opinion (nan) counts below every score, a lost sample is never chosen (-inf)."""
    lowest = np.finfo(float).min
    known = np.where(np.isnan(score), lowest, np.clip(score, 0.5 * lowest, -0.5 * lowest))
    return np.where(usable, known, -np.inf)


def by_vote(answer: IntArray, subsets: IntArray) -> IntArray:
    """The first sample of the most frequent answer. `answer`: class of each sample, [n], -1 abstains."""
    classes = _classes(answer, subsets)
    return _first_of_heaviest(classes, (classes >= 0).astype(float), subsets)


def by_weight(answer: IntArray, votes: FloatArray, rank: FloatArray, subsets: IntArray) -> IntArray:
    """The heaviest sample of the answer whose votes add up to most; the best-ranked sample where nobody has a vote.

    Args:
        votes: of each sample in each subset, [subsets, size], not negative; 0 for places that are empty. rank: [n], from `ranks`.
    """
    classes = _classes(answer, subsets)
    weight = np.where(classes >= 0, votes, 0.0)
    first = _first_of_heaviest(classes, weight, subsets)
    elected = np.where(first >= 0, answer[first], NOBODY)
    mine = np.where((classes == elected[:, None]) & (weight > 0.0), weight, -np.inf)
    heaviest = _at(subsets, np.argmax(mine, axis=1))
    return np.where(first >= 0, heaviest, by_score(rank, subsets))


def raw_votes(score: FloatArray, usable: BoolArray, subsets: IntArray) -> FloatArray:
    """Scores as votes, [subsets, size]; no opinion is no vote. Scores must not be negative."""
    return np.where((subsets < 0) | ~usable[subsets] | np.isnan(score[subsets]), 0.0, score[subsets])


def min_max_votes(score: FloatArray, usable: BoolArray, subsets: IntArray) -> FloatArray:
    """Scores stretched over each subset to [0, 1] as votes, [subsets, size]; all equal: 1 each."""
    own = score[subsets]
    known = (subsets >= 0) & usable[subsets] & ~np.isnan(own)
    low = np.where(known, own, np.inf).min(axis=1, keepdims=True)
    high = np.where(known, own, -np.inf).max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        stretched = np.where(high > low, (own - low) / (high - low), 1.0)
    return np.where(known, stretched, 0.0)


def length_votes(answer: IntArray, tokens: FloatArray, subsets: IntArray, least: float = 3.0) -> FloatArray:
    """Votes, [subsets, size], that make a class count its members over the logarithm of their mean length; an unknown length has none."""
    classes, own = _classes(answer, subsets), np.maximum(tokens[subsets], least)
    voting = (classes >= 0) & ~np.isnan(tokens[subsets])
    counts = _sums(classes, voting.astype(float))
    lengths = _sums(classes, np.where(voting, own, 0.0))
    with np.errstate(invalid="ignore", divide="ignore"):
        each = np.where(counts > 0, 1.0 / np.log(lengths / counts), 0.0)
    return np.where(voting, np.take_along_axis(each, np.maximum(classes, 0), axis=1), 0.0)


def shortest(answer: IntArray, tokens: FloatArray, subsets: IntArray, share: float = 0.5) -> IntArray:
    """The subsets with all but the shorter part (`share` of the size, rounded up) of those that answered left out, [subsets, size]."""
    size = subsets.shape[1]
    rank = np.where(_classes(answer, subsets) >= 0, tokens[subsets], np.inf)
    rank = np.where(np.isnan(rank), np.finfo(float).max, rank)
    order = np.argsort(rank, axis=1, kind="stable")
    place = np.empty_like(order)
    np.put_along_axis(place, order, np.arange(size)[None, :], axis=1)
    keep = int(np.ceil(share * size - ROUNDING))
    return np.where((place < max(1, keep)) & np.isfinite(rank), subsets, NOBODY)


def _classes(answer: IntArray, subsets: IntArray) -> IntArray:
    return np.where(subsets < 0, NOBODY, answer[subsets])


def _sums(classes: IntArray, weight: FloatArray) -> FloatArray:
    """Sum of the weights of each class in each subset, [subsets, classes]."""
    wide = max(1, int(classes.max(initial=NOBODY)) + 1)
    place = np.maximum(classes, 0) + wide * np.arange(len(classes))[:, None]
    sums = np.bincount(place.ravel(), weight.ravel(), wide * len(classes))
    return np.asarray(sums.reshape(len(classes), wide), np.float64)


def _first_of_heaviest(classes: IntArray, weight: FloatArray, subsets: IntArray) -> IntArray:
    """The first voter of the heaviest class of each subset, [subsets]."""
    sums = _sums(classes, weight)
    top = sums.max(axis=1, keepdims=True)
    leads = (sums >= top * (1.0 - ROUNDING)) & (sums > 0.0)
    eligible = leads[_row_numbers(len(leads))[:, None], np.maximum(classes, 0)] & (classes >= 0) & (weight > 0.0)
    first = np.argmax(eligible, axis=1)
    return np.where(_at(eligible, first), _at(subsets, first), NOBODY)


def _at(values: NDArray[Any], column: IntArray) -> NDArray[Any]:
    return values[_row_numbers(len(values)), column]


@lru_cache(maxsize=64)
def _row_numbers(many: int) -> IntArray:
    # Asked for a dozen times a question, always for the same few numbers of subsets.
    return np.arange(many)
