"""What the card says of an image model: are samples of a class that class, how far they are from real ones, are they copies, how fast.

Everything is measured with the weights as they are written, in half precision, and with seeds of its own.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import torch

from outthink.core.key import Key
from outthink.core.ledger import Allowance
from outthink.diffusion.laboratory import Classifier, ImageModel, frechet_distance
from outthink.diffusion.levels import on_path
from outthink.train.digits.denoising import loss_of
from outthink.train.digits.images import Images

EACH, STEPS = 100, 20
KEY = Key(7).child("digits", "card")
LOOKS, LOOKED = 8, 1500
"""Times that the loss is averaged over, and the most images that it is measured on, trained on and held out each."""


@dataclass(frozen=True)
class Measured:
    """One model.

    Attributes:
        right: share of samples that the classifier takes for the class that was asked for; worst: the same of the worst class.
        distance: Fréchet distance of `EACH` samples a class from the images trained on.
        loss, held_loss: mean square error on images trained on and held out.
        copies: median distance of a sample from the nearest image trained on, root mean square a pixel; held_copies: of a held-out image.
        speed: network evaluations a second in batches of 1,000, by one thread of torch.
        sheet: ten samples of each class, [10 * classes, 1, side, side].
    """

    right: float
    worst: float
    distance: float
    loss: float
    held_loss: float
    copies: float
    held_copies: float
    speed: float
    sheet: torch.Tensor


def measure(model: ImageModel, judge: Classifier, images: Images, *, each: int = EACH) -> Measured:
    """Draws `each` samples a class by `STEPS` steps of `Ancestral`, unguided."""
    made = [drawn(model, digit, each) for digit in range(model.classes)]
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        right = [float((judge.predicted(x) == digit).float().mean()) for digit, x in enumerate(made)]
        kind = model.name.split("-")[-1]
        losses = [
            sum(float(loss_of(model.module, kind, x[:LOOKED], y[:LOOKED])) for _ in range(LOOKS)) / LOOKS
            for x, y in ((images.images, images.labels), (images.held_images, images.held_labels))
        ]
    together = torch.cat(made)
    return Measured(
        right=sum(right) / len(right),
        worst=min(right),
        distance=frechet_distance(together, judge=judge),
        loss=losses[0],
        held_loss=losses[1],
        copies=_nearest(together, images.images),
        held_copies=_nearest(images.held_images[: len(together)], images.images),
        speed=speed(model),
        sheet=torch.cat([x[:10] for x in made]),
    )


def drawn(model: ImageModel, digit: int, n: int, *, steps: int = STEPS) -> torch.Tensor:
    """n samples of a class, [n, 1, side, side]."""
    process, key = model.process(digit, steps=steps), KEY.child(model.name, str(digit))

    async def go() -> torch.Tensor:
        states = await process.start(key.child("start").seeds(n))
        moved = await process.advance(states, key.child("steps").seeds(n), steps=None, allowance=Allowance())
        return moved.states.x

    return asyncio.run(go())


def speed(model: ImageModel, *, rows: int = 1000, seconds: float = 1.0) -> float:
    """Evaluations a second in batches of `rows`, for about `seconds`."""
    x = torch.zeros(rows, *model.shape)
    level = on_path(model.path, torch.full((rows,), 0.5).double().numpy(), lambda clock: clock)
    condition = torch.zeros(rows, dtype=torch.int64)
    model.network.data(x, level, condition)
    began, asked = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds or asked == 0:
        model.network.data(x, level, condition)
        asked += rows
    return asked / passed


def _nearest(some: torch.Tensor, all_: torch.Tensor) -> float:
    """Median over `some` of the distance from the nearest of `all_`, root mean square a pixel."""
    flat = all_.flatten(1)
    near = [torch.cdist(part.flatten(1), flat).min(dim=1).values for part in some.split(100)]
    return float(torch.cat(near).median() / flat.shape[1] ** 0.5)
