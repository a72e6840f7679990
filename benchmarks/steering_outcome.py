"""What one search of `benchmarks/steering.py` did, and tables of numbers made from many: digits by budgets."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import torch

from outthink.numerics import Curve
from outthink.numerics.types import FloatArray

SIDE = 8


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One method at one budget for one digit.

    Attributes:
        problem, method, budget, digit, seed: which. `method` carries its settings where variants are compared.
        reward: of the answer; None where nothing finished. second: whether the second opinion agrees, 0 or 1.
        diversity: mean distance between the best samples, in features; None for fewer than two.
        distance: of samplers, from the law that they aim at; effective: their effective number of samples.
        finished: samples that came to an end. images: the best of them, int8 pixels from -127 to 127 in base 64, the best first.
        evaluations, judged: of the denoiser, of the reward. seconds: of the processor.
        stop: why it ended. failure: what broke it, "" for nothing.
    """

    problem: str
    method: str
    budget: int
    digit: int
    seed: int
    reward: float | None = None
    second: float | None = None
    diversity: float | None = None
    distance: float | None = None
    effective: float = 0.0
    finished: int = 0
    images: str = ""
    evaluations: int = 0
    judged: int = 0
    seconds: float = 0.0
    stop: str = ""
    failure: str = ""

    @property
    def cell(self) -> tuple[str, str, int, int, int]:
        """Which one this is among all."""
        return (self.problem, self.method, self.budget, self.digit, self.seed)

    @property
    def best(self) -> torch.Tensor:
        """The best samples, [m, 1, 8, 8]."""
        pixels = np.frombuffer(base64.b64decode(self.images), np.int8).astype(np.float32) / 127.0
        return torch.from_numpy(pixels).reshape(-1, 1, SIDE, SIDE)


def packed(images: torch.Tensor) -> str:
    """Images [m, 1, 8, 8] as `Outcome.images`."""
    return base64.b64encode((images.clamp(-1, 1) * 127).round().to(torch.int8).numpy().tobytes()).decode()


Value = Callable[[Outcome], float | None]


def whole(rows: Sequence[Outcome], problem: str) -> dict[tuple[str, int], list[Outcome]]:
    """Rows of each method and budget, of those seeds under which every digit has been searched."""
    mine = [row for row in rows if row.problem == problem]
    digits = {row.digit for row in mine}
    met: dict[tuple[str, int, int], set[int]] = {}
    for row in mine:
        met.setdefault((row.method, row.budget, row.seed), set()).add(row.digit)
    found: dict[tuple[str, int], list[Outcome]] = {}
    for row in mine:
        if met[row.method, row.budget, row.seed] == digits:
            found.setdefault((row.method, row.budget), []).append(row)
    return found


def by_digit(rows: Sequence[Outcome], value: Value) -> FloatArray:
    """Mean over the seeds for each digit, [digits]; nan where there is none."""
    return np.array([_mean([value(row) for row in rows if row.digit == d]) for d in sorted({r.digit for r in rows})])


def curve(found: dict[tuple[str, int], list[Outcome]], method: str, value: Value, cost: Value) -> Curve | None:
    """A method over its budgets, digits as tasks; None where it has fewer than two budgets or some digit has no value."""
    budgets = sorted(budget for name, budget in found if name == method)
    if len(budgets) < 2:
        return None
    values = np.stack([by_digit(found[method, b], value) for b in budgets], axis=1)
    costs = np.stack([by_digit(found[method, b], cost) for b in budgets], axis=1)
    return Curve(costs, values) if np.isfinite(values).all() else None


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")
