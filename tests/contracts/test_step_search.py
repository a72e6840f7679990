"""The step-wise family keeps the contract of algorithms, on every toy, with and without a look ahead."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import Beam, DiverseVerifierTreeSearch, Rebase, StepBestOfN
from outthink.testing.contracts import AlgorithmContract

METHODS: list[Algorithm[Any]] = [
    DiverseVerifierTreeSearch(n=4, width=2, select="vote"),
    StepBestOfN(n=3),
    Rebase(n=5, select="weighted"),
    Beam(n=4, width=2, look_ahead=1),
    DiverseVerifierTreeSearch(n=4, width=2, look_ahead=2),
    Rebase(n=4, rounds=2),
]


class TestStepSearch(AlgorithmContract):
    @pytest.fixture(params=METHODS, ids=lambda method: str(method)[:60])
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method
