"""Moves across the grid that are no solver steps: back by the forward kernel, to a neighbour, and to the predicted end.

They change samples and charge nothing; asking and claiming is the process's business. Every move belongs to the slot's seed.

Source: spec 19, item C, for the forward kernel, and item B for the neighbours of noises; spec 23 for the mutation inside.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from outthink.diffusion.latents import Latents
from outthink.diffusion.levels import Grid, Level
from outthink.diffusion.tensors import noise, scaled, wide
from outthink.numerics.types import FloatArray, IntArray, SeedArray

_BACK, _NEIGHBOUR = 3, 4
"""What a slot's seed is used for; 1 starts samples and 2 is the steps' noise."""


def noised(states: Latents, now: Level, then: Level, seeds: SeedArray) -> torch.Tensor:
    """The samples at noisier levels, [n, ...], by the forward kernel: (a'/a) x + sqrt(s'^2 - (a'/a)^2 s^2) z, which keeps every law."""
    keep = then.alpha / now.alpha
    deviation = np.sqrt(np.maximum(then.sigma**2 - keep**2 * now.sigma**2, 0.0))
    x = wide(states.x)
    return (scaled(keep, x) + scaled(deviation, noise(seeds, _BACK, x.shape[1:], x))).to(states.x.dtype)


def rewound(states: Latents, grid: Grid, target: IntArray, seeds: SeedArray) -> Latents:
    """Samples as noisy as the levels `target` [n] say, with nothing remembered; those that are that noisy already stay as they are."""
    at = np.flatnonzero(target < states.level)
    if len(at) == 0:
        return states
    part = states.take(at)
    x = noised(part, grid.at(part.level), grid.at(target[at]), seeds[at])
    return states.put(at, part.at(x, target[at]))


def mixed(states: Latents, strength: FloatArray, scale: float, seeds: SeedArray) -> Latents:
    """Neighbours of pure noises: sqrt(1 - s^2) x + s z keeps their normal law exactly; strength 1 draws afresh."""
    x = wide(states.x)
    new = noise(seeds, _NEIGHBOUR, x.shape[1:], x)
    return states.at(
        (scaled(np.sqrt(1.0 - strength**2), x) + scaled(scale * strength, new)).to(states.x.dtype), states.level
    )


def shaken(states: Latents, grid: Grid, strength: FloatArray, seeds: SeedArray) -> Latents:
    """Neighbours of samples under way as EvoSearch makes them: x + s q z, q the noise that the reverse chain adds at the next step.

    Such a sample is a little noisier than its level says. Nothing is left to add at the last level.
    """
    level = grid.at(states.level)
    below = grid.at(np.minimum(states.level + 1, grid.steps))
    with np.errstate(invalid="ignore"):
        gap = np.where(states.level < grid.steps, below.half_log_snr - level.half_log_snr, 0.0)
    deviation = strength * below.sigma * np.sqrt(-np.expm1(-2.0 * gap))
    x = wide(states.x)
    moved = (x + scaled(deviation, noise(seeds, _NEIGHBOUR, x.shape[1:], x))).to(states.x.dtype)
    return states.at(moved, states.level)


def part_way_back(states: Latents, grid: Grid, strength: FloatArray, seeds: SeedArray) -> tuple[Latents, Level]:
    """Samples taken back by the forward kernel, a share `strength` [n] of the way to the level before theirs, and the levels they stand at.

    A solver step from there leads them to their own level again; they are numbered by the level before, from which that step counts.
    """
    start = grid.between(states.level, strength)
    return states.at(noised(states, grid.at(states.level), start, seeds), states.level - 1), start


def ended(states: Latents, last: int) -> Latents:
    """The predicted data of samples that were asked about, as finished samples."""
    n = len(states)
    return replace(states, x=states.data, level=np.full(n, last), asked=np.ones(n, bool), known=np.zeros(n, np.int64))
