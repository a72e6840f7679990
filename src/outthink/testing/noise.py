"""Noise by counter: every number is a function of a slot's seed and a counter, for all slots at once.

`uniforms(seeds, k)` of one slot is the same number alone and in any batch, and no generator object is made per slot.
Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators (2014): the finaliser of SplitMix64.
"""

from __future__ import annotations

import numpy as np

from outthink.numerics.types import FloatArray, IntArray, SeedArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def _mix(z: SeedArray) -> SeedArray:
    # Wraps around in 64 bits on purpose; numpy does so for arrays without a word.
    z = (z ^ (z >> np.uint64(30))) * _FIRST
    z = (z ^ (z >> np.uint64(27))) * _SECOND
    return z ^ (z >> np.uint64(31))


def uniforms(seeds: SeedArray, counter: int, width: int = 1) -> FloatArray:
    """Numbers in [0, 1): [n, width] for `width` > 1, else [n]. Those of one counter use `width` places from `counter` on."""
    places = np.arange(counter + 1, counter + 1 + width, dtype=np.uint64) * _GOLDEN
    # The seed is mixed before the counter is added, so that neighbouring seeds share no stretch of a sequence.
    bits = _mix(_mix(np.asarray(seeds, np.uint64) + _GOLDEN)[:, None] + places)
    values = (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return values if width > 1 else values[:, 0]


def normals(seeds: SeedArray, counter: int, width: int = 1) -> FloatArray:
    """Standard normals, [n, width], by Box and Muller; uses 2 * `width` places from `counter` on."""
    pairs = uniforms(seeds, counter, 2 * width)
    radius = np.sqrt(-2.0 * np.log1p(-pairs[:, :width]))
    return np.asarray(radius * np.cos(2.0 * np.pi * pairs[:, width:]))


def choices(weights: FloatArray, uniform: FloatArray) -> IntArray:
    """One index a row, [n], with probabilities proportional to `weights` [n, k]; `uniform` [n] in [0, 1) decides."""
    reached = np.cumsum(weights, axis=1)
    return np.asarray((uniform[:, None] * reached[:, -1:] >= reached).sum(axis=1), np.int64)
