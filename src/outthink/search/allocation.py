"""Who gets how many children: policies that turn the scores of some members and a width into whole numbers that sum to it exactly.

    keep_best(score, keep=2, width=8)            # beam: the best 2 share 8 children
    of_each(keep_best, subtree, ...)             # the same inside every subtree
    softmax_shares(score, width=16, temperature=0.2)   # REBASE: in proportion to exp(score / temperature)

Scores are [k], any scale, nan for no opinion, which ranks below every score. Ties go to the lowest index. Counts are [k] and depend on the
order of the members in ties alone. Beam, diverse verifier tree search, step-level best-of-n and REBASE are one loop with another policy
(`outthink.search.step_search`); a particle filter's resampling is the random counterpart of the last one.

Source: spec 05, beam search, DVTS, REBASE (Wu et al. 2024, arXiv 2408.00724). Departs from REBASE's code: exponentials are taken of
differences to the best score, and a share within a rounding error of a whole number counts as that number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from outthink.numerics.types import FloatArray, IntArray

ROUNDING = 1e-9
"""How far above a whole number a share may come out by rounding alone."""

Policy = Callable[[FloatArray, int], IntArray]
"""Scores, [k], and a width to counts, [k], that sum to the width (to 0 where there is nobody)."""


def ranking(score: FloatArray) -> IntArray:
    """Positions from the best score to the worst, [k]; no opinion last, ties by position."""
    return np.argsort(-np.where(np.isnan(score), -np.inf, score), kind="stable")


def in_turn(order: IntArray, width: int) -> IntArray:
    """`width` children dealt out one by one in this order, again and again, [k]: as equal as whole numbers can be."""
    counts = np.zeros(len(order), np.int64)
    if len(order):
        share, rest = divmod(width, len(order))
        counts[order] = share
        counts[order[:rest]] += 1
    return counts


def keep_best(score: FloatArray, width: int, *, keep: int) -> IntArray:
    """The best `keep` members share `width` children equally, the better ones first where that is uneven; the others get none."""
    counts = np.zeros(len(score), np.int64)
    best = ranking(score)[:keep]
    counts[best] = in_turn(np.arange(len(best)), width)
    return counts


def of_each(policy: Policy, subtree: IntArray, score: FloatArray, width: int) -> IntArray:
    """`policy` inside each subtree, [k]; `width` children for every subtree that has members."""
    counts = np.zeros(len(score), np.int64)
    for number in np.unique(subtree):
        at = np.flatnonzero(subtree == number)
        counts[at] = policy(score[at], width)
    return counts


def softmax_shares(score: FloatArray, width: int, *, temperature: float) -> IntArray:
    """`width` children in proportion to exp(score / temperature), rounded up from the best on, so that the worst go without first.

    With scores sorted downwards and E_j = exp((R_j - max R) / T): n_j = ceil(left * E_j / sum_{i >= j} E_i), left -= n_j. Members
    without an opinion get none, unless nobody has one: then all share equally.
    Source: spec 05, REBASE.
    """
    order = ranking(score)
    known = order[~np.isnan(score[order])]
    if len(known) == 0 or not np.isfinite(score[known[0]]):
        return in_turn(order, width)
    counts = np.zeros(len(score), np.int64)
    share = np.exp((score[known] - score[known[0]]) / temperature)
    tail = np.cumsum(share[::-1])[::-1]
    left = width
    for place, own, rest in zip(known.tolist(), share.tolist(), tail.tolist(), strict=True):
        if left == 0 or own == 0.0:
            break
        counts[place] = min(left, int(np.ceil(left * (own / rest) - ROUNDING)))
        left -= counts[place]
    return counts
