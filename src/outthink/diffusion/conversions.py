"""What a network predicts, and what that says about data and noise: exact conversions at one level.

All of them are conditional means, so what holds for data and noise holds for what the network says of them. Everything inside the library
is data x0 (`data`) and noise e; a network's own kind is converted at the door, once.

    data = to_data(Prediction.NOISE, output, x, level)
    e = noise_from_data(data, x, level)

At alpha = 0 (no signal) noise says nothing about data: such a network is refused there; v, velocity and data do.

Source: shared vocabulary of the diffusion sheets, "Parameterisations and exact conversions".
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import torch

from outthink.core.errors import Incompatible, explain
from outthink.diffusion.levels import NO_SIGNAL, Level
from outthink.diffusion.tensors import scaled
from outthink.numerics.types import FloatArray


class Prediction(StrEnum):
    """What a network's output is."""

    DATA = "data"
    """x0 (diffusers: "sample")."""
    NOISE = "noise"
    """e ("epsilon")."""
    V = "v"
    """alpha e - sigma x0 ("v_prediction")."""
    FLOW = "flow"
    """e - x0 of the flow alpha = 1 - u, sigma = u ("flow_prediction"), at any level of the same log-SNR."""
    VELOCITY = "velocity"
    """d alpha x0 + d sigma e: the path's own velocity, in its own clock."""
    SCORE = "score"
    """Gradient of the log density of x."""


def to_data(kind: Prediction, output: torch.Tensor, x: torch.Tensor, level: Level) -> torch.Tensor:
    """The predicted data x0, [n, ...], from what the network says of x [n, ...] at `level`.

    Raises `Incompatible` where the level makes that impossible, naming the level.
    """
    a, s = level.alpha, level.sigma
    match kind:
        case Prediction.DATA:
            return output
        case Prediction.NOISE:
            _need_signal(kind, a)
            return scaled(1.0 / a, x) - scaled(s / a, output)
        case Prediction.SCORE:
            _need_signal(kind, a)
            return scaled(1.0 / a, x) + scaled(s**2 / a, output)
        case Prediction.V:
            total = a**2 + s**2
            return scaled(a / total, x) - scaled(s / total, output)
        case Prediction.FLOW:
            # x / (a + s) lies on the flow's own scale, at u = s / (a + s).
            scale = a + s
            return scaled(1.0 / scale, x) - scaled(s / scale, output)
        case Prediction.VELOCITY:
            w = wronskian(level)
            return scaled(level.sigma_rate / w, x) - scaled(s / w, output)


def from_data(kind: Prediction, data: torch.Tensor, x: torch.Tensor, level: Level) -> torch.Tensor:
    """What a network of this kind would have said, [n, ...]: the inverse of `to_data` at levels with noise."""
    match kind:
        case Prediction.DATA:
            return data
        case Prediction.NOISE:
            return noise_from_data(data, x, level)
        case Prediction.SCORE:
            return scaled(-1.0 / level.sigma, noise_from_data(data, x, level))
        case Prediction.V:
            e = noise_from_data(data, x, level)
            return scaled(level.alpha, e) - scaled(level.sigma, data)
        case Prediction.FLOW:
            return noise_from_data(data, x, level) - data
        case Prediction.VELOCITY:
            return velocity_from_data(data, x, level)


def noise_from_data(data: torch.Tensor, x: torch.Tensor, level: Level) -> torch.Tensor:
    """The predicted noise e = (x - alpha x0) / sigma, [n, ...]. Needs sigma > 0."""
    if (level.sigma <= 0).any():
        raise Incompatible(
            explain(
                "Noise was asked for where there is none.",
                got=f"sigma = 0 for sample {int(np.argmin(level.sigma))}",
                expected="a level above the data",
                remedy="Evaluate noise, score and velocity only at levels that a step starts from.",
            )
        )
    return scaled(1.0 / level.sigma, x) - scaled(level.alpha / level.sigma, data)


def velocity_from_data(data: torch.Tensor, x: torch.Tensor, level: Level) -> torch.Tensor:
    """The path's velocity d alpha x0 + d sigma e, [n, ...], in the path's clock."""
    rates = _rates(level)
    return scaled(rates[0], data) + scaled(rates[1], noise_from_data(data, x, level))


def score_from_data(data: torch.Tensor, x: torch.Tensor, level: Level) -> torch.Tensor:
    """Gradient of the log density of x, [n, ...]: -e / sigma."""
    return from_data(Prediction.SCORE, data, x, level)


def wronskian(level: Level) -> FloatArray:
    """alpha d sigma - sigma d alpha, [n], positive; half the log-SNR falls at this rate over alpha sigma."""
    alpha_rate, sigma_rate = _rates(level)
    return np.asarray(level.alpha * sigma_rate - level.sigma * alpha_rate)


def _rates(level: Level) -> tuple[FloatArray, FloatArray]:
    if np.isnan(level.alpha_rate).any() or np.isnan(level.sigma_rate).any():
        raise Incompatible(
            explain(
                "These levels come from a table and have no rates, which velocity in the path's clock needs.",
                got="a table of coefficients",
                expected="a path",
                remedy="Use grid.placed() or Grid.on(path, times), or a solver that needs no rates (ddim, heun, dpm-solver, unipc).",
            )
        )
    return level.alpha_rate, level.sigma_rate


def _need_signal(kind: Prediction, alpha: FloatArray) -> None:
    if (alpha <= NO_SIGNAL).any():
        raise Incompatible(
            explain(
                f"A network that predicts {kind.value} says nothing about data where there is no signal.",
                got=f"alpha = {alpha.min():.1g} for sample {int(np.argmin(alpha))}",
                expected="alpha > 0, or a network that predicts v, velocity, flow or data",
                remedy="Begin at a level with a little signal, or use a model trained for zero terminal SNR.",
            )
        )
