"""Steps that lean along a reward's gradient, with the difference paid as a log-weight: exact under any filter, however bad the gradient.

    likes = class_log_probability(classifier().log_probabilities, 3)
    process = GradientGuided(network, grid, Ancestral(), shape, likes)
    Search(lambda task: process, ParticleFilter(n=16, twist=Difference(strength=1.0)), likes)

A solver's step is N(m, q^2); this process draws from N(m + q u, q^2) instead and adds log N(m, q^2) - log N(m + q u, q^2) at the place
drawn to the log-weight. So what a filter aims at does not depend on u; only how evenly its weights are spread does. u is the gradient of
the reward at the predicted data, taken to the step's own scale as if the data were normal with deviation `data_deviation`; the network is
not differentiated. Methods without weights (best-of-n, beam) take the samples as they come: plain guidance, which aims at no known law.

If unsure: the `strength` that the method has, and `longest` as it is. Steps without noise cannot lean and are left alone.

Source: Wu et al. 2023 (twisted diffusion sampler) for twisted proposals under weights; Chung et al. 2023 for gradients at predicted data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Unpack

import numpy as np
import torch

from outthink.core.errors import SettingsError, explain
from outthink.diffusion.grid_process import Decode, Shown
from outthink.diffusion.levels import Grid
from outthink.diffusion.network import Condition, Network
from outthink.diffusion.process import DenoisingProcess
from outthink.diffusion.rewards.differentiable import Differentiable
from outthink.diffusion.solvers.solver import Here, Move, Solver
from outthink.diffusion.stepping import Stepper, drawn
from outthink.diffusion.tensors import scaled
from outthink.numerics.types import FloatArray


class GradientGuided(DenoisingProcess):
    """A denoising process whose steps lean along a reward's gradient.

    Args:
        network, grid, solver, shape, mutation, shown: as of `DenoisingProcess`.
        reward: what has a gradient; it is called once a step for all samples, besides whatever the verifier is called for.
        strength: what the reward is multiplied by, in nats; that of the method's twist, as a rule.
        data_deviation: of one number of the data, around its mean.
        longest: the most that a step leans, as the length of u over all numbers of a sample; it bounds the weights of one step.
    """

    def __init__(
        self,
        network: Network,
        grid: Grid,
        solver: Solver,
        shape: Sequence[int],
        reward: Differentiable,
        *,
        strength: float = 1.0,
        data_deviation: float = 1.0,
        longest: float = 2.0,
        mutation: Literal["renoise", "shake"] = "renoise",
        **shown: Unpack[Shown],
    ) -> None:
        super().__init__(network, grid, solver, shape, mutation=mutation, **shown)
        for name, value in (("data_deviation", data_deviation), ("longest", longest)):
            if not value > 0.0:
                raise SettingsError(
                    explain(
                        f"GradientGuided cannot lean with this {name}.",
                        got=value,
                        expected="more than 0",
                        remedy="Use the default, or DenoisingProcess for steps that do not lean.",
                    )
                )
        guide = Guide(reward, shown.get("decode"), strength, data_deviation, longest)
        self._stepper = _Leaning(network, grid, solver, self._like, shown.get("condition"), guide)


@dataclass(frozen=True)
class Guide:
    """What steps lean along; attributes as the arguments of `GradientGuided`."""

    reward: Differentiable
    decode: Decode | None
    strength: float
    data_deviation: float
    longest: float

    def lean(self, here: Here, deviation: FloatArray) -> torch.Tensor:
        """u, [n, ...], in units of the step's own deviation [n]; nothing where that is 0."""
        gradient = self.gradient(here.data)
        # By how much the data that x stands for change with x, for normal data: a v / (a^2 v + s^2) at the step's end.
        variance = self.data_deviation**2
        a, s = here.next.alpha, here.next.sigma
        u = scaled(self.strength * deviation * a * variance / (a**2 * variance + s**2), gradient)
        length = u.flatten(1).double().norm(dim=1).cpu().numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            shrunk = np.where(length > self.longest, self.longest / length, 1.0)
        return scaled(shrunk, u)

    def gradient(self, data: torch.Tensor) -> torch.Tensor:
        """Of the reward by the latents [n, ...] that stand for it, [n, ...], through the decoder where there is one."""
        if self.decode is None:
            return self.reward.gradient(data).gradients.to(data)
        latents = data.detach().clone().requires_grad_()
        with torch.enable_grad():
            images = self.decode(latents)
        slope = self.reward.gradient(images.detach()).gradients
        (through,) = torch.autograd.grad(images, latents, slope.to(images))
        return through


class _Leaning(Stepper):
    """A stepper whose draws lean."""

    def __init__(
        self,
        network: Network,
        grid: Grid,
        solver: Solver,
        like: torch.Tensor,
        condition: Condition,
        guide: Guide,
    ) -> None:
        super().__init__(network, grid, solver, like, condition)
        self.guide = guide

    def drawn(self, move: Move, z: torch.Tensor, here: Here) -> tuple[torch.Tensor, FloatArray]:
        moved, ratio = drawn(move, z)
        if not (move.deviation > 0).any() or self.guide.strength == 0.0:
            return moved, ratio
        u = self.guide.lean(here, move.deviation).to(z.dtype)
        flat, noise = u.flatten(1).double(), z.flatten(1).double()
        # log N(m + q u + q z; m, q^2) - log N(m + q u + q z; m + q u, q^2), without the squares of z that cancel.
        paid = -(0.5 * flat.square().sum(dim=1) + (flat * noise).sum(dim=1))
        return moved + scaled(move.deviation, u), ratio + paid.cpu().numpy()
