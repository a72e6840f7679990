"""The nodes of a best-first search and the keys by which they are ordered: cost so far, estimate to go, ties.

Notation (spec 04): r score in [0, 1], h estimate, g cost so far, f = g + h - credit * depth; LOWER is better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import ClassVar, Literal

import numpy as np

from outthink.core.batch import Batch
from outthink.core.rows import Rows
from outthink.core.task import Candidate
from outthink.core.verifier import LogMap, ScoreSpec
from outthink.numerics.types import BoolArray, FloatArray, IntArray, SeedArray

Squash = Literal["declared", "none", "exp", "sigmoid"]
Heuristic = Literal["complement", "log"]
StepCost = Literal["increase", "decrease", "none"]
Ties = Literal["deeper", "newest", "oldest"]


@dataclass(frozen=True)
class Frontier(Rows):
    """Every node that was drawn, in the order of drawing; row 0 is the root.

    Attributes:
        parent: row of the parent, [n]; the root is its own.
        score: the verifier's, [n]; nan for no opinion.
        h, g, f: estimate, cost so far and key, [n].
        open: whether the node waits to be expanded or, when finished, to be the answer, [n].
        expansions: how often it was expanded, [n].
        mark: equal for equal contents, [n].
        drawn: children drawn so far, lost ones included. `widest`: the most nodes that ever waited.
    """

    batch: Batch
    parent: IntArray
    score: FloatArray
    h: FloatArray
    g: FloatArray
    f: FloatArray
    open: BoolArray
    expansions: IntArray
    mark: SeedArray
    drawn: int = 0
    widest: int = 1

    shared: ClassVar[tuple[str, ...]] = ("drawn", "widest")

    @classmethod
    def root(cls, batch: Batch) -> Frontier:
        """The root alone, with f = 0; it has no score, so nothing is charged to its children."""
        zero = np.zeros(1)
        return cls(
            batch,
            np.zeros(1, np.int64),
            np.full(1, np.nan),
            np.full(1, np.nan),
            zero,
            zero,
            np.ones(1, bool),
            np.zeros(1, np.int64),
            np.zeros(1, np.uint64),
        )

    def waiting(self, ties: Ties) -> IntArray:
        """Rows that are open, the best first: by f, then as `ties` says."""
        at = np.flatnonzero(self.open)
        if ties == "deeper":
            return at[np.lexsort((at, -self.batch.depth[at], self.f[at]))]
        return at[np.lexsort((at if ties == "oldest" else -at, self.f[at]))]

    def capped(self, most: int, ties: Ties) -> Frontier:
        """At most so many open rows; those with the largest keys are closed."""
        at = self.waiting(ties)
        is_open = self.open.copy()
        is_open[at[most:]] = False
        return replace(self, open=is_open, widest=max(self.widest, min(len(at), most)))


def unit_scores(score: FloatArray, squash: Squash, spec: ScoreSpec) -> FloatArray:
    """r in [0, 1], [n], nan kept. `declared`: probabilities as they are, log-weights up to 0 by exp, others by a sigmoid.

    The map is fixed: one that depended on the scores seen so far would make keys stale that were pushed before.
    """
    how = squash
    if how == "declared":
        in_range = spec.low >= 0.0 and spec.high <= 1.0 and spec.log_map is not LogMap.RAW
        how = "none" if in_range else "exp" if spec.high <= 0.0 else "sigmoid"
    if how == "none":
        return score
    if how == "exp":
        return np.exp(np.minimum(score, 0.0))
    with np.errstate(over="ignore"):
        return np.asarray(1.0 / (1.0 + np.exp(-score)))


def estimates(r: FloatArray, heuristic: Heuristic) -> FloatArray:
    """h = 1 - r or -log r, [n]; no opinion counts below every score: inf."""
    with np.errstate(divide="ignore"):
        h = 1.0 - r if heuristic == "complement" else -np.log(r)
    return np.where(np.isnan(r), np.inf, h)


def step_costs(before: FloatArray, after: FloatArray, cost: StepCost) -> FloatArray:
    """Cost of a step from a node with estimate `before` to one with `after`, [n]; nothing where either is not known."""
    known = np.isfinite(before) & np.isfinite(after)
    rise = np.where(known, np.where(known, after, 0.0) - np.where(known, before, 0.0), 0.0)
    if cost == "none":
        return np.zeros(len(rise))
    return np.maximum(rise if cost == "increase" else -rise, 0.0)


def marks(candidates: Sequence[Candidate]) -> SeedArray:
    """A number for each candidate, [n], equal for equal contents. What the contents are is not looked at."""
    return np.array([_mark(c.content) for c in candidates], np.uint64)


def _mark(content: object) -> int:
    if isinstance(content, str):
        data = content.encode()
    else:
        data = content.tobytes() if isinstance(content, np.ndarray) else repr(content).encode()
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "little")


def first_of_each(parent: IntArray, mark: SeedArray, before: Frontier) -> BoolArray:
    """Which of the new children are not equal to an older sibling, [m]; `parent` are rows of `before`."""
    old = np.isin(before.parent, parent)
    old[0] = False
    seen = set(zip(before.parent[old].tolist(), before.mark[old].tolist(), strict=True))
    fresh = np.ones(len(parent), bool)
    for i, pair in enumerate(zip(parent.tolist(), mark.tolist(), strict=True)):
        fresh[i] = pair not in seen
        seen.add(pair)
    return fresh
