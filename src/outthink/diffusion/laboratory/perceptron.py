"""A residual perceptron on the pixels of a small image, told a time and a class: the network of the 8 x 8 models.

network = Perceptron(PerceptronShape(side=8))

It knows nothing of neighbouring pixels, which 64 of them can do without; for larger images take `Convolutional`.

Source: Peebles and Xie 2023 for the modulation of normalised activations by time and class.
"""

from __future__ import annotations

from typing import Annotated

import torch
from msgspec import Meta
from torch import nn
from torch.nn import functional

from outthink.core.settings import Fraction, Positive
from outthink.diffusion.laboratory.denoiser import Denoiser, DenoiserShape


class PerceptronShape(DenoiserShape):
    """Sizes.

    Attributes:
        width: numbers that an image becomes. inner: numbers inside a layer. layers: how many.
        dropout: share of the inner numbers dropped while training.
    """

    width: Annotated[int, Meta(ge=8)] = 160
    inner: Annotated[int, Meta(ge=8)] = 192
    layers: Positive = 3
    dropout: Fraction = 0.0


class Perceptron(Denoiser):
    """The network; see `Denoiser` for arguments and result."""

    def __init__(self, shape: PerceptronShape) -> None:
        super().__init__(shape)
        pixels = shape.side**2
        self.enter = nn.Linear(pixels, shape.width)
        self.place = nn.Parameter(0.02 * torch.randn(1, shape.width))
        self.layers = nn.ModuleList(PerceptronLayer(shape) for _ in range(shape.layers))
        self.leave = nn.Linear(shape.width, pixels)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: torch.Tensor, time: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        told = self.told(time, classes)
        inner = self.enter(x.flatten(1)) + self.place
        for layer in self.layers:
            inner = layer(inner, told)
        return self.leave(functional.layer_norm(inner, inner.shape[-1:])).reshape(x.shape)


class PerceptronLayer(nn.Module):  # type: ignore[misc]
    """Two linear maps around a smooth step, scaled, shifted and gated as time and class say, and added to what came in."""

    def __init__(self, shape: PerceptronShape) -> None:
        super().__init__()
        self.told = nn.Linear(shape.embedding, 3 * shape.width)
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)
        self.first = nn.Linear(shape.width, shape.inner)
        self.second = nn.Linear(shape.inner, shape.width)
        self.dropout = nn.Dropout(shape.dropout)

    def forward(self, x: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        scale, shift, gate = self.told(told).chunk(3, dim=1)
        normal = functional.layer_norm(x, x.shape[-1:]) * (1.0 + scale) + shift
        inner = self.dropout(functional.silu(self.first(normal)))
        return x + (1.0 + gate) * self.second(inner)
