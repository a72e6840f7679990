"""Where the schedule's numbers meet the latents: host coefficients times device tensors, and noise that belongs to a slot's seed.

Noise is drawn on the host by one counter-based generator and moved, so that a sample is the same on every device and beside any others.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from outthink.numerics.types import BoolArray, FloatArray, SeedArray

_MANY = 1 << 15
"""So many numbers take longer to draw than it takes to wake another thread."""

_DRAWERS = min(4, os.cpu_count() or 1)

_DRAWING = ThreadPoolExecutor(_DRAWERS, thread_name_prefix="outthink-noise")


def scaled(coefficient: FloatArray, tensor: torch.Tensor) -> torch.Tensor:
    """`coefficient` [n] times `tensor` [n, ...], in the tensor's type. Computed in at least float32."""
    return spread(coefficient, tensor) * tensor


def spread(coefficient: FloatArray, like: torch.Tensor) -> torch.Tensor:
    """`coefficient` [n] as a tensor [n, 1, ...] beside `like`."""
    flat = torch.as_tensor(np.ascontiguousarray(coefficient, np.float64)).to(like.device, working_type(like))
    return flat.reshape(-1, *([1] * (like.ndim - 1)))


def working_type(like: torch.Tensor) -> torch.dtype:
    """The type to compute in: the latents' own, but never less than float32."""
    return like.dtype if like.dtype in (torch.float32, torch.float64) else torch.float32


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
    out = np.empty((len(seeds), *shape), np.float64 if double else np.float32)

    def draw(rows: slice) -> None:
        # One generator is set to each row's place in turn, for making one takes longer than drawing a small row.
        bits = np.random.Philox(0)
        generator, key = np.random.Generator(bits), np.zeros(2, np.uint64)
        counter, rest = np.array([0, 0, purpose, 0], np.uint64), np.zeros(4, np.uint64)
        for row, seed in zip(out[rows], seeds[rows], strict=True):
            key[0] = seed
            bits.state = {
                "bit_generator": "Philox",
                "state": {"counter": counter, "key": key},
                "buffer": rest,
                "buffer_pos": 4,
                "has_uint32": 0,
                "uinteger": 0,
            }
            generator.standard_normal(out=row, dtype=out.dtype)

    # Rows are drawn side by side where that pays: nothing depends on the order.
    parts = min(len(seeds), _DRAWERS) if out.size >= _MANY else 1
    size = -(-len(seeds) // max(parts, 1)) or 1
    side_by_side = _DRAWING.map if parts > 1 else map
    for _ in side_by_side(draw, [slice(at, at + size) for at in range(0, len(seeds), size)]):
        continue
    return torch.from_numpy(out).to(like.device, working_type(like))
