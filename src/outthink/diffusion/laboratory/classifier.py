"""A small classifier of digits: a reward, and features for a Fréchet distance. Smooth throughout, so that its gradients mean something.

judge = classifier()                              # of 8 x 8 digits, shipped
judge.log_probabilities(images)                   # [n, 1, 8, 8] to [n, 10], nats
"""

from __future__ import annotations

from typing import Annotated

import torch
from msgspec import Meta
from torch import nn
from torch.nn import functional

from outthink.core.settings import Fraction, Positive, Settings
from outthink.diffusion.laboratory.frechet import Statistics


class ClassifierShape(Settings):
    """Sizes: side of the image, channels of the first layer (twice as many in the second), features, classes; dropout while training."""

    side: Annotated[int, Meta(ge=4, multiple_of=4)] = 8
    channels: Positive = 16
    features: Positive = 32
    classes: Positive = 10
    dropout: Fraction = 0.3


class ClassifierNetwork(nn.Module):  # type: ignore[misc]
    """Images [n, 1, side, side] to logits [n, classes]: two convolutions, each averaged over 2 x 2 pixels, and two linear maps."""

    def __init__(self, shape: ClassifierShape) -> None:
        super().__init__()
        self.shape = shape
        c = shape.channels
        self.first = nn.Conv2d(1, c, 3, padding=1)
        self.second = nn.Conv2d(c, 2 * c, 3, padding=1)
        self.dropout = nn.Dropout(shape.dropout)
        self.third = nn.Linear(2 * c * (shape.side // 4) ** 2, shape.features)
        self.last = nn.Linear(shape.features, shape.classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the last linear map sees, [n, features]."""
        x = functional.avg_pool2d(functional.silu(self.first(images)), 2)
        x = functional.avg_pool2d(functional.silu(self.second(x)), 2)
        return functional.silu(self.third(self.dropout(x.flatten(1))))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.last(self.features(images))
        return out


class Classifier:
    """A trained classifier.

    Attributes:
        network: takes gradients as to the images; its weights are frozen.
        real: mean and covariance of its features on the images that the models were trained on.
        accuracy: on images that were held out.
    """

    def __init__(self, network: ClassifierNetwork, real: Statistics, accuracy: float) -> None:
        self.network = network.eval().requires_grad_(False)
        self.real, self.accuracy = real, accuracy

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.network.shape.classes)

    def log_probabilities(self, images: torch.Tensor) -> torch.Tensor:
        """Nats, [n, classes], of images [n, 1, side, side]."""
        return functional.log_softmax(self.network(images.to(self._like)), dim=1)

    def predicted(self, images: torch.Tensor) -> torch.Tensor:
        """The likeliest class, [n] int64."""
        return self.network(images.to(self._like)).argmax(dim=1)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """[n, features]."""
        return self.network.features(images.to(self._like))

    @property
    def _like(self) -> torch.Tensor:
        return self.network.last.weight
