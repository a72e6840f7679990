"""What `benchmarks/steering.py` steers towards: three rewards on the laboratory's 8 x 8 digits, and a second opinion on each.

- `symmetry`, the easy one: a model that is told the digit, and minus the square difference between an image and its mirror image. Every
  sample can be a little more symmetrical; a digit that gives itself up for it is reward hacking, which the second opinion sees.
- `other-class`, the hard one: a model that is told the digit c, and the classifier's log-probability of c + 5. The model almost never draws
  what is asked for; samples that only the classifier takes for it are reward hacking.
- `class`, for samplers: a model that is told nothing, and the classifier's log-probability of the digit, so that the target is the model's
  own law of that digit.

Second opinion: the five nearest real digits, in pixels, of which most must be of the class that the image should show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
import torch

from outthink.core.cost import Cost
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Scores, ScoreSpec, Verifier
from outthink.diffusion.laboratory import classifier, load
from outthink.diffusion.levels import Grid
from outthink.diffusion.network import OnPath
from outthink.diffusion.paths import VariancePreserving
from outthink.diffusion.process import DenoisingProcess
from outthink.diffusion.rewards import class_log_probability, symmetry
from outthink.diffusion.solvers import Ancestral, Ddim, FlowSde, Solver
from outthink.diffusion.spacings import even
from outthink.numerics.types import FloatArray

STEPS = 20
NEIGHBOURS = 5

Kind = Literal["noisy", "even", "flow", "preserving"]
"""How samples come about: the diffusion model with fresh noise at each step, the same without any, the flow model's SDE, or that of
the flow model moved to the variance-preserving path (sheet 20, item 3), at even times: the published ones make the last of 20 steps from
r = 0.31, where most is still noise, and whole samples come out with a deviation of 0.90 in place of 0.70."""

SOLVERS: dict[Kind, tuple[str, Solver]] = {
    "noisy": ("digits-diffusion", Ancestral()),
    "even": ("digits-diffusion", Ddim()),
    "flow": ("digits-flow", FlowSde()),
    "preserving": ("digits-flow", FlowSde()),
}


@dataclass(frozen=True)
class Problem:
    """A reward for each digit.

    Attributes:
        name: for tables.
        unit: about the deviation of the reward among the model's own samples: what strengths are given in.
        temper: strength of the law that samplers aim at, p(x) exp(temper * reward); None where nobody samples.
        searched: whether methods compete for the highest reward.
    """

    name: str
    unit: float
    temper: float | None
    searched: bool

    def process(self, digit: int, kind: Kind) -> DenoisingProcess:
        """Samples of the model that this problem steers."""
        name, solver = SOLVERS[kind]
        model, network, grid = load(name), load(name).network, load(name).grid(STEPS)
        if kind == "preserving":
            network, grid = OnPath(network, model.path), Grid.on(VariancePreserving(), even(STEPS))
        told = model.condition(None if self.name == "class" else digit)
        # As tensors, of which a run's record keeps no thumbnails.
        return DenoisingProcess(network, grid, solver, model.shape, condition=told, kind="tensor")

    def reward(self, digit: int, *, partial: bool) -> Verifier:
        """The reward of one digit; each call is charged as one evaluation of the denoiser."""
        if self.name == "symmetry":
            return Charged(symmetry(partial=partial))
        return Charged(class_log_probability(classifier().log_probabilities, self.shown(digit), partial=partial))

    def shown(self, digit: int) -> int:
        """The class that a good image shows."""
        return (digit + 5) % 10 if self.name == "other-class" else digit


PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("symmetry", unit=0.08, temper=25.0, searched=True),
        Problem("other-class", unit=3.0, temper=None, searched=True),
        Problem("class", unit=6.0, temper=1.0, searched=False),
    )
}


@dataclass(frozen=True)
class Charged(Verifier):
    """A reward of which each call counts like an evaluation of the denoiser, so that one budget holds both."""

    inner: Verifier

    @property
    def spec(self) -> ScoreSpec:
        return self.inner.spec

    def most(self, task: Task) -> Cost:
        return replaced(self.inner.most(task), 1)

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        scores = await self.inner.score(candidates, task)
        return replace(scores, cost=replaced(scores.cost, len(candidates)))


def replaced(cost: Cost, calls: int) -> Cost:
    """The cost with so many evaluations more."""
    return cost + Cost(denoiser_evals=calls)


def features(images: torch.Tensor) -> FloatArray:
    """What distances are measured in: the classifier's features, [n, 32]."""
    with torch.no_grad():
        return np.asarray(classifier().features(images).double().numpy())


@lru_cache
def real() -> tuple[torch.Tensor, torch.Tensor]:
    """The real digits as pixels [n, 64] from -1 to 1, and their classes [n]."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return torch.tensor(found.data / 8.0 - 1.0, dtype=torch.float32), torch.tensor(found.target)


def second_opinion(images: torch.Tensor, class_: int) -> FloatArray:
    """1 where most of the nearest real digits are of this class, else 0, [n]."""
    pixels, classes = real()
    near = torch.cdist(images.flatten(1).float(), pixels).topk(NEIGHBOURS, largest=False).indices
    return np.asarray(((classes[near] == class_).sum(dim=1) > NEIGHBOURS // 2).double().numpy())
