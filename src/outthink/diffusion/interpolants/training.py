"""Training the fields of an interpolant: draws of both ends, times and noise, and plain regression. A small network is included.

    networks = {Field.VELOCITY: Perceptron(2, key=key.child("b")), Field.NOISE: Perceptron(2, key=key.child("eta"))}
    fit(networks, LinearInterpolant(), Ends(base, target), Fit(steps=2000), key)
    network = Learned(LinearInterpolant(), networks)

All fields learn from the same draws, each with its own loss, so one pass over the data serves them all. Networks of your own are any torch
modules that take (x [n, ...], t [n]). If unsure: the defaults, which are right for a few dimensions.

Source: spec 30, "Losses" and "Settings"; Albergo, Boffi and Vanden-Eijnden 2023, algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from outthink.core.errors import SettingsError, explain
from outthink.core.key import Key
from outthink.core.settings import Positive, PositiveFloat, Settings
from outthink.diffusion.interpolants.families import Interpolant
from outthink.diffusion.interpolants.objectives import Field, losses
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Ends:
    """Two data sets, [m, ...] and [k, ...].

    Attributes:
        base, target: the data. paired: row i of one belongs to row i of the other; else they are drawn independently.
    """

    base: torch.Tensor
    target: torch.Tensor
    paired: bool = False

    def __post_init__(self) -> None:
        alike = self.base.shape[1:] == self.target.shape[1:]
        if not alike or (self.paired and len(self.base) != len(self.target)):
            raise SettingsError(
                explain(
                    "The two data sets do not fit together.",
                    got=f"{list(self.base.shape)} and {list(self.target.shape)}",
                    expected="samples of one shape, and as many of both where they are paired",
                    remedy="Bring them to one shape, or use paired=False.",
                )
            )

    @classmethod
    def one_sided(cls, target: torch.Tensor) -> Ends:
        """Data alone: the other end is noise, which the interpolant adds itself."""
        return cls(torch.zeros_like(target), target, paired=True)

    def draw(self, n: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """n pairs, with replacement, [n, ...] each."""
        at = rng.integers(len(self.target), size=n)
        from_ = at if self.paired else rng.integers(len(self.base), size=n)
        return self.base[from_], self.target[at]


class Fit(Settings):
    """How to train.

    Attributes:
        steps: of the optimiser (Adam). batch: pairs a step.
        rate: the first learning rate; it falls to 0 along half a cosine.
        margin: times are drawn from [margin, 1 - margin].
    """

    steps: Positive = 2000
    batch: Positive = 512
    rate: PositiveFloat = 2e-3
    margin: PositiveFloat = 1e-4


@dataclass(frozen=True)
class Fitted:
    """Mean loss of each step by field, [steps]: short form, so only differences mean something."""

    history: dict[Field, FloatArray]

    def last(self, field: Field, share: float = 0.1) -> float:
        """Mean over the last steps."""
        kept = max(1, int(share * len(self.history[field])))
        return float(self.history[field][-kept:].mean())


def fit(
    networks: Mapping[Field, torch.nn.Module], interpolant: Interpolant, ends: Ends, settings: Fit, key: Key
) -> Fitted:
    """Trains the networks in place, on the device and in the type of the data."""
    rng = key.child("draws").rng()
    parameters = [p for network in networks.values() for p in network.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=settings.rate)
    history: dict[Field, list[float]] = {field: [] for field in networks}
    for step in range(settings.steps):
        for group in optimiser.param_groups:
            group["lr"] = 0.5 * settings.rate * (1.0 + math.cos(math.pi * step / settings.steps))
        base, target = ends.draw(settings.batch, rng)
        # One time in each of `batch` equal parts: as unbiased as independent times, with less variance.
        even = (np.arange(settings.batch) + rng.random(settings.batch)) / settings.batch
        time = settings.margin + (1.0 - 2.0 * settings.margin) * even
        z = torch.from_numpy(rng.standard_normal(target.shape)).to(target.device, target.dtype)
        total = torch.zeros((), device=target.device, dtype=target.dtype)
        for field, network in networks.items():
            loss = losses(field, network, interpolant, base, target, time, z).mean()
            history[field].append(float(loss.detach()))
            total = total + loss
        if not math.isfinite(float(total.detach())):
            raise SettingsError(
                explain(
                    "Training has diverged.",
                    got=f"a loss of {float(total.detach())} at step {step}",
                    expected="finite losses",
                    remedy="Use a smaller rate or a larger margin.",
                )
            )
        optimiser.zero_grad()
        total.backward()
        optimiser.step()
    return Fitted({field: np.array(values) for field, values in history.items()})


class Perceptron(torch.nn.Module):  # type: ignore[misc]
    """A small network of (x [n, ...], t [n]): layers of `width` with SiLU, told t by itself and by two waves.

    Args:
        dimensions: numbers of a sample. width, depth: of its hidden layers. key: its first weights.
    """

    def __init__(self, dimensions: int, *, width: int = 64, depth: int = 3, key: Key) -> None:
        super().__init__()
        rng = key.rng()
        sizes = [dimensions + 5, *[width] * depth, dimensions]
        self.layers = torch.nn.ModuleList(_linear(inner, outer, rng) for inner, outer in pairwise(sizes))

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        """[n, ...], as `x`."""
        t = time.to(x.dtype)[:, None]
        waves = [torch.sin(math.pi * t), torch.cos(math.pi * t), torch.sin(2 * math.pi * t), torch.cos(2 * math.pi * t)]
        hidden = torch.cat([x.reshape(len(x), -1), t, *waves], dim=1)
        for layer in self.layers[:-1]:
            hidden = torch.nn.functional.silu(layer(hidden))
        out: torch.Tensor = self.layers[-1](hidden)
        return out.reshape(x.shape)


def _linear(inner: int, outer: int, rng: np.random.Generator) -> torch.nn.Linear:
    """A layer with weights from `rng`, not from torch's global state."""
    layer = torch.nn.utils.skip_init(torch.nn.Linear, inner, outer)
    limit = 1.0 / math.sqrt(inner)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(rng.uniform(-limit, limit, (outer, inner))))
        layer.bias.copy_(torch.from_numpy(rng.uniform(-limit, limit, outer)))
    return layer
