"""Which configuration to measure next, and on which questions: the one whose chunk of questions tells most for its tokens.

    proposal = next_measurement(beliefs, points, asked, price, chunk=10, allowed=rng_mask)

Measurements of a configuration begin with the questions that others have been asked most, so that differences are paired. Their worth is
the knowledge gradient, how far the best believed quality is expected to rise, over what is still to be paid. A few questions alone are
often worth next to nothing where many would be worth much, so the ratio is taken at its best over one chunk, two, four and so on; then
one chunk is asked.

Source: spec 33, items 7 and 11 (value per cost); the best number of measurements: Frazier and Powell 2010 (Paradoxes in learning and the
marginal value of information), their KG*. The questions' order is ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from outthink.numerics.types import BoolArray, FloatArray, IntArray
from outthink.tune.beliefs import Beliefs
from outthink.tune.envelope import expected_gain

Price = Callable[[int, IntArray], float]
"""Tokens still to be paid for a candidate on some questions."""

WIDE = 5.0
"""Deviations within which a candidate may still turn out the best."""
NORMAL_HALF = 1.0 / math.sqrt(2.0 * math.pi)
"""E[Z+]."""


@dataclass(frozen=True)
class Proposal:
    """Attributes:
    candidate: which. questions: on which, by place. price: believed, in tokens.
    gain: the expected rise of the best believed value; nan for a candidate that fills the space.
    """

    candidate: int
    questions: IntArray
    price: float
    gain: float = float("nan")


def chunk_for(asked: IntArray, candidate: int, size: int, rank: IntArray) -> IntArray:
    """The next questions of a candidate: never asked of it, those asked of most others first, then by their rank.

    asked: counts, [c, w]. rank: the questions' order, [w]; a random one, so that the first few stand for all.
    """
    open_ = np.flatnonzero(asked[candidate] == 0)
    order = np.lexsort((rank[open_], -np.count_nonzero(asked[:, open_], axis=0)))
    return np.asarray(open_[order][:size], np.int64)


def next_measurement(
    beliefs: Beliefs,
    points: FloatArray,
    asked: IntArray,
    groups: IntArray,
    rank: IntArray,
    price: Price,
    *,
    chunk: int,
    wanted: BoolArray,
) -> Proposal | None:
    """The best one, or None where nothing is left to ask.

    Args:
        points: of all candidates, [c, d]. asked: how often each was asked each question, [c, w].
        groups: which candidates are computed from the same samples, [c]. rank: the order of the questions, [w].
        wanted: which candidates may be the answer, [c], such as those that are cheap enough.
    """
    known = beliefs.quality
    mean, deviation = known.mean(points), np.sqrt(known.variance(points))
    best = float(mean[wanted].max()) if wanted.any() else float(mean.max())
    # Lines that never come near the highest are left out; the sum is the same within rounding.
    near = np.flatnonzero(wanted & (mean + WIDE * deviation >= best))
    open_ = np.flatnonzero((asked.min(axis=1) == 0) & (mean + WIDE * deviation >= best))
    covariance = known.covariance(points[near], points[open_])
    options = [
        one
        for i, candidate in enumerate(open_.tolist())
        for one in _options(beliefs, asked, groups, rank, candidate, i, chunk)
    ]
    if not options:
        return None
    costs = np.array([max(price(one.candidate, one.questions), 1.0) for one in options])
    spread = np.sqrt(deviation[[one.candidate for one in options]] ** 2 + [one.noise for one in options])
    column = [one.column for one in options]
    # The gain of lines is at most their range of slopes times E[Z+]: most need no more than that.
    most = NORMAL_HALF * np.ptp(covariance, axis=0)[column] / spread if len(near) else np.zeros(len(options))
    found, gain_of, rate = 0, 0.0, -1.0
    for i in np.argsort(-most / costs, kind="stable").tolist():
        if most[i] / costs[i] <= rate:
            break
        gain = expected_gain(mean[near], covariance[:, column[i]] / spread[i])
        if gain / costs[i] > rate:
            found, gain_of, rate = i, gain, gain / costs[i]
    chosen = options[found].questions[:chunk]
    candidate = options[found].candidate
    return Proposal(candidate, chosen, max(price(candidate, chosen), 1.0), gain_of)


@dataclass(frozen=True)
class _Option:
    candidate: int
    column: int
    questions: IntArray
    noise: float


def _options(
    beliefs: Beliefs, asked: IntArray, groups: IntArray, rank: IntArray, candidate: int, column: int, chunk: int
) -> Iterator[_Option]:
    """One chunk, two, four and so on, up to all questions that are left, with the noise of their mean."""
    questions = chunk_for(asked, candidate, asked.shape[1], rank)
    seen = asked.max(axis=0) > 0
    drawn = asked[groups == groups[candidate]].max(axis=0) > 0
    noises = beliefs.noises
    each = noises.value + noises.draw * ~drawn[questions] + noises.difficulty * ~seen[questions]
    running = np.cumsum(each)
    size = chunk
    while True:
        size = min(size, len(questions))
        yield _Option(candidate, column, questions[:size], float(running[size - 1]) / size**2)
        if size == len(questions):
            return
        size *= 2


def spread_out(points: FloatArray, n: int, rng: np.random.Generator, first: int | None = None) -> IntArray:
    """n candidates far from each other: `first`, or one at random, then always the farthest from those chosen."""
    first = int(rng.integers(len(points))) if first is None else first
    chosen = [first]
    distance = np.linalg.norm(points - points[first], axis=1)
    while len(chosen) < min(n, len(points)):
        chosen.append(int(np.argmax(distance + 1e-9 * rng.random(len(points)))))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)
