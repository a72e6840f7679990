"""Gradients of rewards, where they are offered: a capability, asked for by proposals inside a process and never seen by search.

    darker = differentiable(lambda images: -images.mean(dim=(1, 2, 3)))
    slope = darker.gradient(samples)                     # Slope(values [n], gradients [n, ...])

The function is run by torch's automatic differentiation, so it has to stay within torch, and each sample's number may depend on that sample
alone: the gradient of the sum is then each one's own. `GradientGuided` uses it to propose, and pays the difference as a log-weight.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Unpack

import torch

from outthink.core.errors import VerifierError, explain
from outthink.diffusion.rewards.reward import Reward, RewardFunction, Said, reward, wrong_shape


@dataclass(frozen=True)
class Slope:
    """Rewards of n samples and their gradients: values [n], gradients [n, ...], of the samples' own shape and type."""

    values: torch.Tensor
    gradients: torch.Tensor


class Differentiable(ABC):
    """A reward that knows its gradient."""

    __slots__ = ()

    @abstractmethod
    def gradient(self, samples: torch.Tensor) -> Slope:
        """Rewards of decoded samples [n, ...] and their gradients. Raises `VerifierError` where there is none."""


@dataclass(frozen=True)
class DifferentiableReward(Reward, Differentiable):
    """A function of decoded samples with its gradient. See `differentiable`."""

    def gradient(self, samples: torch.Tensor) -> Slope:
        """By automatic differentiation of the sum."""
        x = samples.detach().clone().requires_grad_()
        with torch.enable_grad():
            values = self.function(x)
        if not isinstance(values, torch.Tensor) or not values.requires_grad:
            raise VerifierError(
                explain(
                    f"The reward {self.name!r} has no gradient.",
                    got=type(values).__name__
                    + (" cut off from the samples" if isinstance(values, torch.Tensor) else ""),
                    expected="a tensor that torch can differentiate by the samples",
                    remedy="Compute it in torch alone, without detach, numpy or no_grad; or use `reward`, which needs no gradient.",
                )
            )
        if values.shape != (len(x),):
            raise wrong_shape(self.name, list(values.shape), len(x), list(x.shape[1:]))
        (gradients,) = torch.autograd.grad(values.sum(), x)
        return Slope(values.detach(), gradients)


def differentiable(function: RewardFunction, **said: Unpack[Said]) -> DifferentiableReward:
    """A verifier like `reward`'s that offers gradients too; arguments as there."""
    plain = reward(function, **said)
    return DifferentiableReward(plain.function, plain.name, plain.what, plain.at_once)
