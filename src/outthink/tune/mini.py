"""Few candidates, measured many times: choose one, stay with it for as long as the beliefs about all others stay good enough, and so on.

    mini = Mini(points, kernel, noise=0.05)
    run = mini.ask()                        # a candidate and how many repeats of it, to be drawn side by side
    mini.tell(run.candidate, values)

After B = (C^2 - 1) * noise / variance repeats no deviation anywhere is more than C times too wide, so nothing is recomputed before. With C
near 1 this is plain Gaussian-process search, step for step; with C = 1.1 it asks for a small share of the decisions.

Source: spec 34, part B and C; Calandriello et al. 2022 (Scaling Gaussian Process Optimization by Evaluating a Few Unique Candidates
Multiple Times). Variances here are of the function, not divided by the noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from outthink.core.errors import InputError, SettingsError, explain
from outthink.numerics.types import FloatArray
from outthink.tune.acquisition import expected_improvement
from outthink.tune.evidence import Counts, repeated
from outthink.tune.kernels import Kernel
from outthink.tune.posterior import Posterior


@dataclass(frozen=True)
class Run:
    """A candidate, and how many independent repeats of it."""

    candidate: int
    repeats: int


@dataclass
class Mini:
    """Attributes:
    points: the candidates, [c, d]. kernel: prior. noise: variance of one value.
    staleness: C, how many times too wide a deviation may become before beliefs are renewed; above 1.
    rule: "upper-bound" (mean + beta deviations) or "improvement" (expected, over the best believed mean among measured ones).
    beta: how many deviations, or how many times the deviation is widened under "improvement".
    decisions: how often candidates were compared so far. counts: what was told.
    """

    points: FloatArray
    kernel: Kernel
    noise: float
    staleness: float = 1.1
    rule: Literal["upper-bound", "improvement"] = "upper-bound"
    beta: float = 2.0
    decisions: int = 0
    counts: Counts = field(init=False)
    current: int | None = None

    def __post_init__(self) -> None:
        if not self.staleness > 1.0 or not self.noise > 0.0:
            raise SettingsError(
                explain(
                    "Staleness must be above 1 and noise above 0.",
                    got=f"staleness {self.staleness}, noise {self.noise}",
                    expected="for example 1.1 and the variance of one value",
                    remedy="Raise them: at 1 a choice would be renewed for ever.",
                )
            )
        zero = np.zeros(len(self.points))
        self.counts = Counts(np.zeros(len(self.points), np.int64), zero, zero.copy())

    def known(self) -> Posterior:
        """What is known after all that was told, at the cost of the number of measured candidates."""
        rows = np.flatnonzero(self.counts.n)
        own = Counts(self.counts.n[rows], self.counts.total[rows], self.counts.squares[rows])
        return Posterior(self.kernel, self.points[rows], repeated(own, self.noise))

    def ask(self, most: int | None = None) -> Run:
        """The next candidate and its repeats, at most `most` of them: what is left of the budget."""
        self.decisions += 1
        known = self.known() if self.counts.n.any() else None
        mean = np.zeros(len(self.points)) if known is None else known.mean(self.points)
        variance = self.kernel.at(self.points) if known is None else known.variance(self.points)
        worth = self._worth(mean, np.sqrt(variance))
        best = int(np.argmax(worth))
        if self.current is not None and worth[self.current] >= worth[best]:
            best = self.current  # a switch that gains nothing is saved
        self.current = best
        ratio = (self.staleness**2 - 1.0) * self.noise / max(float(variance[best]), 1e-300)
        repeats = max(1, math.floor(min(ratio, 2.0**40)))
        return Run(best, repeats if most is None else max(1, min(repeats, most)))

    def tell(self, candidate: int, values: Sequence[float] | FloatArray) -> None:
        """Values of independent repeats. Raises `InputError` for values that are not finite, or repeats that are no draws."""
        told = Counts.of(len(self.points), np.full(len(values), candidate), values)
        if told.identical and len(values) >= 5:
            raise InputError(
                explain(
                    "The repeats are identical.",
                    got=f"{len(values)} times {float(np.asarray(values)[0])}",
                    expected="independent draws",
                    remedy="Change the seed of each repeat, or tell the value once.",
                )
            )
        self.counts = self.counts + told

    def _worth(self, mean: FloatArray, deviation: FloatArray) -> FloatArray:
        if self.rule == "upper-bound":
            return np.asarray(mean + self.beta * deviation, float)
        measured = np.flatnonzero(self.counts.n)
        best = float(mean[measured].max()) if len(measured) else 0.0
        return np.asarray(expected_improvement(mean - best, self.beta * deviation), float)
