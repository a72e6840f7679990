"""Rewards of whole sets: what a sample adds to the others of its call.

different = diversity(classifier().features)        # distance from the nearest other sample, in features
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from outthink.diffusion.rewards.reward import Reward, set_reward

Features = Callable[[torch.Tensor], torch.Tensor]
"""Decoded samples [n, ...] to features [n, d]."""


def diversity(features: Features | None = None, *, partial: bool = True) -> Reward:
    """Distance of each sample from the nearest other one of its call, root mean square over the features; nan for a single sample.

    Args:
        features: what is compared; None: the samples' own numbers.
    """

    def apart(samples: torch.Tensor) -> torch.Tensor:
        flat = (samples if features is None else features(samples)).flatten(1).double()
        if len(flat) < 2:
            return torch.full((len(flat),), torch.nan)
        away = torch.cdist(flat, flat).fill_diagonal_(torch.inf)
        return away.min(dim=1).values / flat.shape[1] ** 0.5

    return set_reward(apart, partial=partial, low=0.0, name="diversity")


def mean_distance(samples: torch.Tensor, features: Features | None = None) -> float:
    """One number for a set of at least two samples [n, ...]: the mean distance of pairs, root mean square over the features."""
    flat = (samples if features is None else features(samples)).flatten(1).double()
    return float(torch.pdist(flat).mean() / flat.shape[1] ** 0.5)
