"""A Hugging Face model as a `Backend`: one forward a step, in which every row is a token of some sequence.

The step's tokens stand side by side as if they were one text, each with its own position; a mask lets each row see the cells of its own
sequence up to itself, and nothing else. No padding, no limit on how prompts and single tokens are mixed.

`exact` computes the tokens one by one instead, each seeing its own cells in order: a token's arithmetic is then a function of the tokens
before it alone. `probe_exactness` measures that when a deterministic engine opens.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from outthink.core.errors import EngineError
from outthink.engines.local.backend import StepBatch, StepOutput
from outthink.engines.torch.cells import CellTable
from outthink.engines.torch.pool import Pool
from outthink.engines.torch.weights import Weights
from outthink.numerics.types import IntArray


class TorchBackend:
    """A cache of `cells` tokens for `sequences` rows of at most `context` tokens over an open model."""

    reclaims = True

    def __init__(self, weights: Weights, *, cells: int, sequences: int, context: int, exact: bool) -> None:
        self._weights: Weights | None = weights
        self.cells, self.sequences, self.exact = cells, sequences, exact
        self.vocabulary = weights.vocabulary
        self._table = CellTable(sequences, context, cells)
        self._pool: Pool | None = Pool(weights.shapes, cells, weights.example)
        self.forwards = 0

    @property
    def free(self) -> int:
        """Cells that no sequence owns."""
        return self._table.free

    def decode(self, batch: StepBatch) -> StepOutput:
        if not self.exact:
            return self._forward(batch)
        outputs = [
            self._forward(
                StepBatch(
                    batch.tokens[i : i + 1],
                    batch.positions[i : i + 1],
                    batch.sequences[i : i + 1],
                    batch.wanted[i : i + 1],
                    batch.hidden,
                )
            )
            for i in range(len(batch.tokens))
        ]
        hidden = [output.hidden for output in outputs if output.hidden is not None]
        return StepOutput(
            np.concatenate([output.logits for output in outputs]), np.concatenate(hidden) if batch.hidden else None
        )

    def share(self, source: int, target: int, length: int) -> None:
        self._table.share(source, target, length)

    def shorten(self, sequence: int, length: int) -> None:
        self._table.shorten(sequence, length)

    def clear(self) -> None:
        self._table.clear()

    def close(self) -> None:
        self._weights = self._pool = None

    def _forward(self, batch: StepBatch) -> StepOutput:
        if self._weights is None or self._pool is None:
            raise EngineError("The model was used after it was closed.")
        sequences, positions = batch.sequences.tolist(), batch.positions.tolist()
        pairs = list(zip(sequences, positions, strict=True))
        written = np.array([self._table.append(*pair) for pair in pairs], dtype=np.int64)
        rows = [self._table.of(sequence, position + 1) for sequence, position in pairs]
        seen, visible = _sight(rows)
        device = self._weights.device
        wanted = np.flatnonzero(batch.wanted)
        with torch.inference_mode():
            self._pool.begin(torch.from_numpy(written).to(device), torch.from_numpy(seen).to(device))
            logits, hidden = self._weights.forward(
                tokens=_tensor(batch.tokens, device),
                positions=_tensor(batch.positions, device),
                visible=torch.from_numpy(visible).to(device),
                cache=self._pool,
                wanted=torch.from_numpy(wanted).to(device),
                hidden=batch.hidden,
            )
        self.forwards += 1
        return StepOutput(_array(logits), None if hidden is None else _array(hidden))


def _sight(rows: list[IntArray]) -> tuple[IntArray, np.ndarray[Any, np.dtype[np.bool_]]]:
    """All cells that some row sees, in order of first sight, and which row sees which, [rows, seen]."""
    if len(rows) == 1:
        return rows[0], np.ones((1, len(rows[0])), dtype=np.bool_)
    seen = np.unique(np.concatenate(rows))
    visible = np.zeros((len(rows), len(seen)), dtype=np.bool_)
    for i, cells in enumerate(rows):
        visible[i, np.searchsorted(seen, cells)] = True
    return seen, visible


def _tensor(values: Any, device: Any) -> Any:
    return torch.from_numpy(values.astype(np.int64)).to(device)[None]


def _array(values: Any) -> Any:
    return values.float().cpu().numpy()
