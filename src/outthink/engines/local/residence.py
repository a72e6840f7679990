"""Which tokens lie in the cache, in which sequences, and how many cells that takes.

Nothing here is a handle that somebody else keeps: a prefix is found by its content. A sequence is free, running or retained; a retained one
is what a finished request left behind, kept until its place is needed, the least recently used first. Cells of a shared prefix are counted
once: every sequence lists its cells, and a cell is in use as long as one of them does.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

import numpy as np

from outthink.engines.local.backend import TokenArray
from outthink.numerics.types import IntArray

HEAD = 16
"""Tokens compared first, to drop most sequences cheaply."""


class State(IntEnum):
    """What a sequence is used for."""

    FREE = 0
    RUNNING = 1
    RETAINED = 2


class Residence:
    """The table of sequences over `cells` cells of cache, each at most `context` tokens long.

    Attributes:
        planned: tokens that a sequence holds or is about to hold, [sequences].
        computed: tokens whose keys and values are in the cache, [sequences].
        reclaims: whether a cell that nobody owns is free at once; otherwise it is dead until `reset`.
    """

    def __init__(self, sequences: int, context: int, cells: int, *, reclaims: bool) -> None:
        self.cells, self.reclaims = cells, reclaims
        self.state = np.zeros(sequences, dtype=np.int8)
        self.planned = np.zeros(sequences, dtype=np.int64)
        self.computed = np.zeros(sequences, dtype=np.int64)
        self._tokens = np.zeros((sequences, context), dtype=np.int32)
        self._cells = np.zeros((sequences, context), dtype=np.int32)
        self._used_at = np.zeros(sequences, dtype=np.int64)
        self._clock = 0
        self._owners = np.zeros(cells, dtype=np.int32)
        self._runners = np.zeros(cells, dtype=np.int32)
        self._free = np.arange(cells, dtype=np.int32)
        self._free_count = cells
        self.dead = 0
        self.held = 0
        """Cells of running sequences."""

    @property
    def free(self) -> int:
        """Cells that can be written at once."""
        return self._free_count

    @property
    def idle(self) -> int:
        """Cells that only retained sequences use."""
        return self.cells - self._free_count - self.dead - self.held

    @property
    def attainable(self) -> int:
        """Cells that are free or become free when every retained sequence is forgotten."""
        return self._free_count + (self.idle if self.reclaims else 0)

    def free_sequence(self) -> int | None:
        """A free sequence, the lowest; None when all are taken."""
        index = int(np.argmin(self.state))
        return index if self.state[index] == State.FREE else None

    def retained(self) -> IntArray:
        """Retained sequences, the least recently used first."""
        found = np.flatnonzero(self.state == State.RETAINED)
        return np.asarray(found[np.argsort(self._used_at[found], kind="stable")])

    def content(self, sequence: int) -> TokenArray:
        """The tokens that a sequence holds or is about to hold."""
        return self._tokens[sequence, : self.planned[sequence]]

    # -- finding by content ---------------------------------------------------------------------------------------

    def common(self, tokens: TokenArray) -> tuple[IntArray, IntArray]:
        """Sequences that begin as `tokens` does, and how many leading tokens they plan to share with it, [m] each.

        How many of these are computed is `minimum(shared, computed[sequences])`.
        """
        size = len(tokens)
        used = np.flatnonzero((self.state != State.FREE) & (self.planned > 0))
        if size == 0 or len(used) == 0:
            return used[:0], used[:0]
        used = used[self._tokens[used, 0] == tokens[0]]
        head = min(HEAD, size)
        long = (self._tokens[used, :head] == tokens[:head]).all(axis=1)
        shared = np.empty(len(used), dtype=np.int64)
        for part, width in ((~long, head), (long, size)):
            same = self._tokens[used[part], :width] == tokens[:width]
            shared[part] = np.where(same.all(axis=1), width, same.argmin(axis=1)) if same.size else 0
        return used, np.minimum(shared, self.planned[used])

    # -- changes ----------------------------------------------------------------------------------------------------

    def open(self, sequence: int, tokens: Sequence[int] | TokenArray) -> None:
        """Make a free or retained sequence a running one that is about to hold `tokens`; what it has computed of them stays."""
        if self.state[sequence] == State.RETAINED:
            self._count_runner(self._own(sequence))
        self.state[sequence] = State.RUNNING
        self._tokens[sequence, : len(tokens)] = tokens
        self.planned[sequence] = len(tokens)

    def plan(self, sequence: int, token: int) -> None:
        """One more token that the sequence is about to hold."""
        self._tokens[sequence, self.planned[sequence]] = token
        self.planned[sequence] += 1

    def share(self, source: int, target: int, length: int) -> None:
        """Give running `target`, which has computed nothing, the first `length` computed tokens of `source`."""
        cells = self._cells[source, :length]
        self._cells[target, :length] = cells
        self._owners[cells] += 1
        self._count_runner(cells)
        self.computed[target] = length
        self.touch(source)

    def extend(self, sequence: int, count: int) -> None:
        """Write `count` more tokens of a running sequence; there must be so many free cells."""
        start = int(self.computed[sequence])
        self._free_count -= count
        cells = self._free[self._free_count : self._free_count + count]
        self._cells[sequence, start : start + count] = cells
        self._owners[cells] = 1
        self._runners[cells] = 1
        self.held += count
        self.computed[sequence] = start + count

    def retain(self, sequence: int) -> None:
        """Keep what a running sequence has computed, until it is released."""
        self._drop_runner(self._own(sequence))
        self.state[sequence] = State.RETAINED
        self.planned[sequence] = self.computed[sequence]
        self.touch(sequence)

    def release(self, sequence: int) -> None:
        """Forget a sequence; cells that nobody else owns become free, or dead."""
        cells = self._own(sequence)
        if self.state[sequence] == State.RUNNING:
            self._drop_runner(cells)
        self._owners[cells] -= 1
        gone = cells[self._owners[cells] == 0]
        if self.reclaims:
            self._free[self._free_count : self._free_count + len(gone)] = gone
            self._free_count += len(gone)
        else:
            self.dead += len(gone)
        self.state[sequence] = State.FREE
        self.planned[sequence] = self.computed[sequence] = 0

    def touch(self, sequence: int) -> None:
        """Note that a sequence was of use now."""
        self._clock += 1
        self._used_at[sequence] = self._clock

    def reset(self) -> None:
        """Every cell is free again: retained sequences are gone, running ones have nothing computed but keep their plans."""
        self.state[self.state == State.RETAINED] = State.FREE
        self.planned[self.state == State.FREE] = 0
        self.computed[:] = 0
        self._owners[:] = 0
        self._runners[:] = 0
        self._free[:] = np.arange(self.cells, dtype=np.int32)
        self._free_count, self.dead, self.held = self.cells, 0, 0

    def _own(self, sequence: int) -> TokenArray:
        return self._cells[sequence, : self.computed[sequence]]

    def _count_runner(self, cells: TokenArray) -> None:
        self.held += int((self._runners[cells] == 0).sum())
        self._runners[cells] += 1

    def _drop_runner(self, cells: TokenArray) -> None:
        self._runners[cells] -= 1
        self.held -= int((self._runners[cells] == 0).sum())
