"""The model cards: what a model is, how it was made, and how good it is, measured on the weights as they are read."""

from __future__ import annotations

import torch

from outthink.diffusion.laboratory import Classifier, Denoiser, frechet_distance
from outthink.numerics.intervals import wilson
from outthink.train.digits.images import Images
from outthink.train.digits.measuring import STEPS, Measured
from outthink.train.digits.settings import ConvolutionalSizes, PerceptronSizes, Training

_PREDICTS = {
    "diffusion": "v on the trigonometric path alpha = cos(pi t / 2), sigma = sin(pi t / 2)",
    "flow": "e - x0 on the flow alpha = 1 - t, sigma = t",
}


def model_card(
    settings: Training,
    name: str,
    images: Images,
    judge: Classifier,
    measured: Measured,
    *,
    took: str,
    network: Denoiser,
    each: int,
) -> str:
    """The card of a diffusion or flow model, in Markdown.

    Args:
        took: what the training took. each: samples a class that it was measured with.
    """
    d, side, drawn = settings.denoising, settings.side, 10 * each
    likely = wilson(round(measured.right * drawn), drawn)
    right = f"{measured.right:.1%} ({likely.low:.1%} to {likely.high:.1%}; worst class {measured.worst:.1%})"
    floor = frechet_distance(images.held_images, judge=judge)
    return f"""# {name}

A class-conditional model of handwritten digits, {side} x {side} pixels in [-1, 1], for the study of search. It predicts
{_PREDICTS[name.split("-")[-1]]},
and is told the time t and a class, 0 to 9, or 10 for none. {_built(d.network)};
{network.size:,} parameters, kept in half precision. Licence Apache-2.0.

## How it was made

`{command(settings)}`: {d.steps:,} steps of {d.batch} images, averaged weights; {took}, {_threads()}.
Data: {images.source}; {len(images.labels):,} trained on, {len(images.held_labels):,} held out by the seed.
{d.nothing:.0%} of the images were shown without their class.

## How good it is

{each} samples of each class by {STEPS} steps of `Ancestral`, without guidance; the classifier is right on {judge.accuracy:.1%} of the
held-out images.

| | |
|---|---|
| samples that the classifier takes for the class asked for | {right} |
| Fréchet distance from the images trained on, {drawn:,} samples | {measured.distance:.2f} |
| the same of the {len(images.held_labels):,} held-out images | {floor:.2f} |
| mean square error on images trained on, held out | {measured.loss:.3f}, {measured.held_loss:.3f} |
| median distance from the nearest image trained on, a pixel | {measured.copies:.3f} |
| the same of held-out images | {measured.held_copies:.3f} |
| evaluations a second in batches of 1,000, {_threads()} | {measured.speed:,.0f} |

The interval is Wilson's, 95%. A Fréchet distance is larger for fewer samples, so its two rows compare only roughly. Samples nearer to the
images trained on than held-out ones are would be copies. Ten samples of each class stand in `{name}.png`, written beside this card by the
training.
"""


def classifier_card(settings: Training, name: str, images: Images, judge: Classifier, *, took: str, size: int) -> str:
    """The card of the classifier, in Markdown; arguments as of `model_card`."""
    c = settings.classifying
    rows = "\n".join(f"| {noise:g} | {_accuracy(judge, images, noise):.1%} |" for noise in (0.0, 0.2, 0.5, 1.0))
    side, channels = settings.side, f"{c.channels} and {2 * c.channels} channels"
    return f"""# {name}

A classifier of handwritten digits, {side} x {side} pixels in [-1, 1]: a reward, and {c.features} features for a Fréchet distance.
Two convolutions ({channels}) and two linear maps, smooth throughout; {size:,} parameters, kept in half precision.
The file also holds mean and covariance of its features on the images that the models were trained on. Licence Apache-2.0.

## How it was made

`{command(settings)}`: {c.steps:,} steps of {c.batch} images with noise of a deviation up to {c.noise:g}; {took}, {_threads()}.
Data: {images.source}; {len(images.labels):,} trained on, {len(images.held_labels):,} held out by the seed.

## How good it is

| deviation of noise on held-out images | accuracy |
|---|---|
{rows}

It was trained on digits and noisy digits alone: what is no digit gets a class too, often with much confidence. A search that is given
this reward and nothing else finds such images; report a second figure beside it.
"""


def _built(sizes: PerceptronSizes | ConvolutionalSizes) -> str:
    """What a network of these sizes is."""
    if isinstance(sizes, PerceptronSizes):
        return f"A residual perceptron of width {sizes.width}, {sizes.layers} layers"
    return f"A U-Net of {sizes.channels} channels at half the side, {2 * sizes.channels} at a quarter, {sizes.blocks} blocks there"


def command(settings: Training) -> str:
    """The command that makes the same again."""
    mnist = settings.data == "mnist"
    whole = Training.of_mnist() if mnist else Training()
    share = settings.denoising.steps / whole.denoising.steps
    fewer = "" if share == 1.0 else f" --share {share:g}"
    return f"outthink train digits --seed {settings.seed}{' --data mnist --folder FOLDER' if mnist else ''}{fewer}"


def _threads() -> str:
    """How many threads torch works with, in words."""
    n = torch.get_num_threads()
    return "one thread" if n == 1 else f"{n} threads"


def _accuracy(judge: Classifier, images: Images, noise: float) -> float:
    generator = torch.Generator().manual_seed(0)
    x = images.held_images
    noisy = x + noise * torch.randn(x.shape, generator=generator)
    return float((judge.predicted(noisy) == images.held_labels).float().mean())
