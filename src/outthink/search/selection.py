"""How a tree search goes down: which child of a node that is wide enough. A parameter of `Tree`.

A rule sees, of the children that can be gone to, their values [m] and visits [m] (those under way included, so that selections made before
others have come back spread out: Liu et al. 2020, watching the unobserved), and the visits of their parent. A value of nan is not known
and counts as the mean of the others.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import NamedTuple

import numpy as np

from outthink.core.settings import NonNegativeFloat, PositiveFloat, Tagged
from outthink.numerics.log_weights import normalise
from outthink.numerics.types import FloatArray, IntArray


class Children(NamedTuple):
    """The children that a selection chooses among, and the visits of their parent."""

    values: FloatArray
    visits: IntArray
    parent_visits: int


class SelectionRule(Tagged):
    """Base of all rules."""

    @abstractmethod
    def choose(self, children: Children, strength: float, rng: np.random.Generator) -> int:
        """Index of one child. `strength` is the inverse temperature of the reward."""


class Uct(SelectionRule):
    """argmax of value + c sqrt(log N / n): the best known child, and now and then a neglected one (Kocsis and Szepesvari 2006).

    `c` is in the units of the score: 0.05 to 1 times its spread.
    """

    c: NonNegativeFloat = 0.5

    def choose(self, children: Children, strength: float, rng: np.random.Generator) -> int:
        bonus = self.c * np.sqrt(math.log(max(children.parent_visits, 1)) / np.maximum(children.visits, 1))
        return _best(_filled(children.values) + bonus, children.visits)


class Puct(SelectionRule):
    """argmax of value + (c_init + log((N + c_base + 1) / c_base)) sqrt(N) / (1 + n), without a prior (spec 05)."""

    c_init: NonNegativeFloat = 1.25
    c_base: PositiveFloat = 19652.0

    def choose(self, children: Children, strength: float, rng: np.random.Generator) -> int:
        return _best(_filled(children.values) + self.bonus(children.visits, children.parent_visits), children.visits)

    def bonus(self, visits: IntArray, parent_visits: int) -> FloatArray:
        """U of each child, [m]."""
        rate = self.c_init + math.log((parent_visits + self.c_base + 1) / self.c_base)
        return np.asarray(rate * math.sqrt(parent_visits) / (1.0 + visits))


class Boltzmann(SelectionRule):
    """A child at random with probability proportional to exp(strength * value) (spec 21, DTS)."""

    def choose(self, children: Children, strength: float, rng: np.random.Generator) -> int:
        return int(np.searchsorted(np.cumsum(boltzmann(children.values, strength)), rng.random(), side="right"))


class Uniform(SelectionRule):
    """Any child with the same probability: nothing is learned on the way, so exp(strength * root value) stays unbiased."""

    def choose(self, children: Children, strength: float, rng: np.random.Generator) -> int:
        return int(rng.integers(len(children.values)))


AnySelection = Uct | Puct | Boltzmann | Uniform


def boltzmann(values: FloatArray, strength: float) -> FloatArray:
    """exp(strength * value), normalised, [m]; equal shares where every value is -inf."""
    filled = _filled(values)
    if not np.isfinite(filled).any():
        return np.full(len(filled), 1.0 / len(filled))
    weights = normalise(strength * filled)
    # A sum that rounds to below 1 must not lead past the last child that has a weight.
    weights[np.flatnonzero(weights)[-1]] += max(0.0, 1.0 - float(weights.sum()))
    return weights


def _filled(values: FloatArray) -> FloatArray:
    unknown = np.isnan(values)
    if not unknown.any():
        return values
    return np.where(unknown, 0.0 if unknown.all() else np.mean(values[~unknown]), values)


def _best(rank: FloatArray, visits: IntArray) -> int:
    """The highest rank; among equals the least visited, then the first."""
    (best,) = (rank == rank.max()).nonzero()
    return int(best[0] if len(best) == 1 else best[visits[best].argmin()])
