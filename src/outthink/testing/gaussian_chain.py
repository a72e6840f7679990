"""A stationary Gaussian chain: x_0 ~ N(0, I), x_t = a x_{t-1} + sqrt(1 - a^2) e_t in d dimensions, e_t ~ N(0, I), for T steps.

Under the target p(x) exp(b . x_T) everything is closed form: the evidence is exp(|b|^2 / 2), x_T is N(b, I), and the best twist at
step t is the log-value of `log_value`. It stands for a denoising process: continuous states, one evaluation a step, stochastic steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from outthink.core import Advance, Allowance, Candidate, Completable, Cost, Perturbable, Rewindable
from outthink.core.task import Feature
from outthink.numerics.types import FloatArray, IntArray, SeedArray
from outthink.testing.array_process import ArrayProcess, Prices, ToyStates, unmoved
from outthink.testing.noise import normals

_START, _BACK, _NEAR = 1 << 20, 1 << 21, 1 << 22


@dataclass(frozen=True)
class Points(ToyStates):
    """Points on their way. `x`: [n, d]."""

    x: FloatArray


@dataclass(frozen=True)
class GaussianPosterior:
    """Mean [d] and variance (the same in every dimension) of a point under the target."""

    mean: FloatArray
    variance: float


class GaussianChain(ArrayProcess[Points], Rewindable[Points], Perturbable[Points], Completable[Points]):
    """See the module. Costs one denoiser evaluation for each row and step.

    Args:
        a: correlation of neighbours, in (-1, 1).
        drift: added to the proposal's mean at each step; the log ratio carries the correction.
    """

    states_class = Points

    def __init__(
        self, *, length: int = 4, dimension: int = 1, a: float = 0.8, drift: float = 0.0, prices: Prices | None = None
    ) -> None:
        super().__init__(length, prices or Prices(call=Cost(), step=Cost(denoiser_evals=1)))
        self.dimension = dimension
        self.a = a
        self.drift = drift

    # -- the process ------------------------------------------------------------------------------------------------

    async def start(self, seeds: SeedArray) -> Points:
        n = len(seeds)
        return Points(np.zeros(n, np.int64), np.zeros(n, bool), normals(seeds, _START, self.dimension))

    def draw(self, states: Points, seeds: SeedArray, counter: int) -> tuple[Points, FloatArray]:
        variance = 1.0 - self.a**2
        noise = normals(seeds, counter * 2 * self.dimension, self.dimension)
        x = self.a * states.x + self.drift + np.sqrt(variance) * noise
        # log N(x; a x', v) - log N(x; a x' + drift, v), summed over the dimensions.
        ratio = (self.drift * (self.drift - 2.0 * (x - self.a * states.x)) / (2.0 * variance)).sum(axis=1)
        level = states.level + 1
        return Points(level, level >= self.length, x), ratio

    async def view(self, states: Points, wants: frozenset[Feature]) -> list[Candidate]:
        predicted = self.predicted(states)
        seen = []
        for i, (level, done) in enumerate(zip(states.level.tolist(), states.done.tolist(), strict=True)):
            features = {"predicted": predicted[i], "level": level, "length": level}
            shown = {name: features[name] for name in wants if name in features}
            signs = "".join("+" if value > 0 else "-" for value in states.x[i]) if done else None
            seen.append(Candidate(content=states.x[i], kind="tensor", final=done, answer=signs, features=shown))
        return seen

    def predicted(self, states: Points) -> FloatArray:
        """E[x_T | x_t], [n, d]."""
        return np.asarray(self.a ** (self.length - states.level)[:, None] * states.x)

    # -- capabilities -----------------------------------------------------------------------------------------------

    async def rewind(
        self, states: Points, level: IntArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Points]:
        """Back by the chain's own reversal, which is the same kernel: the chain is reversible. Free."""
        back = level < states.level
        kept = self.a ** np.maximum(states.level - level, 0)[:, None]
        x = kept * states.x + np.sqrt(1.0 - kept**2) * normals(seeds, _BACK, self.dimension)
        now = Points(np.minimum(states.level, level), states.done & ~back, np.where(back[:, None], x, states.x))
        return unmoved(now)

    async def perturb(
        self, states: Points, strength: FloatArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Points]:
        """x' = sqrt(1 - s^2) x + s e, which keeps N(0, I); costs one evaluation.

        Source: Cotter et al., MCMC methods for functions (2013), the preconditioned Crank-Nicolson proposal.
        """
        s = np.asarray(strength, np.float64)[:, None]
        untouched = self.claim((s[:, 0] > 0).astype(np.int64), allowance) < 0
        x = np.sqrt(1.0 - s**2) * states.x + s * normals(seeds, _NEAR, self.dimension)
        now = replace(states, x=np.where(untouched[:, None] | (s == 0), states.x, x))
        served = int(((s[:, 0] > 0) & ~untouched).sum())
        return replace(unmoved(now), cost=self.charge(served, served), untouched=untouched)

    async def complete(self, states: Points, seeds: SeedArray, *, allowance: Allowance) -> Advance[Points]:
        """The predicted end point, for one evaluation; a done row is left alone."""
        wanted = (~states.done).astype(np.int64)
        untouched = self.claim(wanted, allowance) < 0
        ended = (wanted > 0) & ~untouched
        x = np.where(ended[:, None], self.predicted(states), states.x)
        level = np.where(ended, self.length, states.level)
        served = int(ended.sum())
        now = Points(level, states.done | ended, x)
        return replace(unmoved(now), cost=self.charge(served, served), untouched=untouched)

    # -- exact answers ----------------------------------------------------------------------------------------------

    def log_evidence(self, b: Sequence[float]) -> float:
        """log E[exp(b . x_T)], nats."""
        return float(np.dot(b, b)) / 2.0

    def posterior(self, b: Sequence[float], level: int | None = None) -> GaussianPosterior:
        """Of x at `level` (None: the end) under the target: N(a^(T - level) b, I)."""
        steps = self.length - (self.length if level is None else level)
        return GaussianPosterior(self.a**steps * np.array(b, np.float64), 1.0)

    def log_value(self, x: FloatArray, level: int, b: Sequence[float]) -> FloatArray:
        """log E[exp(b . x_T) | x at `level`], [n] nats: the twist under which every weight is the evidence."""
        kept = self.a ** (self.length - level)
        return np.asarray(kept * (x @ np.array(b)) + (1.0 - kept**2) * float(np.dot(b, b)) / 2.0)
