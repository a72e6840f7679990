"""Keys and values of all sequences in one pool of cells, in the place of transformers' own caches.

A model calls `update` once a layer with the keys and values of the step's tokens and attends to what it gets back. Here that is every cell
that some row of the step can see; which row sees which cell is the mask's business. So one forward serves many sequences, and a shared
prefix lies in memory once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


class Pool:
    """Tensors of `cells` cells for each layer, and the cells that the step under way writes and sees.

    Args:
        shapes: for each layer heads and width of keys and of values: ((heads, width), (heads, width)).
    """

    is_compileable = False

    def __init__(self, shapes: Sequence[tuple[tuple[int, int], tuple[int, int]]], cells: int, like: Any) -> None:
        self._keys = [like.new_zeros((heads, cells, width)) for (heads, width), _ in shapes]
        self._values = [like.new_zeros((heads, cells, width)) for _, (heads, width) in shapes]
        self._written: Any = None
        self._seen: Any = None

    def begin(self, written: Any, seen: Any) -> None:
        """The next step writes the cells `written`, [rows], and sees the cells `seen`, those included; both are index tensors."""
        self._written, self._seen = written, seen

    def update(self, keys: Any, values: Any, layer: int, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Store keys and values, [1, heads, rows, width]; all that the step sees, [1, heads, seen, width]."""
        return self._exchange(self._keys[layer], keys), self._exchange(self._values[layer], values)

    def get_seq_length(self, layer: int = 0) -> int:
        """How many tokens the step finds before its own; what transformers asks its caches."""
        return len(self._seen) - len(self._written)

    def get_mask_sizes(self, query_length: int, layer: int = 0) -> tuple[int, int]:
        """Width and offset of the mask; what transformers asks its caches."""
        return len(self._seen), 0

    def _exchange(self, store: Any, new: Any) -> Any:
        store.index_copy_(1, self._written, new[0])
        return torch.index_select(store, 1, self._seen)[None]
