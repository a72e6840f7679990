"""Rewards that look at pixels alone: brightness, symmetry, how well an image compresses. For images [n, c, h, w] in [-1, 1].

Search(lambda task: process, BestOfN(n=16), compressibility())
"""

from __future__ import annotations

import math
from typing import Literal

import torch

from outthink.diffusion.pictures import Format, encoded, pictures
from outthink.diffusion.rewards.differentiable import DifferentiableReward, differentiable
from outthink.diffusion.rewards.reward import Reward, reward


def brightness(*, partial: bool = True) -> DifferentiableReward:
    """The mean pixel, from -1 to 1 for pixels in that range."""

    def mean(images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1).mean(dim=1)

    return differentiable(mean, partial=partial, name="brightness")


def symmetry(axis: Literal["left-right", "up-down"] = "left-right", *, partial: bool = True) -> DifferentiableReward:
    """Minus the mean square difference between an image and its mirror image: 0 where they are the same."""
    flipped = -1 if axis == "left-right" else -2

    def alike(images: torch.Tensor) -> torch.Tensor:
        return -(images - images.flip(flipped)).square().flatten(1).mean(dim=1)

    return differentiable(alike, partial=partial, high=0.0, name="symmetry")


def compressibility(format_: Format = "jpeg", *, quality: int = 75, sign: float = 1.0, partial: bool = True) -> Reward:
    """Minus the size of the image's file in kB, as in DDPO; `sign=-1` rewards what compresses badly. No gradient.

    Source: Black et al. 2024 (training diffusion models with reinforcement learning).
    """
    kilobyte = 1000.0

    def small(images: torch.Tensor) -> list[float]:
        return [
            -sign * len(encoded(one, format_, quality)) / kilobyte if bool(torch.isfinite(image).all()) else math.nan
            for one, image in zip(pictures(images), images, strict=True)
        ]

    return reward(small, partial=partial, name="compressibility")
