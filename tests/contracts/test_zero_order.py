"""Zero-order search keeps the contract of algorithms, on every toy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from outthink.core import Advance, Algorithm, Allowance, Perturbable, Process
from outthink.numerics.types import FloatArray, SeedArray
from outthink.search import ZeroOrder
from outthink.testing.contracts import AlgorithmContract
from outthink.testing.contracts.algorithm import Example, Solved
from outthink.testing.wrappers import Wrapper


class Neighbouring(Wrapper[Any], Perturbable[Any]):
    """Around a wrapper that knows no neighbours: those of the process inside it, at once and without failures."""

    async def perturb(
        self, states: Any, strength: FloatArray, seeds: SeedArray, *, allowance: Allowance
    ) -> Advance[Any]:
        inside: Any = self.inner
        while isinstance(inside, Wrapper):
            inside = inside.inner
        got: Advance[Any] = await inside.perturb(states, strength, seeds, allowance=allowance)
        return got


METHODS: dict[str, Algorithm[Any]] = {
    "starts": ZeroOrder(n=2, rounds=2),
    "ends": ZeroOrder(n=2, rounds=2, around="end", strength=1.0),
    "restarts": ZeroOrder(n=3, rounds=3, on_failure="restart"),
}


class TestZeroOrder(AlgorithmContract):
    @pytest.fixture(params=METHODS.values(), ids=METHODS)
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method

    def solve(
        self,
        algorithm: Algorithm[Any],
        example: Example,
        *,
        wrap: Callable[[Process[Any]], Any] | None = None,
        **how: Any,
    ) -> Solved:
        return super().solve(algorithm, example, wrap=wrap and (lambda process: Neighbouring(wrap(process))), **how)
