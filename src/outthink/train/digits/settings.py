"""What the training of the image laboratory is made of: data, sizes, optimiser. Nothing here is trained, and torch is not imported by it.

Training(seed=1)                     # 8 x 8 digits of scikit-learn: what the shipped weights were made with
Training.of_mnist(seed=1)            # 28 x 28
training.shortened(0.02)             # a first look
"""

from __future__ import annotations

import math
from typing import Literal, Self

import msgspec

from outthink.core.settings import Count, Fraction, NonNegativeFloat, Positive, PositiveFloat, Settings, Tagged


class Classifying(Settings):
    """The classifier's training.

    Attributes:
        steps: of the optimiser. batch: images a step. rate: the highest learning rate. decay: weight decay.
        noise: largest deviation of the noise added to an image, drawn evenly from 0; so that predicted samples are judged too.
        moved: by how many pixels an image is moved at most, each way.
        channels, features: sizes of the network.
    """

    steps: Positive = 3000
    batch: Positive = 128
    rate: PositiveFloat = 3e-3
    decay: NonNegativeFloat = 0.01
    noise: NonNegativeFloat = 0.4
    moved: Count = 0
    channels: Positive = 16
    features: Positive = 32


class PerceptronSizes(Tagged):
    """A network for small images, as `PerceptronShape` has its sizes. `dropout`: share of inner numbers dropped while training."""

    width: Positive = 160
    inner: Positive = 192
    layers: Positive = 3
    dropout: Fraction = 0.1


class ConvolutionalSizes(Tagged):
    """A network for larger images, as `ConvolutionalShape` has its sizes."""

    channels: Positive = 32
    blocks: Positive = 3


class Denoising(Settings):
    """A diffusion or flow model's training; both kinds with the same settings.

    Attributes:
        steps, batch, rate, decay: as of the classifier. warm: steps over which the rate rises; then it falls to nothing as a cosine.
        nothing: share of the images shown without their class. averaging: share of the averaged weights kept at each step.
        network: which one, and its sizes.
    """

    steps: Positive = 5000
    batch: Positive = 256
    rate: PositiveFloat = 2e-3
    decay: NonNegativeFloat = 0.01
    warm: Positive = 200
    nothing: Fraction = 0.15
    averaging: Fraction = 0.9995
    network: PerceptronSizes | ConvolutionalSizes = PerceptronSizes()

    def share_of_rate(self, step: int) -> float:
        """The share of the learning rate that holds in step `step`, from 0."""
        rising = (step + 1) / self.warm
        return min(rising, 0.5 + 0.5 * math.cos(math.pi * step / self.steps))


class Training(Settings):
    """One training: a classifier, a diffusion and a flow model.

    Attributes:
        seed: of the split, the first weights and the noise. data: "digits" (scikit-learn's, 8 x 8) or "mnist" (IDX files, 28 x 28).
        held_out: share of the images that nothing is trained on.
        kinds: which models.
    """

    seed: Count = 1
    data: Literal["digits", "mnist"] = "digits"
    held_out: Fraction = 0.2
    kinds: tuple[Literal["diffusion", "flow"], ...] = ("diffusion", "flow")
    classifying: Classifying = Classifying()
    denoising: Denoising = Denoising()

    @classmethod
    def of_mnist(cls, seed: int = 1) -> Self:
        """Settings for 28 x 28 digits: a convolutional network, and a classifier that has seen images moved a little."""
        return cls(
            seed=seed,
            data="mnist",
            held_out=0.1,
            classifying=Classifying(steps=2000, moved=2),
            denoising=Denoising(steps=4000, batch=32, averaging=0.998, network=ConvolutionalSizes()),
        )

    @property
    def side(self) -> int:
        """Of the images, in pixels."""
        return 8 if self.data == "digits" else 28

    def shortened(self, share: float) -> Self:
        """The same with a share of the steps, at least one."""
        return msgspec.structs.replace(
            self,
            classifying=msgspec.structs.replace(self.classifying, steps=max(1, round(share * self.classifying.steps))),
            denoising=msgspec.structs.replace(self.denoising, steps=max(1, round(share * self.denoising.steps))),
        )
