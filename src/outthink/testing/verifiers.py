"""Toy verifiers: any function of what a candidate shows, with a declared kind, range and price, and faults on request."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from outthink.core import Candidate, Cost, Equivalence, Failure, LogMap, ScoreKind, Scores, ScoreSpec, Task, Verifier
from outthink.core.cost import ZERO
from outthink.core.task import Feature


class FunctionOfContent(Verifier):
    """Scores a candidate by a function of its content; nan is no opinion.

    Args:
        function: content to score.
        partial: whether unfinished candidates are rated too.
        price: the cost of judging one candidate. `seconds`: how long one round takes on the event loop's clock; then not `local`.
        fails: candidates on which the verifier breaks.
    Attributes:
        counters: what it has charged. `rounds`: how many candidates came in each call. `seen`: every content judged.
    """

    def __init__(
        self,
        function: Callable[[Any], float],
        *,
        partial: bool = True,
        kind: ScoreKind = ScoreKind.PREFIX_VALUE,
        log_map: LogMap = LogMap.RAW,
        low: float = -math.inf,
        high: float = math.inf,
        wants: frozenset[Feature] = frozenset(),
        price: Cost | None = None,
        seconds: float = 0.0,
        fails: Callable[[Candidate], bool] | None = None,
    ) -> None:
        self._function = function
        self._price = Cost(verifier_calls=1) if price is None else price
        self._seconds = seconds
        self._fails = fails
        self._spec = ScoreSpec(kind, partial, low, high, log_map, wants, local=seconds == 0.0)
        self.counters = ZERO
        self.rounds: list[int] = []
        self.seen: list[Any] = []

    @property
    def spec(self) -> ScoreSpec:
        return self._spec

    def most(self, task: Task) -> Cost:
        return self._price

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        if self._seconds:
            await asyncio.sleep(self._seconds)
        broken = {i for i, c in enumerate(candidates) if self._fails is not None and self._fails(c)}
        values = [math.nan if i in broken else self._function(c.content) for i, c in enumerate(candidates)]
        cost = self._price.times(len(candidates))
        self.counters = self.counters + cost
        self.rounds.append(len(candidates))
        self.seen.extend(c.content for c in candidates)
        failures = {i: Failure("VerifierError", "told to fail") for i in sorted(broken)}
        return Scores(np.array(values, np.float64), cost=cost, failures=failures)


class FunctionOfAnswer(Equivalence):
    """Answers are the same when a function of them is; None abstains."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[str], Hashable | None] = str) -> None:
        self._function = function

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        return [None if c.answer is None else self._function(c.answer) for c in candidates]
