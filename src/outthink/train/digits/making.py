"""The whole way: read the images, train the classifier and both models, write their files, measure them, write the cards.

make(Training(seed=1), Path("digits"), images=None, report=...)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from outthink.core.key import Key
from outthink.diffusion.laboratory import ClassifierNetwork, Statistics, classifier, load
from outthink.diffusion.laboratory.architectures import ARCHITECTURE, name_of
from outthink.diffusion.laboratory.files import ENDING, write_model
from outthink.diffusion.pictures import contact_sheet
from outthink.train.digits.card import classifier_card, model_card
from outthink.train.digits.classifying import train_classifier
from outthink.train.digits.denoising import train_denoiser
from outthink.train.digits.images import Images, read
from outthink.train.digits.measuring import EACH, measure
from outthink.train.digits.settings import Training


@dataclass(frozen=True)
class Progress:
    """Of one of the parts: its name, a step of so many, and that step's loss."""

    part: str
    step: int
    steps: int
    loss: float


def make(
    settings: Training,
    out: Path,
    *,
    folder: Path | None = None,
    report: Callable[[Progress], None],
    each: int = EACH,
) -> list[Path]:
    """Everything, into `out`; each file appears when its part is done.

    Args:
        folder: of the IDX files, for MNIST. each: samples a class that the models are measured with.

    Returns: the files of weights; cards (.md) and contact sheets (.png) lie beside them.
    """
    out.mkdir(parents=True, exist_ok=True)
    key = Key(settings.seed).child("digits")
    images = read(settings.data, folder, held_out=settings.held_out, key=key)
    made = [_classifier(settings, images, key, out, report)]
    judge = classifier(settings.data, folder=out)
    for kind in settings.kinds:
        name = f"{settings.data}-{kind}"
        began, busy = time.monotonic(), time.process_time()
        network = train_denoiser(
            settings.denoising,
            kind,
            images,
            seed=_seed(key.child(kind)),
            report=_reporting(report, name, settings.denoising.steps),
        )
        took = _took(began, busy)
        path = out / f"{name}{ENDING}"
        architecture = {ARCHITECTURE: name_of(network)}
        write_model(path, network, network.shape, {}, kind="denoiser", data=settings.data, **architecture)
        model = load(name, folder=out)
        measured = measure(model, judge, images, each=each)
        contact_sheet(measured.sheet, columns=10, scale=max(1, 32 // settings.side)).save(path.with_suffix(".png"))
        text = model_card(settings, name, images, judge, measured, took=took, network=network, each=each)
        path.with_suffix(".md").write_text(text, encoding="utf-8")
        made.append(path)
    return made


def _classifier(settings: Training, images: Images, key: Key, out: Path, report: Callable[[Progress], None]) -> Path:
    name = f"{settings.data}-classifier"
    began, busy = time.monotonic(), time.process_time()
    network = train_classifier(
        settings.classifying,
        images,
        seed=_seed(key.child("classifier")),
        report=_reporting(report, name, settings.classifying.steps),
    )
    took = _took(began, busy)
    rounded(network)
    with torch.no_grad():
        accuracy = float((network(images.held_images).argmax(dim=1) == images.held_labels).float().mean())
        real = Statistics.of(network.features(images.images).double().numpy())
    path = out / f"{name}{ENDING}"
    write_model(
        path,
        network,
        network.shape,
        {"real.mean": real.mean, "real.covariance": real.covariance},
        kind="classifier",
        data=settings.data,
        accuracy=f"{accuracy:.4f}",
    )
    size = sum(one.numel() for one in network.parameters())
    judge = classifier(settings.data, folder=out)
    path.with_suffix(".md").write_text(classifier_card(settings, name, images, judge, took=took, size=size), "utf-8")
    return path


def rounded(network: ClassifierNetwork) -> None:
    """The weights as the file will hold them, in half precision, so that what is measured is what is read."""
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.half().float())


def _reporting(report: Callable[[Progress], None], part: str, steps: int) -> Callable[[int, float], None]:
    return lambda step, loss: report(Progress(part, step, steps, loss))


def _seed(key: Key) -> int:
    return int(key.seeds(1)[0] >> 1)


def _took(began: float, busy: float) -> str:
    seconds, processor = time.monotonic() - began, time.process_time() - busy
    return f"{seconds:.0f} s by the clock, {processor:.0f} s of processor time"
