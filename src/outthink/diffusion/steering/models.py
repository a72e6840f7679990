"""Image models by name: those of the laboratory, and pipelines of diffusers in a folder on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from outthink.core.errors import InputError, explain
from outthink.diffusion.laboratory import NAMES, Classifier, ImageModel, classifier, load
from outthink.diffusion.pipelines import Adapted, adapt, open_folder
from outthink.diffusion.process import DenoisingProcess
from outthink.diffusion.solvers import Solver


class Steerable(Protocol):
    """A model that was asked for one thing."""

    @property
    def name(self) -> str:
        """For people."""

    def process(self, steps: int, solver: Solver | None = None) -> DenoisingProcess:
        """Samples as a process. `solver`: None for the one that the model's own schedule stands for."""


@dataclass(frozen=True)
class Laboratory:
    """A laboratory model with a wish. Its own solver has noise, so that every method can use it."""

    model: ImageModel
    label: int | None
    guidance: float

    @property
    def name(self) -> str:
        return self.model.name

    def process(self, steps: int, solver: Solver | None = None) -> DenoisingProcess:
        return self.model.process(self.label, steps=steps, solver=solver, guidance=self.guidance)


@dataclass(frozen=True)
class OfPipeline:
    """A pipeline with a wish, under the name of its folder."""

    name: str
    adapted: Adapted

    def process(self, steps: int, solver: Solver | None = None) -> DenoisingProcess:
        return self.adapted.process(steps, solver)


def open_model(
    name: str,
    *,
    label: int | None = None,
    prompt: str | None = None,
    negative: str = "",
    guidance: float | None = None,
    at_once: int | None = None,
) -> Steerable:
    """The model of this name, asked for one thing.

    Args:
        name: a laboratory name, or a folder: of a pipeline of diffusers, or FOLDER/NAME of a laboratory model trained there.
        label: a class; prompt, negative: texts. guidance: None for the model's default.
        at_once: the most rows of one call, for pipelines.
    Raises `ModelMissing` where there is no such model, and what the model says of a wish that it cannot be asked.
    """
    place = Path(name).expanduser()
    if name in NAMES or (place.name in NAMES and not place.is_dir()):
        if prompt is not None:
            raise InputError(
                explain(
                    f"{place.name} reads no text.",
                    got=f"the prompt {prompt!r}",
                    expected="a class from 0 to 9, or none",
                    remedy="Say --class 3, or use a text-to-image pipeline.",
                )
            )
        model = load(name) if name in NAMES else load(place.name, folder=place.parent)
        model.condition(label)
        return Laboratory(model, label, 1.0 if guidance is None else guidance)
    pipeline = open_folder(place)
    asked = adapt(pipeline, label=label, prompt=prompt, negative=negative, guidance=guidance, at_once=at_once)
    return OfPipeline(place.resolve().name, asked)


def judge_of(name: str) -> Classifier:
    """The classifier that judges classes for the model of this name: a 28 x 28 model's was trained with it and lies beside it.

    Raises `ModelMissing` where it does not.
    """
    place = Path(name).expanduser()
    data = place.name.split("-")[0]
    if place.name not in NAMES or place.is_dir() or data == "digits":
        return classifier()
    return classifier(data, folder=None if name in NAMES else place.parent)
