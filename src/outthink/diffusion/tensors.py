"""Where the schedule's numbers meet the latents: host coefficients times device tensors, and noise that belongs to a slot's seed.

Noise is drawn on the host by one counter-based generator and moved, so that a sample is the same on every device and beside any others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from outthink.numerics.types import BoolArray, FloatArray, SeedArray


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
    for row, seed in enumerate(seeds.tolist()):
        generator = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, purpose, 0]))
        generator.standard_normal(out=out[row], dtype=out.dtype)
    return torch.from_numpy(out).to(like.device, working_type(like))
