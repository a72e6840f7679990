"""Sequences that a reward model has read before, so that only what is new of a candidate is computed. Plain numpy, no tensors.

A row holds the tokens that its cells stand for and the numbers that were read among them. A candidate takes over the longest beginning
that some row shares with it; the row that was not used for longest gives way to a new one.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from outthink.numerics.types import FloatArray, IntArray
from outthink.verify.reward_layout import Reading


@dataclass
class KeptRow:
    """One row of the cache: its tokens [t], and what was read at which position, [classes] each. `ready`: whether they are computed."""

    row: int
    tokens: IntArray
    read: dict[int, FloatArray] = field(default_factory=dict)
    used: int = 0
    ready: bool = False

    def reusable(self, reading: Reading, tokens: IntArray) -> int:
        """How many of the first tokens need not be computed: equal ones, up to a mark that was not read."""
        both = min(len(self.tokens), len(tokens))
        differing = np.flatnonzero(self.tokens[:both] != tokens[:both])
        equal = int(differing[0]) if len(differing) else both
        unread = (mark for mark in reading.marks if mark < equal and mark not in self.read)
        return next(unread, equal)


class KeptRows:
    """At most `rows` rows."""

    def __init__(self, rows: int) -> None:
        self._free = list(range(rows))[::-1]
        self.rows: dict[int, KeptRow] = {}
        self._clock = 0

    def longest(self, reading: Reading, tokens: IntArray) -> tuple[KeptRow | None, int]:
        """The row that saves most, and how many tokens it saves."""
        best: KeptRow | None = None
        saved = 0
        for kept in [one for one in self.rows.values() if one.ready]:
            n = kept.reusable(reading, tokens)
            if n > saved:
                best, saved = kept, n
        if best is not None:
            self.touch(best)
        return best, saved

    def add(self, tokens: IntArray) -> KeptRow | None:
        """A free row for these tokens; None when there is none."""
        if not self._free:
            return None
        kept = KeptRow(self._free.pop(), tokens)
        self.rows[kept.row] = kept
        self.touch(kept)
        return kept

    def touch(self, kept: KeptRow) -> None:
        """`kept` is used now."""
        self._clock += 1
        kept.used = self._clock

    def oldest(self, but: Collection[int]) -> KeptRow | None:
        """The row that was not used for longest, leaving out some."""
        others = [kept for kept in self.rows.values() if kept.row not in but]
        return min(others, key=lambda kept: kept.used, default=None)

    def forget(self, kept: KeptRow) -> None:
        """The row is free again."""
        del self.rows[kept.row]
        self._free.append(kept.row)

    def clear(self) -> None:
        """All rows are free."""
        for kept in list(self.rows.values()):
            self.forget(kept)
