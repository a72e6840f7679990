"""Where the schedule's numbers meet the latents: host coefficients times device tensors, and noise that belongs to a slot's seed.

Noise is drawn on the host by one counter-based generator and moved, so that a sample is the same on every device and beside any others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from outthink.core.key import philox
from outthink.numerics.types import BoolArray, FloatArray, SeedArray

_LONG = 1 << 11
"""Rows of so many numbers are drawn by Box and Muller's rule, shorter ones by the ziggurat, which needs fewer calls."""

_HALF, _MINUS_2 = np.float32(0.5), np.float32(-2.0)
_OF_32_BITS, _TURN_OF_32_BITS = np.float32(2.0**-32), np.float32(2.0 * math.pi * 2.0**-32)


def scaled(coefficient: FloatArray, tensor: torch.Tensor) -> torch.Tensor:
    """`coefficient` [n] times `tensor` [n, ...], in the tensor's type. Computed in at least float32."""
    return spread(coefficient, tensor) * tensor


def spread(coefficient: FloatArray, like: torch.Tensor) -> torch.Tensor:
    """`coefficient` [n] as a tensor [n, 1, ...] beside `like`."""
    host = np.array(coefficient, np.float64 if like.dtype == torch.float64 else np.float32)
    return torch.from_numpy(host.reshape(-1, *([1] * (like.ndim - 1)))).to(like.device)


def working_type(like: torch.Tensor) -> torch.dtype:
    """The type to compute in: the latents' own, but never less than float32."""
    return like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in the type to compute in."""
    return tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()


def chosen(mask: BoolArray, yes: torch.Tensor, no: torch.Tensor) -> torch.Tensor:
    """Row by row one of two tensors, by `mask` [n]."""
    if mask.all():
        return yes
    if not mask.any():
        return no
    return torch.where(torch.as_tensor(mask).to(yes.device).reshape(-1, *([1] * (yes.ndim - 1))), yes, no)


def noise(seeds: SeedArray, purpose: int, shape: Sequence[int], like: torch.Tensor) -> torch.Tensor:
    """Standard normal noise, [n, *shape], one seed a row; `purpose` tells apart what one seed is used for within a call.

    Philox with the seed as its key and the purpose in its counter, so that uses never overlap and nothing depends on the other rows.
    """
    double = like.dtype == torch.float64
    size = math.prod(shape)
    out = np.empty((len(seeds), size), np.float64 if double else np.float32)

    # One generator is set to each row's place in turn, for making one takes longer than drawing a small row.
    key, rest = np.zeros(2, np.uint64), np.zeros(4, np.uint64)
    bits = philox(key)
    fill = _ziggurat(bits) if double or size < _LONG else _BoxMuller(bits, size)
    place: Any = {
        "bit_generator": "Philox",
        "state": {"counter": np.array([0, 0, purpose, 0], np.uint64), "key": key},
        "buffer": rest,
        "buffer_pos": 4,
        "has_uint32": 0,
        "uinteger": 0,
    }
    for row, seed in zip(out, seeds, strict=True):
        key[0] = seed
        bits.state = place
        fill(row)
    return torch.from_numpy(out.reshape(len(seeds), *shape)).to(like.device, working_type(like))


def _ziggurat(bits: np.random.Philox) -> Callable[[FloatArray], None]:
    generator = np.random.Generator(bits)

    def fill(row: FloatArray) -> None:
        generator.standard_normal(out=row, dtype=row.dtype.type)

    return fill


class _BoxMuller:
    """Fills float32 rows of one size from a generator's raw bits: twice as fast as the ziggurat where rows are long.

    sqrt(-2 log u) cos(2 pi v) and sqrt(-2 log u) sin(2 pi v) of u, v with 32 bits each, so that nothing lies beyond 6.8 deviations.
    Each row is computed by itself and in the same place, so that its last bits do not depend on the others.
    Source: Box and Muller (1958).
    """

    def __init__(self, bits: np.random.Philox, size: int) -> None:
        self.bits, self.half = bits, -(-size // 2)
        self.rest = size - self.half
        self.uniform = np.empty((2, self.half), np.float32)
        self.wave = np.empty(self.half, np.float32)

    def __call__(self, row: FloatArray) -> None:
        radius, angle = self.uniform
        self.uniform[:] = self.bits.random_raw(self.half).view(np.uint32).reshape(2, -1)
        radius += _HALF
        radius *= _OF_32_BITS
        np.log(radius, out=radius)
        radius *= _MINUS_2
        np.sqrt(radius, out=radius)
        angle *= _TURN_OF_32_BITS
        np.multiply(radius, np.cos(angle, out=self.wave), out=row[: self.half])
        np.multiply(radius[: self.rest], np.sin(angle, out=self.wave)[: self.rest], out=row[self.half :])
