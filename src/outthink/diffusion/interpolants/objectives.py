"""What can be learned of an interpolant by plain regression, and the losses: each one's minimiser is the field itself.

    loss = losses(Field.VELOCITY, network, interpolant, base, target, time, z).mean()

The losses are the short form |f|^2 / 2 - target . f, which stays finite where the target's own variance does not. Where g' is infinite, and
for scores, they are averaged over antithetic pairs I + g z, I - g z: without that the gradient's variance grows like 1 / g^2. If unsure:
learn VELOCITY and NOISE.

Source: spec 30, "Losses"; Albergo, Boffi and Vanden-Eijnden 2023, sections 2.3 and 6.1. The released code's denoiser has the other sign.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import torch

from outthink.core.errors import Incompatible, explain
from outthink.diffusion.interpolants.families import Interpolant, Mix
from outthink.diffusion.tensors import scaled, spread
from outthink.numerics.types import FloatArray

Predict = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
"""A field: samples x [n, ...] and times t [n] to [n, ...]."""


class Field(StrEnum):
    """A conditional mean given x_t = x."""

    VELOCITY = "velocity"
    """b = E[dx_t/dt | x], along which the ODE runs."""
    TRANSPORT = "transport"
    """v = E[dI/dt | x], the velocity without the noise's part: b = v - g g' s."""
    SCORE = "score"
    """s, the gradient of the log density: -E[z | x] / g."""
    NOISE = "noise"
    """E[z | x], the denoiser."""
    TARGET = "target"
    """E[x1 | x]."""
    BASE = "base"
    """E[x0 | x]."""


def losses(
    field: Field,
    predict: Predict,
    interpolant: Interpolant,
    base: torch.Tensor,
    target: torch.Tensor,
    time: FloatArray,
    z: torch.Tensor,
    *,
    antithetic: bool | None = None,
) -> torch.Tensor:
    """The loss of each pair, [n]; short form, so it may be negative.

    Args:
        predict: the field under training.
        base, target: the two ends, [n, ...] each; a one-sided interpolant has no use for the base. z: standard normal, [n, ...].
        time: [n], inside (0, 1). antithetic: two places for each pair; None: where the variance needs it.
    Raises `Incompatible` for a score where there is no noise.
    """
    mix = interpolant.at(time)
    if field is Field.SCORE and (mix.noise <= 0.0).any():
        raise Incompatible(
            explain(
                "A score was to be learned where the interpolant has no noise.",
                got=f"g = 0 at t = {float(time[int(np.argmin(mix.noise))]):.4g}",
                expected="g > 0 at every time drawn",
                remedy="Use a gamma other than Noiseless, a one-sided interpolant, or times inside (0, 1).",
            )
        )
    signs = (1.0, -1.0) if needs_pairs(field, interpolant) or antithetic else (1.0,)
    if antithetic is False:
        signs = (1.0,)
    told = spread(time, base).reshape(-1)
    each = [_loss(field, predict, mix, base, target, told, sign * z) for sign in signs]
    return torch.stack(each).mean(dim=0)


def needs_pairs(field: Field, interpolant: Interpolant) -> bool:
    """Whether this field's loss has unbounded variance without antithetic pairs."""
    return field is Field.SCORE or (field is Field.VELOCITY and interpolant.blows_up)


def goal(field: Field, mix: Mix, base: torch.Tensor, target: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    """What the field is the conditional mean of, [n, ...]."""
    match field:
        case Field.VELOCITY:
            return mix.drift(base, target) + scaled(mix.noise_rate, z)
        case Field.TRANSPORT:
            return mix.drift(base, target)
        case Field.SCORE:
            return scaled(-1.0 / mix.noise, z)
        case Field.NOISE:
            return z
        case Field.TARGET:
            return target
        case Field.BASE:
            return base


def _loss(
    field: Field,
    predict: Predict,
    mix: Mix,
    base: torch.Tensor,
    target: torch.Tensor,
    time: torch.Tensor,
    z: torch.Tensor,
) -> torch.Tensor:
    said = predict(mix.mix(base, target, z), time)
    return (0.5 * said**2 - goal(field, mix, base, target, z) * said).flatten(1).sum(dim=1)
