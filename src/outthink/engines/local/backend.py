"""What the scheduler needs of a model: decode a mixed batch, share, shorten and forget sequences.

The scheduler is written against this protocol, so the tests run it on a small model with exact arithmetic as well as on llama.cpp.
A sequence is a row of the cache: tokens at positions 0, 1, 2, ... Sharing costs no memory: the cells of a prefix belong to all its owners.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

LogitArray: TypeAlias = NDArray[np.float32]
TokenArray: TypeAlias = NDArray[np.int32]


@dataclass(frozen=True)
class StepBatch:
    """The tokens of one decode step, one entry each: token, position, sequence, and whether its logits are wanted.

    `hidden`: whether the last layer's states are wanted too, for the same entries.
    """

    tokens: TokenArray
    positions: TokenArray
    sequences: TokenArray
    wanted: NDArray[np.int8]
    hidden: bool = False

    @classmethod
    def of(cls, entries: Sequence[tuple[int, int, int, bool]], *, hidden: bool) -> StepBatch:
        """From entries of (token, position, sequence, wanted)."""
        table = np.array(entries, dtype=np.int32).reshape(-1, 4)
        return cls(table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(np.int8), hidden)


@dataclass(frozen=True)
class StepOutput:
    """Logits [wanted, vocabulary] in the order of the batch, and hidden states [wanted, width] if asked for.

    Both may be views that the next decode overwrites; the logits may be changed in place.
    """

    logits: LogitArray
    hidden: LogitArray | None = None


class Backend(Protocol):
    """A model with a cache of `cells` tokens and `sequences` rows.

    Attributes:
        reclaims: whether cells are free again as soon as no sequence owns them. Otherwise only `clear` frees.
    """

    @property
    def vocabulary(self) -> int: ...

    @property
    def cells(self) -> int: ...

    @property
    def sequences(self) -> int: ...

    @property
    def reclaims(self) -> bool: ...

    def decode(self, batch: StepBatch) -> StepOutput:
        """Append the batch's tokens to their sequences. Raises `EngineError` when the model fails."""

    def share(self, source: int, target: int, length: int) -> None:
        """Give `target`, which is empty, the first `length` tokens of `source`."""

    def shorten(self, sequence: int, length: int) -> None:
        """Keep the first `length` tokens of `sequence`; 0 forgets it."""

    def clear(self) -> None:
        """Forget everything."""

    def close(self) -> None:
        """Free the memory."""
