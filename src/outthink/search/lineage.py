"""Who came from whom, kept as states: the path of a member can be read back step by step, and steps that led nowhere are forgotten.

With n members the paths that still lead somewhere have about T + n log n steps, not T n (Jacob, Murray and Rubenthaler, Path storage in the
particle filter, 2015).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from outthink.core.batch import Batch
from outthink.core.checkpoint import Saved
from outthink.core.rows import Rows
from outthink.numerics.types import BoolArray, FloatArray, IntArray

FOUNDER = -1


@dataclass(frozen=True)
class Steps(Rows):
    """Members as they were after single steps, in the order in which they were taken; the first of a path is its start.

    Attributes:
        log_ratio: of the step, [m] nats.
        log_twist, memory, score: after the step, [m].
        parent: the row of the step before, [m]; -1 for a start. In a path taken out by `path`, rows follow each other.
    """

    batch: Batch
    log_ratio: FloatArray
    log_twist: FloatArray
    memory: FloatArray
    score: FloatArray
    parent: IntArray

    @classmethod
    def starts(cls, batch: Batch, memory: float) -> Steps:
        """Members that have not begun."""
        n = len(batch)
        return cls(batch, np.zeros(n), np.zeros(n), np.full(n, memory), np.full(n, np.nan), np.full(n, FOUNDER))

    def path(self, tip: int) -> IntArray:
        """The rows from a start to `tip`, in order."""
        rows = [tip]
        while (above := int(self.parent[rows[-1]])) != FOUNDER:
            rows.append(above)
        return np.array(rows[::-1], np.int64)

    def pruned(self, tips: IntArray) -> tuple[Steps, IntArray]:
        """Only what leads to `tips`, [n], and where these stand now."""
        keep = np.zeros(len(self), bool)
        at = np.unique(tips)
        while len(at):
            keep[at] = True
            at = np.unique(self.parent[at])
            at = at[at != FOUNDER]
            at = at[~keep[at]]
        place = np.cumsum(keep) - 1
        rest = self.take(keep)
        parent = np.where(rest.parent == FOUNDER, FOUNDER, place[rest.parent])
        return replace(rest, parent=parent), place[tips]


@dataclass(frozen=True)
class Kept(Saved):
    """One kept path a chain, one after another.

    Attributes:
        steps: all their rows. `begins`: where each chain's begins, [chains + 1]; a chain without a path has no rows.
    """

    steps: Steps
    begins: IntArray

    @classmethod
    def none(cls, steps: Steps, chains: int) -> Kept:
        """No chain has a path; `steps` gives the kind of rows."""
        return cls(steps.take([]), np.zeros(chains + 1, np.int64))

    @classmethod
    def of(cls, steps: Steps, paths: list[IntArray]) -> Kept:
        """These paths through `steps`, one a chain; an empty one for a chain without."""
        lengths = [len(path) for path in paths]
        return cls(
            steps.take(np.concatenate([*paths, np.zeros(0, np.int64)])), np.concatenate([[0], np.cumsum(lengths)])
        )

    @property
    def there(self) -> IntArray:
        """Chains that have a path, [k]."""
        return np.flatnonzero(np.diff(self.begins) > 0)

    def at(self, step: int) -> tuple[Steps, BoolArray]:
        """For each chain that has a path, its member after so many steps, [k], and whether the path is that long, [k].

        A path that is shorter stays where it ended.
        """
        begins, last = self.begins[self.there], self.begins[self.there + 1] - 1
        return self.steps.take(np.minimum(begins + step, last)), begins + step <= last

    def ends(self) -> Steps:
        """For each chain that has a path, its last member, [k]."""
        return self.steps.take(self.begins[self.there + 1] - 1)

    def exchanged(self, order: IntArray) -> Kept:
        """The same paths dealt out anew: chain k gets that of chain `order[k]`, [chains]."""
        paths = [np.arange(self.begins[k], self.begins[k + 1]) for k in order.tolist()]
        return Kept.of(self.steps, paths)
