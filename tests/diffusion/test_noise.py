"""Noise that belongs to a seed: standard normal by either rule, and the same beside any others."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from outthink.diffusion.tensors import noise

SEEDS = np.array([3, 2**64 - 1, 7, 3, 11], np.uint64)
SHORT, LONG = (1, 8, 8), (3, 5, 273)
"""Rows drawn by the ziggurat, and rows of an odd size drawn by Box and Muller's rule."""


@pytest.mark.parametrize("shape", [SHORT, LONG])
def test_rows_are_the_same_beside_any_others(shape: tuple[int, ...]) -> None:
    like = torch.zeros(())
    together = noise(SEEDS, 2, shape, like)
    for i, seed in enumerate(SEEDS):
        assert torch.equal(noise(np.array([seed]), 2, shape, like)[0], together[i])
    assert torch.equal(together[0], together[3])
    assert not torch.equal(together[0], together[2])
    assert not torch.equal(together, noise(SEEDS, 3, shape, like)), "two purposes share their noise"


@pytest.mark.parametrize("shape", [SHORT, LONG])
def test_seeds_and_purposes_give_noise_that_is_not_alike(shape: tuple[int, ...]) -> None:
    like = torch.zeros(())
    rows = torch.cat([noise(SEEDS[:3], purpose, shape, like).flatten(1) for purpose in (2, 3, 2 + (1 << 8))])
    alike = torch.corrcoef(rows) - torch.eye(len(rows))
    assert alike.abs().max() < 5 / math.sqrt(rows.shape[1])


def test_long_rows_are_standard_normal() -> None:
    """Moments up to the fourth, tails, and the two halves of a row, which come from the same radii, uncorrelated even in their squares."""
    x = noise(np.arange(64, dtype=np.uint64), 2, (4, 64, 64), torch.zeros(())).double().numpy()
    n = x.size
    for power, exact in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 3.0)):
        spread = math.sqrt(math.prod(range(1, 2 * power, 2)))
        assert abs((x**power).mean() - exact) < 5 * spread / math.sqrt(n)
    for far in (1.0, 2.0, 3.0, 4.0):
        share = math.erfc(far / math.sqrt(2.0))
        assert abs((np.abs(x) > far).mean() - share) < 5 * math.sqrt(share / n)
    assert np.isfinite(x).all()
    assert np.abs(x).max() < 6.8
    halves = x.reshape(64, 2, -1)
    for first, second in (halves[:, 0], halves[:, 1]), (halves[:, 0] ** 2, halves[:, 1] ** 2):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 5 / math.sqrt(n / 2)


def test_long_rows_follow_from_the_raw_bits_of_the_seed() -> None:
    """Box and Muller's formula on Philox's bits, in double precision."""
    bits = np.random.Philox(0)
    place = bits.state
    place["state"] = {"counter": np.array([0, 0, 2, 0], np.uint64), "key": np.array([7, 0], np.uint64)}
    bits.state = {**place, "buffer_pos": 4}
    size = math.prod(LONG)
    half = -(-size // 2)
    u, v = (bits.random_raw(half).view(np.uint32).reshape(2, -1).astype(np.float64) + 0.5) * 2.0**-32
    radius = np.sqrt(-2.0 * np.log(u))
    exact = np.concatenate([radius * np.cos(2 * np.pi * v), radius * np.sin(2 * np.pi * v)])[:size]
    drawn = noise(np.array([7], np.uint64), 2, LONG, torch.zeros(()))[0].flatten().numpy()
    assert np.allclose(drawn, exact, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_types_are_at_least_single_and_doubles_are_drawn_as_doubles(dtype: torch.dtype) -> None:
    x = noise(SEEDS, 2, LONG, torch.zeros((), dtype=dtype))
    assert x.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    if dtype == torch.float64:
        assert not torch.equal(x, x.float().double())


def test_no_rows_are_no_noise() -> None:
    assert noise(SEEDS[:0], 2, LONG, torch.zeros(())).shape == (0, *LONG)
