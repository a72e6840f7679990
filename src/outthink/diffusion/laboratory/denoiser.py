"""What the networks of the laboratory's image models have in common: they are told a time and a class, and their prediction is as large
as the image.

There are two: `Perceptron` for 8 x 8 pixels, tens of thousands of evaluations a second on one core, and `Convolutional` for 28 x 28.
A row of the result depends on that row of the arguments alone, and is differentiable as to it.
"""

from __future__ import annotations

import math
from typing import Annotated

import torch
from msgspec import Meta
from torch import nn
from torch.nn import functional

from outthink.core.settings import Positive, Settings


class DenoiserShape(Settings):
    """Sizes that every such network has.

    Attributes:
        side: of the image, in pixels. embedding: numbers that time and class become. waves: cosines of the time that the network is shown.
        classes: how many there are; one more stands for no class.
    """

    side: Positive = 8
    embedding: Annotated[int, Meta(ge=8)] = 32
    waves: Positive = 32
    classes: Positive = 10

    @property
    def image(self) -> tuple[int, int, int]:
        """Shape of one image."""
        return (1, self.side, self.side)


class Denoiser(nn.Module):  # type: ignore[misc]
    """(x [n, 1, side, side], time [n] in [0, 1], classes [n] int64) to the prediction, as large as x: the base of both."""

    def __init__(self, shape: DenoiserShape) -> None:
        super().__init__()
        self.shape = shape
        self.time = nn.Linear(shape.waves, shape.embedding)
        self.classes = nn.Embedding(shape.classes + 1, shape.embedding)

    def told(self, time: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        """What layers are told of time and class, [n, embedding]."""
        waves = torch.cos(
            math.pi * time[:, None] * torch.arange(self.shape.waves, dtype=time.dtype, device=time.device)
        )
        told: torch.Tensor = functional.silu(self.time(waves) + self.classes(classes))
        return told

    @property
    def like(self) -> torch.Tensor:
        """A weight, for the device and the precision that arguments must have."""
        weight: torch.Tensor = self.time.weight
        return weight

    @property
    def size(self) -> int:
        """How many parameters there are."""
        return sum(one.numel() for one in self.parameters())
