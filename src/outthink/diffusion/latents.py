"""Samples under way: everything that a fork must carry, moved by one gather.

A sample's past predictions, the levels that they were made at and the prediction at its present place are part of it, so that a solver with
memory can be forked, dropped, sent back and resumed like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from outthink.core.rows import Rows
from outthink.numerics.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Latents:
    """n samples.

    Attributes:
        x: the samples, [n, ...].
        data: predicted data at `x`, [n, ...]; at the last level the sample itself.
        asked: whether `data` holds the prediction at `x`, [n].
        level: number of the level, [n]: steps taken from the noisiest.
        slopes: velocity and score at `x`, where the network says them itself, [n, 2, ...]; [n, 0, ...] where they follow from `data`.
        past: earlier predictions, newest first, [n, h, ...]; past_level: where they were made, [n, h]; known: how many are held, [n].
    """

    x: torch.Tensor
    data: torch.Tensor
    asked: BoolArray
    level: IntArray
    slopes: torch.Tensor
    past: torch.Tensor
    past_level: IntArray
    known: IntArray

    def __len__(self) -> int:
        return len(self.level)

    @classmethod
    def fresh(cls, x: torch.Tensor, remembers: int, slopes: int = 0) -> Latents:
        """Samples at the first level, of which nothing is known. `slopes`: how many the network says itself."""
        n, shape = len(x), x.shape[1:]
        past, said = x.new_zeros((n, remembers, *shape)), x.new_zeros((n, slopes, *shape))
        nothing, zeros = np.zeros((n, remembers), np.int64), np.zeros(n, np.int64)
        return cls(x, torch.zeros_like(x), np.zeros(n, bool), zeros, said, past, nothing, zeros)

    def take(self, index: IntArray) -> Latents:
        """The samples at `index`, [m]; the same ones in the same order are not copied."""
        at = np.asarray(index, np.int64)
        if len(at) == len(self) and (at == np.arange(len(self))).all():
            return self
        on = torch.as_tensor(at).to(self.x.device)
        return Latents(
            self.x[on],
            self.data[on],
            self.asked[at],
            self.level[at],
            self.slopes[on],
            self.past[on],
            self.past_level[at],
            self.known[at],
        )

    def put(self, index: IntArray, rows: Latents) -> Latents:
        """The same samples with those at `index`, [m], replaced."""
        if len(index) == len(self) and (index == np.arange(len(self))).all():
            return rows
        on = torch.as_tensor(np.asarray(index, np.int64)).to(self.x.device)

        def tensor(mine: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
            out = mine.clone()
            out[on] = new
            return out

        def array(mine: Any, new: Any) -> Any:
            out = mine.copy()
            out[index] = new
            return out

        return Latents(
            tensor(self.x, rows.x),
            tensor(self.data, rows.data),
            array(self.asked, rows.asked),
            array(self.level, rows.level),
            tensor(self.slopes, rows.slopes),
            tensor(self.past, rows.past),
            array(self.past_level, rows.past_level),
            array(self.known, rows.known),
        )

    def at(self, x: torch.Tensor, level: IntArray) -> Latents:
        """The same members with samples from elsewhere, which know nothing of the past: after going back, or a mutation."""
        n = len(self)
        return replace(self, x=x, asked=np.zeros(n, bool), level=level, known=np.zeros(n, np.int64))

    @property
    def size(self) -> int:
        """Bytes that the tensors take."""
        return sum(t.numel() * t.element_size() for t in (self.x, self.data, self.slopes, self.past))


def joined(parts: Sequence[Latents]) -> Latents:
    """All samples of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    return Latents(
        torch.cat([p.x for p in parts]),
        torch.cat([p.data for p in parts]),
        np.concatenate([p.asked for p in parts]),
        np.concatenate([p.level for p in parts]),
        torch.cat([p.slopes for p in parts]),
        torch.cat([p.past for p in parts]),
        np.concatenate([p.past_level for p in parts]),
        np.concatenate([p.known for p in parts]),
    )


@dataclass(frozen=True)
class SavedLatents(Rows):
    """Samples as host arrays, for checkpoints; half-precision ones keep their bits."""

    x: FloatArray
    data: FloatArray
    asked: BoolArray
    level: IntArray
    slopes: FloatArray
    past: FloatArray
    past_level: IntArray
    remembered: IntArray

    @classmethod
    def of(cls, latents: Latents) -> SavedLatents:
        """The samples, copied to the host."""
        return cls(
            _host(latents.x),
            _host(latents.data),
            latents.asked,
            latents.level,
            _host(latents.slopes),
            _host(latents.past),
            latents.past_level,
            latents.known,
        )

    def back(self, like: torch.Tensor) -> Latents:
        """The samples on the device and in the type of `like`."""
        return Latents(
            _device(self.x, like),
            _device(self.data, like),
            self.asked,
            self.level,
            _device(self.slopes, like),
            _device(self.past, like),
            self.past_level,
            self.remembered,
        )


def _host(tensor: torch.Tensor) -> FloatArray:
    # numpy has no bfloat16; its bits are the upper half of a float32, so the wider type loses nothing.
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
    return np.asarray(wide.detach().cpu().numpy())


def _device(array: FloatArray, like: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(like.device, like.dtype)
