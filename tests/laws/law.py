"""What the laws share: many seeded runs of one search, and the two ways of being right on average.

Every law fixes its relative standard error, and the same seeds must reject a variant that is known to be wrong.
"""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from outthink.core import Algorithm, Equivalence, Process, Result, Search, Session, Task, Verifier

FULL = os.environ.get("OUTTHINK_LAWS") == "full"
STANDARD_ERRORS = 4.0


def runs(ci: int, full: int | None = None) -> int:
    """How many seeds: the size for every day, or the sheet's full size."""
    return (full or 10 * ci) if FULL else ci


def solve_seeds(
    algorithm: Algorithm[Any],
    process: Callable[[], Process[Any]],
    verifier: Verifier | None,
    seeds: Sequence[int],
    equivalence: Equivalence | None = None,
) -> list[Result]:
    """One result a seed."""

    async def all_of_them() -> list[Result]:
        results = []
        for seed in seeds:
            session = Session.open(seed=seed)
            search = Search(lambda task: process(), algorithm, verifier, equivalence)
            results.append(await search.solve(Task(), session))
            session.close()
        return results

    return asyncio.run(all_of_them())


@dataclass(frozen=True)
class Average:
    """A mean over seeds with its standard error."""

    mean: float
    error: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Average:
        array = np.asarray(values, np.float64)
        return cls(float(array.mean()), float(array.std(ddof=1) / math.sqrt(len(array))))

    def agrees(self, exact: float) -> bool:
        """Whether the mean is within four standard errors of the exact value."""
        return abs(self.mean - exact) <= STANDARD_ERRORS * self.error

    def sharp(self, share: float, exact: float) -> bool:
        """Whether the standard error is at most this share of the exact value."""
        return self.error <= share * abs(exact)


def evidences(results: Sequence[Result]) -> list[float]:
    """exp of each run's log evidence."""
    return [math.exp(r.log_evidence) if r.log_evidence is not None else math.nan for r in results]


def weighted(results: Sequence[Result], statistic: Callable[[Any], float]) -> list[float]:
    """Each run's evidence times its weighted mean of a statistic of the candidates' contents: unbiased for the target's integral."""
    return [
        z * sum(w * statistic(c.content) for w, c in zip(r.weights, r.candidates, strict=True))
        for z, r in zip(evidences(results), results, strict=True)
    ]
