"""Which cells of the cache belong to which sequence: rows of cell numbers, shared by counting owners. Plain numpy, no tensors.

A cell holds the keys and values of one token after everything before it, so sequences with a common beginning share its cells, and a fork
copies numbers only.
"""

from __future__ import annotations

import numpy as np

from outthink.core.errors import EngineError
from outthink.numerics.types import IntArray


class CellTable:
    """`cells` cells for `sequences` rows of at most `context` tokens."""

    def __init__(self, sequences: int, context: int, cells: int) -> None:
        self._rows = np.zeros((sequences, context), dtype=np.int32)
        self._lengths = np.zeros(sequences, dtype=np.int64)
        self._owners = np.zeros(cells, dtype=np.int32)
        self._free = np.arange(cells, dtype=np.int32)[::-1].copy()
        self._free_count = cells

    @property
    def free(self) -> int:
        """Cells that nobody owns."""
        return self._free_count

    def of(self, sequence: int, length: int) -> IntArray:
        """Cells of the first `length` tokens of a sequence, in order."""
        return self._rows[sequence, :length].astype(np.int64)

    def append(self, sequence: int, position: int) -> int:
        """A new cell for the token at `position`, which must be the sequence's next one."""
        if position != self._lengths[sequence] or self._free_count == 0:
            raise EngineError(f"Token {position} of sequence {sequence} has no place in the cache.")
        self._free_count -= 1
        cell = int(self._free[self._free_count])
        self._rows[sequence, position] = cell
        self._owners[cell] = 1
        self._lengths[sequence] += 1
        return cell

    def share(self, source: int, target: int, length: int) -> None:
        """Give `target`, which is empty, the first `length` tokens of `source`."""
        cells = self._rows[source, :length]
        self._rows[target, :length] = cells
        self._owners[cells] += 1
        self._lengths[target] = length

    def shorten(self, sequence: int, length: int) -> None:
        """Keep the first `length` tokens; cells that nobody owns any more are free."""
        cells = self._rows[sequence, length : self._lengths[sequence]]
        self._owners[cells] -= 1
        gone = cells[self._owners[cells] == 0]
        self._free[self._free_count : self._free_count + len(gone)] = gone
        self._free_count += len(gone)
        self._lengths[sequence] = min(length, int(self._lengths[sequence]))

    def clear(self) -> None:
        """Every sequence is empty."""
        for sequence in np.flatnonzero(self._lengths).tolist():
            self.shorten(sequence, 0)
