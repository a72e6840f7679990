"""Every toy keeps the contract of processes and of its capabilities."""

from __future__ import annotations

import pytest

from outthink.core import Process
from outthink.testing import Flaky, GaussianChain, GridAgent, TokenChain
from outthink.testing.contracts import (
    CompletableContract,
    PerturbableContract,
    ProcessContract,
    RevisableContract,
    RewindableContract,
)


class TestTokenChain(ProcessContract, RewindableContract, PerturbableContract, CompletableContract, RevisableContract):
    @pytest.fixture(params=[0.0, 0.3], ids=["fixed length", "geometric length"])
    def process(self, request: pytest.FixtureRequest) -> TokenChain:
        return TokenChain("abc", length=5, stop=request.param, mix=0.2)


class TestGaussianChain(ProcessContract, RewindableContract, PerturbableContract, CompletableContract):
    column = "denoiser_evals"

    @pytest.fixture(params=[1, 3], ids=["a line", "a space"])
    def process(self, request: pytest.FixtureRequest) -> GaussianChain:
        return GaussianChain(length=4, dimension=request.param, drift=0.1)


class TestGridAgent(ProcessContract, RewindableContract, PerturbableContract):
    @pytest.fixture
    def process(self) -> GridAgent:
        return GridAgent(length=6)


class TestFlakyThatNeverFails(ProcessContract):
    @pytest.fixture
    def process(self) -> Process[object]:
        return Flaky(TokenChain("ab", length=3), 0.0)
