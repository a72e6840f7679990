"""A trained image model with what it needs to be sampled: network, path, shape, and the number of no class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from outthink.core.errors import InputError, explain
from outthink.diffusion.conversions import Prediction
from outthink.diffusion.laboratory.denoiser import Denoiser
from outthink.diffusion.levels import Grid
from outthink.diffusion.network import Condition, Guided, Network, Plain
from outthink.diffusion.paths import Flow, Path, Trigonometric
from outthink.diffusion.process import DenoisingProcess
from outthink.diffusion.solvers import Ancestral, Solver
from outthink.diffusion.spacings import even

KINDS: dict[str, tuple[Path, Prediction]] = {
    "diffusion": (Trigonometric(), Prediction.V),
    "flow": (Flow(), Prediction.FLOW),
}
"""What each kind of model was trained on, and to predict. The network is told the path's own clock."""


@dataclass(frozen=True)
class ImageModel:
    """A class-conditional model of images.

    Attributes:
        name: such as "digits-diffusion".
        network: predicts data; its condition is one class number a sample, int64 [n], `nothing` for no class.
        path: the path that it was trained on; the network is told its clock.
        shape: of one image, (1, side, side); pixels in [-1, 1], -1 the background.
        classes: how many there are. module: the torch network itself.
    """

    name: str
    network: Network
    path: Path
    shape: tuple[int, int, int]
    classes: int
    module: Denoiser

    @classmethod
    def of(cls, name: str, kind: str, module: Denoiser) -> ImageModel:
        """A torch network trained as this kind of model: "diffusion" or "flow"."""
        path, predicts = KINDS[kind]
        module.eval().requires_grad_(False)
        return cls(name, Plain(_call(module), predicts), path, module.shape.image, module.shape.classes, module)

    @property
    def nothing(self) -> int:
        """The number of no class, for samples of any class and for guidance."""
        return self.classes

    def condition(self, digit: int | None = None) -> torch.Tensor:
        """What the network is told of samples of one class, [1]; None: of any."""
        if digit is not None and not 0 <= digit < self.classes:
            raise InputError(
                explain(
                    f"{self.name} knows no such class.",
                    got=digit,
                    expected=f"0 to {self.classes - 1}, or None for any",
                    remedy="Choose one of these.",
                )
            )
        return torch.tensor([self.nothing if digit is None else digit])

    def guided(self, scale: float) -> Network:
        """The network with classifier-free guidance, two evaluations a sample; at scale 1 the network itself, one."""
        return self.network if scale == 1.0 else Guided(self.network, self.condition(), scale)

    def grid(self, steps: int = 20) -> Grid:
        """Levels at even times of the model's path, from pure noise to clean data."""
        return Grid.on(self.path, even(steps))

    def process(
        self,
        digit: int | None = None,
        *,
        steps: int = 20,
        solver: Solver | None = None,
        guidance: float = 1.0,
        **how: Any,
    ) -> DenoisingProcess:
        """Samples of one class (None: of any) as a process. `how` goes to `DenoisingProcess`; the solver is `Ancestral()` unless given."""
        return DenoisingProcess(
            self.guided(guidance),
            self.grid(steps),
            solver or Ancestral(),
            self.shape,
            **{"condition": self.condition(digit), "kind": "image", **how},
        )


def _call(module: Denoiser) -> Callable[[torch.Tensor, torch.Tensor, Condition], torch.Tensor]:
    like = module.like

    def call(x: torch.Tensor, time: torch.Tensor, condition: Condition) -> torch.Tensor:
        classes = (
            torch.full((len(x),), module.shape.classes)
            if condition is None
            else torch.as_tensor(condition).reshape(-1).expand(len(x))
        )
        out: torch.Tensor = module(x.to(like), time.to(like), classes.to(like.device, torch.int64))
        return out.to(x.dtype)

    return call
