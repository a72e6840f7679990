"""Evolution keeps the contract of algorithms, on every toy."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import Evolve
from tests.contracts.reaching import ReachingContract

METHODS: dict[str, Algorithm[Any]] = {
    "on the way": Evolve(schedule=(0, 2), sizes=(4, 3, 2), elites=1, tournament=2),
    "in waves": Evolve(n=2, schedule=(1, 2, 3), elites=0, batch=2, tournament=1, strength=0.6),
}


class TestEvolve(ReachingContract):
    @pytest.fixture(params=METHODS.values(), ids=METHODS)
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method
