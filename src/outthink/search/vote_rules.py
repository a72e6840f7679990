"""Who votes, and how much: rules over whole samples that need no judge, only lengths.

Right answers of reasoning models tend to be short. Two published rules use it: only the m shortest vote (`shortest`), or a class counts its
members over the logarithm of their mean length (`length_votes`). A text that was cut at its cap has no true length, so it has no say.

Source: spec 06, feature-informed selection; arXiv 2502.12215 for the second ("shortest majority vote", formula unconfirmed).
"""

from __future__ import annotations

import math

import numpy as np

from outthink.numerics.types import BoolArray, FloatArray, IntArray

LEAST_LENGTH = 3.0
"""Tokens; shorter answers count as this long, so that the logarithm stays above 1."""
ROUNDING = 1e-9


def electorate(n: int, share: float, least: int = 1) -> int:
    """How many of n have a say: this share, rounded up, and no fewer than `least` where there are as many."""
    return min(n, max(least, math.ceil(share * n - ROUNDING)))


def shortest(length: FloatArray, eligible: BoolArray, m: int, priority: IntArray) -> BoolArray:
    """The m shortest of the eligible, [n] a mask; ties by priority, an unknown length (nan) last."""
    return _first(np.where(np.isnan(length), np.inf, length), eligible, m, priority)


def best_scored(score: FloatArray, eligible: BoolArray, m: int, priority: IntArray) -> BoolArray:
    """The m best-scored of the eligible, [n] a mask; ties by priority, no opinion (nan) last."""
    return _first(-np.where(np.isnan(score), -np.inf, score), eligible, m, priority)


def length_votes(length: FloatArray, group: IntArray, voting: BoolArray) -> FloatArray:
    """Votes, [n], whose sum over a class is its number of voters over the logarithm of their mean length; 0 for the others."""
    votes = np.zeros(len(length))
    known = voting & ~np.isnan(length)
    for number in np.unique(group[known]):
        mine = known & (group == number)
        votes[mine] = 1.0 / math.log(float(np.maximum(length[mine], LEAST_LENGTH).mean()))
    return votes


def _first(rank: FloatArray, eligible: BoolArray, m: int, priority: IntArray) -> BoolArray:
    chosen = np.zeros(len(rank), bool)
    order = np.lexsort((priority, rank))
    chosen[order[eligible[order]][:m]] = True
    return chosen
