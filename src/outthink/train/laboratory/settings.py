"""What the training of the laboratory model is made of: sizes, data, optimiser. Nothing here imports torch.

Training(seed=1)                 # what the shipped weights were made with
Training(seed=1, steps=200)      # a first look, two minutes
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Count, Fraction, NonNegativeFloat, Positive, PositiveFloat, Settings
from outthink.laboratory.chains import Chains
from outthink.laboratory.countdown import Countdown


class Shape(Settings):
    """Sizes of the network. Every row of a weight matrix is a multiple of 32 values, so that it can be stored in blocks.

    Attributes:
        width: of the residual stream. head: of one attention head. inner: of the feed-forward part. context: the longest text, in tokens.
    """

    width: Annotated[int, Meta(ge=32, multiple_of=32)] = 192
    layers: Positive = 3
    head: Annotated[int, Meta(ge=32, multiple_of=32)] = 32
    inner: Annotated[int, Meta(ge=32, multiple_of=32)] = 512
    context: Positive = 256

    def check(self) -> None:
        if self.width % self.head:
            raise SettingsError(
                explain(
                    "Attention heads share the width evenly.",
                    got=f"width = {self.width}, head = {self.head}",
                    expected="width a multiple of head",
                    remedy="Change one of them.",
                )
            )


class Part(Settings):
    """A share of the training problems."""

    family: Chains | Countdown
    share: PositiveFloat


MIXTURE = (
    Part(family=Chains(terms=2), share=0.05),
    Part(family=Chains(terms=3), share=0.1),
    Part(family=Chains(terms=4), share=0.15),
    Part(family=Chains(terms=5), share=0.15),
    Part(family=Countdown(numbers=3), share=0.3),
    Part(family=Countdown(numbers=4), share=0.25),
)


class Descent(Settings):
    """How the optimisers go down.

    Attributes:
        seed: of the data, and of first weights where there are any.
        steps: of the optimiser. tokens: in a step's batch, or in each of its parts, padding included.
        matrix_rate, other_rate: learning rates, of the layers' matrices (Muon) and of everything else (AdamW).
        decay: weight decay of the matrices. warm: steps at the beginning over which the rates rise.
        cool: the last share of the training, over which they fall to nothing.
        clip: the largest norm of the gradient.
        save_every: steps between two checkpoints.
    """

    seed: Count = 1
    steps: Positive = 2500
    tokens: Positive = 1280
    matrix_rate: PositiveFloat = 0.02
    other_rate: PositiveFloat = 0.003
    decay: NonNegativeFloat = 0.05
    warm: Positive = 50
    cool: Fraction = 0.6
    clip: PositiveFloat = 1.0
    save_every: Positive = 100

    def rate(self, step: int) -> float:
        """The share of the learning rates that holds in step `step`, from 0."""
        rising = (step + 1) / self.warm
        falling = (self.steps - step) / max(1.0, self.cool * self.steps)
        return min(1.0, rising, falling)


class FromNothing(Descent):
    """A training of a language model from nothing. `tokens` are those of each half of a batch.

    Attributes:
        workers: processes of one thread each, one a half; the result does not depend on it.
    """

    workers: Annotated[int, Meta(ge=1, le=2)] = 2
    shape: Shape = Shape()


class Training(FromNothing):
    """One training of the laboratory model."""

    mixture: tuple[Part, ...] = MIXTURE


class SqlTraining(FromNothing):
    """One training of the SQL model.

    Attributes:
        first: share of the examples that show a question alone; the others show a wrong attempt at it too.
    """

    seed: Count = 21
    steps: Positive = 600
    first: Fraction = 0.2


class ValueTraining(Descent):
    """One training of the value model, from the language model's weights on. `tokens` are those of a whole batch.

    Attributes:
        problems: of each kind of Countdown, that the language model is sampled on; chains get a third. samples: of each problem.
        games: at random, of each kind of Countdown; chains get a third.
        layers: on top of the language model's. What it predicts at a token is known in its last layer only, so that to compare this with
            what is written next takes a layer more, and to gather that over a line another one.
        language: weight of the language model's own loss, on the lines that are worth something, which keeps its arithmetic alive.
    """

    seed: Count = 11
    steps: Positive = 500
    tokens: Positive = 2560
    matrix_rate: PositiveFloat = 0.02
    other_rate: PositiveFloat = 0.002
    decay: NonNegativeFloat = 0.02
    warm: Positive = 30
    problems: Positive = 2500
    samples: Positive = 8
    games: Count = 15000
    layers: Count = 2
    language: NonNegativeFloat = 0.5
