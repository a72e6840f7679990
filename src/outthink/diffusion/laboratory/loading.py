"""The laboratory's image models and their classifier by name. Shipped ones are read once a process, those of a folder each time."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch

from outthink.core.errors import InputError, explain, nearest
from outthink.diffusion.laboratory.architectures import network_of
from outthink.diffusion.laboratory.classifier import Classifier, ClassifierNetwork, ClassifierShape
from outthink.diffusion.laboratory.files import ENDING, filled, read_model, shape_of
from outthink.diffusion.laboratory.frechet import Statistics, between
from outthink.diffusion.laboratory.image_model import ImageModel

NAMES = ("digits-diffusion", "digits-flow", "mnist-diffusion", "mnist-flow")
DATA = ("digits", "mnist")


def load(name: str = "digits-diffusion", *, folder: str | Path | None = None) -> ImageModel:
    """An image model.

    Args:
        name: one of `NAMES`. Those of 8 x 8 digits are shipped.
        folder: where `outthink train digits` wrote its file; None for the shipped ones.

    Raises:
        InputError: no such name, or a file of something else. ModelMissing: no such file, with the command that makes it.
    """
    _known(name, NAMES)
    return _shipped(name) if folder is None else _model(name, Path(folder))


def classifier(name: str = "digits", *, folder: str | Path | None = None) -> Classifier:
    """The classifier of these data, "digits" or "mnist"; `folder` and errors as of `load`."""
    _known(name, DATA)
    return _shipped_classifier(name) if folder is None else _classifier(name, Path(folder))


def frechet_distance(
    samples: torch.Tensor, against: torch.Tensor | Statistics | None = None, *, judge: Classifier | None = None
) -> float:
    """Fréchet distance of samples [n, 1, side, side], in units of the classifier's features.

    Args:
        against: other samples, or statistics of features; None: the images that the models were trained on.
        judge: whose features; None: the shipped classifier of digits.
    """
    judge = judge or classifier()
    if against is None:
        against = judge.real
    other = against if isinstance(against, Statistics) else statistics(against, judge)
    return between(statistics(samples, judge), other)


def statistics(samples: torch.Tensor, judge: Classifier | None = None) -> Statistics:
    """Mean and covariance of the features of samples [n, 1, side, side]."""
    with torch.no_grad():
        return Statistics.of((judge or classifier()).features(samples).cpu().double().numpy())


@lru_cache
def _shipped(name: str) -> ImageModel:
    return _model(name, None)


@lru_cache
def _shipped_classifier(name: str) -> Classifier:
    return _classifier(name, None)


def _model(name: str, folder: Path | None) -> ImageModel:
    tensors, said = read_model(name, folder, "denoiser")
    file = f"{name}{ENDING}"
    module = network_of(said, file)
    filled(module, tensors, file)
    return ImageModel.of(name, name.split("-")[1], module)


def _classifier(name: str, folder: Path | None) -> Classifier:
    tensors, said = read_model(f"{name}-classifier", folder, "classifier")
    network = ClassifierNetwork(shape_of(said, ClassifierShape))
    filled(network, tensors, f"{name}-classifier{ENDING}")
    real = Statistics(tensors["real.mean"].astype("f8"), tensors["real.covariance"].astype("f8"))
    return Classifier(network, real, float(said["accuracy"]))


def _known(name: str, names: tuple[str, ...]) -> None:
    if name not in names:
        raise InputError(
            explain(
                "The image laboratory has nothing of this name.",
                got=name,
                expected=", ".join(names),
                remedy=nearest(name, names),
            )
        )
