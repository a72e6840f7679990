"""Votes over answers: who agrees with whom, and which answer wins.

A member votes with a hashable key, its answer in canonical form; None abstains and is never counted. Members with
the same key form a `Group`; groups come best first, ties to the one seen first, so the winner is the first.

    tally(["4", "5", None, "4"])                    # [Group("4", (0, 3), 2.0), Group("5", (1,), 1.0)]
    tally(keys, weights=min_max_weights(scores))    # weighted vote

Two conventions of weighted voting are in use and do not agree. (a) Scores in [0, 1] are the weights; return the
winning answer: pass them as they are. (b) Scores of any sign and scale, stretched over the n samples to [0, 1], so
that the worst counts 0; return the winning group's member of the
largest score: `min_max_weights`, then `best_member`. If unsure: (a) for calibrated scores, no weights at all for
uncalibrated ones.

Source: "Bag of Tricks for Inference-time Computation of LLM Reasoning" (2025) for (b); search-and-learn for (a).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.numerics import checks
from outthink.numerics.binomial import binomial_pmf
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Group:
    """Members that gave the same answer.

    Attributes:
        key: the answer.
        members: their indices, ascending; never empty.
        weight: the sum of their weights, or their number in a plain vote.
    """

    key: Hashable
    members: tuple[int, ...]
    weight: float


def tally(keys: Sequence[Hashable | None], weights: FloatArray | None = None) -> list[Group]:
    """Groups of equal keys, heaviest first, ties to the one seen first; [] if everyone abstained.

    Args:
        keys: one a member, [n]; None abstains.
        weights: one a member, [n], finite and not negative; None: 1 each. Those of abstaining members are checked,
            then left out.
    Raises ValueError: a length or a weight that is wrong, naming the member. TypeError: a key that cannot be hashed.
    """
    members: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        if key is not None:
            members.setdefault(key, []).append(index)
    w = _vote_weights(weights, len(keys))
    groups = [Group(key, tuple(who), math.fsum(w[who].tolist())) for key, who in members.items()]
    return sorted(groups, key=lambda group: -group.weight)  # a stable sort: ties stay in the order seen


def agreement(keys: Sequence[Hashable | None], weights: FloatArray | None = None) -> float:
    """The winning group's share of all weight cast, in [0, 1]; abstentions cast none. nan if nobody cast any.

    Arguments and errors as `tally`.
    """
    cast = [group.weight for group in tally(keys, weights)]
    total = math.fsum(cast)
    return cast[0] / total if total > 0.0 else math.nan


def min_max_weights(scores: FloatArray) -> FloatArray:
    """(scores - min) / (max - min), [n]: the lowest gets exactly 0, the highest exactly 1; 1 each if all are equal.

    Args:
        scores: one a member, [n], finite, any sign.
    Raises ValueError: nan or infinite, naming the member.
    """
    half = 0.5 * checks.finite_vector(scores, "scores")  # halves, so that the widest range does not overflow
    if half.size == 0 or half.max() == half.min():
        return np.ones_like(half)
    low, high = float(half.min()), float(half.max())
    return (half - low) / (high - low)


def best_member(group: Group, scores: FloatArray) -> int:
    """The group's member with the largest score; ties to the lowest index.

    Args:
        group: from `tally`.
        scores: of all members, [n]; nan and infinities as `min_max_weights`, within the group only.
    """
    own = checks.finite_vector(np.asarray(scores)[list(group.members)], f"scores of group {group.key!r}")
    return group.members[int(np.argmax(own))]


def majority_accuracy(p: float, n: int) -> float:
    """Probability that n independent voters pick the right one of two answers, each right with probability p.

    An even split goes to the answer seen first, which is the right one half of the time; so an even n does
    exactly as well as n - 1.

    Source: Condorcet (1785). Raises ValueError: n below 1; p outside [0, 1].
    """
    pmf = binomial_pmf(checks.size(n, least=1), p)
    right = float(pmf[n // 2 + 1 :].sum())
    return right + 0.5 * float(pmf[n // 2]) if n % 2 == 0 else right


def _vote_weights(weights: FloatArray | None, n: int) -> FloatArray:
    if weights is None:
        return np.ones(n)
    w = checks.vector(weights, "weights")
    if len(w) != n:
        raise ValueError(f"got {len(w)} weights for {n} keys, expected one a member.")
    expected = "a finite weight that is not negative; map scores of any sign with min_max_weights"
    checks.refuse_where(~((w >= 0.0) & (w < math.inf)), w, "weights", expected)
    return w
