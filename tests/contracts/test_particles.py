"""Annealed and looking filters, particle Gibbs and parallel tempering keep the contract of algorithms, on every toy."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm, ScoreKind
from outthink.search import Ess, Incremental, LookAhead, ParallelTempering, ParticleFilter, ParticleGibbs
from outthink.testing.contracts import AlgorithmContract
from outthink.testing.contracts.algorithm import EXAMPLES, Example

METHODS: dict[str, Algorithm[Any]] = {
    "looks": ParticleFilter(n=4, ess_threshold=1.0, look_ahead=LookAhead()),
    "keeps what it saw": ParticleFilter(
        n=4, ess_threshold=1.0, look_ahead=LookAhead(reuse=True), annealing=Ess(below=1.0, early=1.0), exact=False
    ),
    "Gibbs": ParticleGibbs(n=3, sweeps=2),
    "Gibbs that votes": ParticleGibbs(n=3, sweeps=2, ess_threshold=0.7, keep="last", choose="vote"),
    "tempering": ParallelTempering(n=2, sweeps=2, temperatures=(2.0, 1.0)),
}


class TestParticles(AlgorithmContract):
    @pytest.fixture(params=METHODS.values(), ids=METHODS)
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method


class TestStepRewards(AlgorithmContract):
    kind = ScoreKind.STEP_REWARD

    @pytest.fixture
    def algorithm(self) -> Algorithm[Any]:
        return ParticleFilter(n=4, ess_threshold=1.0, twist=Incremental(), look_ahead=LookAhead(), choose="sample")

    @pytest.fixture
    def example(self) -> Example:
        return EXAMPLES[0]
