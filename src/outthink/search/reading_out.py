"""Answers read out of a finished tree without a call of the process: by its values at random, or always to the best."""

from __future__ import annotations

import numpy as np

from outthink.numerics.types import FloatArray, IntArray
from outthink.search.forks import ROOT
from outthink.search.growth import Nodes
from outthink.search.selection import boltzmann


def law(nodes: Nodes, strength: float) -> FloatArray:
    """The probability of each node to be where a walk from the root ends, [n]; all of it on finished ones where there are any.

    The walk goes to a child with probability proportional to exp(strength * value), among those that lead to an end. A child without an
    opinion is gone to only where no sibling has one.
    """
    below = _children_that_end(nodes)
    mass = np.zeros(len(nodes))
    mass[ROOT] = 1.0
    for row, children in enumerate(below):
        if mass[row] > 0 and len(children):
            mass[children] = mass[row] * boltzmann(_or_nothing(nodes.value[children]), strength)
            mass[row] = 0.0
    return mass


def best_path(nodes: Nodes) -> int:
    """The row where the walk to the best child ends; the first of equal ones."""
    below = _children_that_end(nodes)
    row = ROOT
    while len(below[row]):
        row = int(below[row][np.argmax(_or_nothing(nodes.value[below[row]]))])
    return row


def _children_that_end(nodes: Nodes) -> list[IntArray]:
    """Of each node, the known children that are finished or lead to a finished node."""
    found: list[list[int]] = [[] for _ in range(len(nodes))]
    for row in np.flatnonzero(nodes.returned & nodes.leads_to_an_end()).tolist():
        if row != ROOT:
            found[nodes.parent[row]].append(row)
    return [np.array(rows, np.int64) for rows in found]


def _or_nothing(values: FloatArray) -> FloatArray:
    return np.where(np.isnan(values), -np.inf, values)
