"""The trained part of a denoiser behind one door: given samples, their levels and a condition, the predicted data.

    network = Plain(unet_call, Prediction.NOISE)
    data = network.data(x, level, condition)

A `Network` converts at the door and counts its evaluations: one a sample, two where guidance needs a second one. `OnPath` lets a model that
was trained on one path be sampled on another: it is asked at the old level of equal log-SNR with x rescaled, and nothing else changes. A
`FieldNetwork` says velocity and score as well, where they do not follow from data: between two data sets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from outthink.diffusion.conversions import Prediction, from_data, to_data
from outthink.diffusion.levels import Level, Told, on_path
from outthink.diffusion.paths import Path
from outthink.diffusion.tensors import scaled, spread, wide

Condition = Any
"""What a network is told besides: class numbers, text embeddings; None for nothing. Its rows are gathered by `rows`."""

Call = Callable[[torch.Tensor, torch.Tensor, Condition], torch.Tensor]
"""(x [n, ...], model time [n], condition of n rows) to the network's own output [n, ...]."""


class Network(ABC):
    """Predicts data. `evaluations`: what asking about one sample once costs, in network evaluations."""

    evaluations: int = 1

    @abstractmethod
    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        """Predicted data, [n, ...], of samples x [n, ...] at their levels [n]."""


@dataclass(frozen=True)
class Fields:
    """What a `FieldNetwork` says of n samples, [n, ...] each: predicted data, velocity in the path's clock, gradient of the log density."""

    data: torch.Tensor
    velocity: torch.Tensor
    score: torch.Tensor


class FieldNetwork(Network):
    """Says velocity and score itself, in the same evaluation as the data."""

    @abstractmethod
    def fields(self, x: torch.Tensor, level: Level, condition: Condition) -> Fields:
        """All that it says of samples x [n, ...] at their levels [n]."""

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        return self.fields(x, level, condition).data


class Plain(Network):
    """A callable with its kind of output.

    Args:
        call: see `Call`. It is run without gradients.
        predicts: what its output is.
        at_once: the most rows of one call; None for no limit. More rows are asked in parts, so that memory is bounded.
    """

    def __init__(self, call: Call, predicts: Prediction, *, at_once: int | None = None) -> None:
        self.call, self.predicts, self.at_once = call, predicts, at_once

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        given = wide(x)
        return to_data(self.predicts, self.output(x, level, condition).to(given.dtype), given, level)

    def output(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        """The network's own output, [n, ...]."""
        n, most, told = len(x), self.at_once or len(x), _told(level, x)
        with torch.no_grad():
            if n <= most:
                return self.call(x, told, condition)
            parts = [
                self.call(x[at : at + most], told[at : at + most], rows(condition, np.arange(at, min(n, at + most))))
                for at in range(0, n, most)
            ]
        return torch.cat(parts)


class Guided(Network):
    """Classifier-free guidance: the unconditional prediction, moved `scale` times as far as the condition moves it.

    `scale` 1 is the conditional network, 0 the unconditional one. Linear, hence the same in every parameterisation. Costs two evaluations.
    """

    def __init__(self, network: Network, unconditional: Condition, scale: float) -> None:
        self.network, self.unconditional, self.scale = network, unconditional, scale
        self.evaluations = 2 * network.evaluations

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        with_, without = self.both(x, level, condition)
        return without + self.scale * (with_ - without)

    def both(self, x: torch.Tensor, level: Level, condition: Condition) -> tuple[torch.Tensor, torch.Tensor]:
        """Predicted data with and without the condition, in one batch, [n, ...] each."""
        n = len(x)
        doubled = np.tile(np.arange(n), 2)
        joined = joined_conditions(condition, _repeated(self.unconditional, n))
        data = self.network.data(torch.cat([x, x]), level.take(doubled), joined)
        return data[:n], data[n:]


class OnPath(Network):
    """A network trained on levels (a, s), asked at levels of another path: same log-SNR, x rescaled, the data prediction carries over.

    Where there is less signal than the network has ever seen (under the trained path's last level), it is asked at that last level.

    Args:
        network: the trained one. `trained`: its path.
        told: from the trained path's clock to what the network is told; None: the clock itself.
    """

    def __init__(self, network: Network, trained: Path, told: Told | None = None) -> None:
        self.network, self.trained, self._told = network, trained, told
        self.evaluations = network.evaluations

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        old = self.level_of(level)
        # The larger coefficient, so that neither end divides by zero.
        larger = level.alpha >= level.sigma
        scale = np.where(larger, old.alpha, old.sigma) / np.where(larger, level.alpha, level.sigma)
        return self.network.data(scaled(scale, x), old, condition)

    def level_of(self, level: Level) -> Level:
        """The trained path's level of equal log-SNR, [n]."""
        time = np.minimum(self.trained.time_of(level.half_log_snr), 1.0)
        return on_path(self.trained, time, self._told or np.asarray)


class Thresholded(Network):
    """Clips predicted data to [-limit, limit], as pixel-space models do; applied to the data, since it is not linear."""

    def __init__(self, network: Network, limit: float = 1.0) -> None:
        self.network, self.limit = network, limit
        self.evaluations = network.evaluations

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        return self.network.data(x, level, condition).clamp(-self.limit, self.limit)


def preconditioned(call: Call, deviation: float = 0.5) -> Call:
    """An EDM network F as a predictor of data on the variance-exploding path: its model time is sigma.

    D = c_skip x + c_out F(c_in x, log(sigma) / 4). Source: Karras et al. 2022, table 1.
    """

    def denoise(x: torch.Tensor, sigma: torch.Tensor, condition: Condition) -> torch.Tensor:
        total = sigma**2 + deviation**2
        shape = (-1, *([1] * (x.ndim - 1)))
        inner = call(x / total.sqrt().reshape(shape), sigma.log() / 4.0, condition)
        return (deviation**2 / total).reshape(shape) * x + (sigma * deviation / total.sqrt()).reshape(shape) * inner

    return denoise


def rows(condition: Condition, index: Any) -> Condition:
    """The condition of the samples at `index`: every tensor and array in it is gathered, everything else is shared by all."""
    if condition is None:
        return None
    if isinstance(condition, torch.Tensor):
        return condition[torch.as_tensor(np.asarray(index)).to(condition.device)]
    if isinstance(condition, np.ndarray):
        return condition[index]
    if isinstance(condition, dict):
        return {name: rows(value, index) for name, value in condition.items()}
    if isinstance(condition, tuple):
        return tuple(rows(value, index) for value in condition)
    return condition


def joined_conditions(first: Condition, second: Condition) -> Condition:
    """The condition of both sets of rows, first and second."""
    if isinstance(first, torch.Tensor):
        return torch.cat([first, second])
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second])
    if isinstance(first, dict):
        return {name: joined_conditions(value, second[name]) for name, value in first.items()}
    if isinstance(first, tuple):
        return tuple(joined_conditions(a, b) for a, b in zip(first, second, strict=True))
    return first


def _repeated(condition: Condition, n: int) -> Condition:
    """A condition of one row for n rows."""
    return rows(condition, np.zeros(n, np.int64))


def _told(level: Level, x: torch.Tensor) -> torch.Tensor:
    return spread(level.model_time, x).reshape(-1)


def prediction_of(
    network: Network, kind: Prediction, x: torch.Tensor, level: Level, condition: Condition
) -> torch.Tensor:
    """What a network of another kind would have said, [n, ...]."""
    return from_data(kind, network.data(x, level, condition), wide(x), level)
