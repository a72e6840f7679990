"""The network of the laboratory's image models: patches of an image as tokens, mixed across and within, told a time and a class.

An image of one patch is one token, and the network a residual perceptron: that is the model of 8 x 8 digits, tens of thousands of
evaluations a second on one core. An image of several patches is mixed across them too: that is the model of 28 x 28 ones.

Source: Tolstikhin et al. 2021 (MLP-Mixer); Peebles and Xie 2023 for the modulation of normalised activations by time and class.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from msgspec import Meta
from torch import nn
from torch.nn import functional

from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Fraction, Positive, Settings


class DenoiserShape(Settings):
    """Sizes.

    Attributes:
        side: of the image, in pixels. patch: of a patch. width: numbers a token. inner: of the perceptron within a token.
        across: of the one across tokens, where there are several. layers: of both. embedding: numbers that time and class become.
        waves: cosines of the time that the network is shown. classes: how many there are; one more stands for no class.
        dropout: share of the inner numbers dropped while training.
    """

    side: Positive = 8
    patch: Positive = 8
    width: Annotated[int, Meta(ge=8)] = 160
    inner: Annotated[int, Meta(ge=8)] = 192
    across: Positive = 64
    layers: Positive = 3
    embedding: Annotated[int, Meta(ge=8)] = 32
    waves: Positive = 32
    classes: Positive = 10
    dropout: Fraction = 0.0

    def check(self) -> None:
        if self.side % self.patch:
            raise SettingsError(
                explain(
                    "Patches tile the image.",
                    got=f"side = {self.side}, patch = {self.patch}",
                    expected="side a multiple of patch",
                    remedy="Change one of them.",
                )
            )

    @property
    def tokens(self) -> int:
        """Patches of an image."""
        return (self.side // self.patch) ** 2

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of one image."""
        return (1, self.side, self.side)


class Denoiser(nn.Module):  # type: ignore[misc]
    """(x [n, 1, side, side], time [n] in [0, 1], classes [n] int64) to the prediction, as large as x."""

    def __init__(self, shape: DenoiserShape) -> None:
        super().__init__()
        self.shape = shape
        pixels = shape.patch**2
        self.time = nn.Linear(shape.waves, shape.embedding)
        self.classes = nn.Embedding(shape.classes + 1, shape.embedding)
        self.enter = nn.Linear(pixels, shape.width)
        self.place = nn.Parameter(0.02 * torch.randn(shape.tokens, shape.width))
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.leave = nn.Linear(shape.width, pixels)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x: torch.Tensor, time: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        waves = torch.cos(math.pi * time[:, None] * torch.arange(self.shape.waves, dtype=x.dtype, device=x.device))
        told = functional.silu(self.time(waves) + self.classes(classes))
        tokens = self.enter(self._patches(x)) + self.place
        for layer in self.layers:
            tokens = layer(tokens, told)
        return self._image(self.leave(functional.layer_norm(tokens, tokens.shape[-1:])))

    def _patches(self, x: torch.Tensor) -> torch.Tensor:
        p, k = self.shape.patch, self.shape.side // self.shape.patch
        return x.reshape(-1, k, p, k, p).transpose(2, 3).reshape(-1, k * k, p * p)

    def _image(self, tokens: torch.Tensor) -> torch.Tensor:
        p, k = self.shape.patch, self.shape.side // self.shape.patch
        return tokens.reshape(-1, k, k, p, p).transpose(2, 3).reshape(-1, *self.shape.image)


class Layer(nn.Module):  # type: ignore[misc]
    """Tokens mixed across (where there are several) and within, as time and class say."""

    def __init__(self, shape: DenoiserShape) -> None:
        super().__init__()
        self.told = nn.Linear(shape.embedding, 3 * shape.width)
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)
        self.first = nn.Linear(shape.width, shape.inner)
        self.second = nn.Linear(shape.inner, shape.width)
        self.dropout = nn.Dropout(shape.dropout)
        several = shape.tokens > 1
        self.across = (
            nn.Sequential(nn.Linear(shape.tokens, shape.across), nn.SiLU(), nn.Linear(shape.across, shape.tokens))
            if several
            else None
        )

    def forward(self, tokens: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        scale, shift, gate = self.told(told)[:, None].chunk(3, dim=2)
        if self.across is not None:
            normal = functional.layer_norm(tokens, tokens.shape[-1:])
            tokens = tokens + self.across(normal.transpose(1, 2)).transpose(1, 2)
        normal = functional.layer_norm(tokens, tokens.shape[-1:]) * (1.0 + scale) + shift
        inner = self.dropout(functional.silu(self.first(normal)))
        return tokens + (1.0 + gate) * self.second(inner)
