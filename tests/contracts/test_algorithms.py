"""Every search method keeps the contract of algorithms, on every toy."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import Beam, BestOfN, ParticleFilter, Vote
from outthink.testing.contracts import AlgorithmContract

METHODS: list[Algorithm[Any]] = [
    BestOfN(n=5),
    BestOfN(n=5, select="weighted", ties="random"),
    Vote(n=5),
    Vote(n=5, weights="score", scale="min-max"),
    Vote(n=5, weights="length", voters="best", share=0.8),
    Vote(n=5, voters="shortest", early_stop=True),
    ParticleFilter(n=5),
    ParticleFilter(n=5, ess_threshold=1.0, resampling="multinomial", choose="vote"),
    Beam(n=4, width=2),
]


class TestMethods(AlgorithmContract):
    @pytest.fixture(params=METHODS, ids=lambda method: str(method)[:60])
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method
