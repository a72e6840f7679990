"""How far a model's law can be from the data's, from its losses, and the noise that makes this bound least.

A sampler with noise has a bound on KL(data || model), in nats, by how well its fields were learned; one without has none, since errors of
the score along the ODE are not held by its loss. All losses here are excesses over their minima, as means over t and samples, with constant
strength eps = g^2 / 2 of `FlowSde(scale=g, power=0)`.

    best_strength(velocity_excess=0.02, score_excess=0.5)   # 0.2

Source: spec 30, "Likelihood control"; Albergo, Boffi and Vanden-Eijnden 2023, theorem 2.23 and its corollary.
"""

from __future__ import annotations

import math

import numpy as np

from outthink.core.errors import SettingsError, explain
from outthink.diffusion.interpolants.gammas import Gamma


def divergence_bound(mean_square: float, strength: float) -> float:
    """KL(data || model) <= 1 / (4 eps) int E |bF' - bF|^2 dt, for that integral of the forward drift bF = b + eps s."""
    return mean_square / (4.0 * _positive(strength))


def loss_bound(velocity_excess: float, score_excess: float, strength: float) -> float:
    """The bound by the losses of velocity and score, over their minima."""
    return velocity_excess / (2.0 * _positive(strength)) + 0.5 * strength * score_excess


def transport_loss_bound(transport_excess: float, score_excess: float, strength: float, gamma: Gamma) -> float:
    """The same where v was learned in place of b, so that the score's error enters through gamma gamma' as well."""
    product = gamma.at(np.linspace(0.0, 1.0, 2001)).product
    return (transport_excess + float(((product - strength) ** 2).max()) * score_excess) / (2.0 * _positive(strength))


def best_strength(velocity_excess: float, score_excess: float) -> float:
    """The eps at which `loss_bound` is least: sqrt(velocity_excess / score_excess)."""
    return math.sqrt(velocity_excess / score_excess)


def _positive(strength: float) -> float:
    if not strength > 0.0:
        raise SettingsError(
            explain(
                "There is no such bound without noise.",
                got=f"eps = {strength}",
                expected="eps > 0",
                remedy="Sample with noise, or estimate the likelihood along the ODE (log_density).",
            )
        )
    return strength
