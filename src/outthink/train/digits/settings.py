"""What the training of the image laboratory is made of: data, sizes, optimiser. Nothing here is trained, and torch is not imported by it.

Training(seed=1)                     # 8 x 8 digits of scikit-learn: what the shipped weights were made with
Training.of_mnist(seed=1)            # 28 x 28
training.shortened(0.02)             # a first look
"""

from __future__ import annotations

import math
from typing import Literal, Self

import msgspec

from outthink.core.settings import Count, Fraction, NonNegativeFloat, Positive, PositiveFloat, Settings


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


class Denoising(Settings):
    """A diffusion or flow model's training; both kinds with the same settings.

    Attributes:
        steps, batch, rate, decay: as of the classifier. warm: steps over which the rate rises; then it falls to nothing as a cosine.
        nothing: share of the images shown without their class. averaging: share of the averaged weights kept at each step.
        dropout: share of inner numbers dropped. moved: as of the classifier.
        patch, width, inner, across, layers: sizes of the network, as `DenoiserShape` has them.
    """

    steps: Positive = 5000
    batch: Positive = 256
    rate: PositiveFloat = 2e-3
    decay: NonNegativeFloat = 0.01
    warm: Positive = 200
    nothing: Fraction = 0.15
    averaging: Fraction = 0.9995
    dropout: Fraction = 0.1
    moved: Count = 0
    patch: Positive = 8
    width: Positive = 160
    inner: Positive = 192
    across: Positive = 64
    layers: Positive = 3

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
        """Settings for 28 x 28 digits: patches of 4 x 4, mixed across and within; images moved a little."""
        return cls(
            seed=seed,
            data="mnist",
            held_out=0.1,
            classifying=Classifying(steps=3000, moved=2),
            denoising=Denoising(
                steps=7000,
                batch=64,
                rate=1e-3,
                dropout=0.0,
                averaging=0.998,
                moved=1,
                patch=4,
                width=96,
                inner=192,
                across=48,
                layers=4,
            ),
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
