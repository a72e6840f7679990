"""The toy verifiers and the toy equivalence keep their contracts."""

from __future__ import annotations

import math

import pytest

from outthink.core import Candidate, Cost
from outthink.testing import FunctionOfAnswer, FunctionOfContent
from outthink.testing.contracts import EquivalenceContract, VerifierContract

CANDIDATES = [Candidate(content=text, answer=text or None) for text in ("ab", "", "abc", "xyz")]


class TestFunctionOfContent(VerifierContract):
    @pytest.fixture(params=["plain", "no opinion", "failing", "dear"])
    def verifier(self, request: pytest.FixtureRequest) -> FunctionOfContent:
        return {
            "plain": FunctionOfContent(len),
            "no opinion": FunctionOfContent(lambda text: math.nan if len(text) > 2 else 0.5, low=0.0, high=1.0),
            "failing": FunctionOfContent(len, fails=lambda candidate: not candidate.content),
            "dear": FunctionOfContent(len, price=Cost(verifier_calls=1, input_tokens=20, output_tokens=3)),
        }[request.param]

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return CANDIDATES


class TestFunctionOfAnswer(EquivalenceContract):
    @pytest.fixture
    def equivalence(self) -> FunctionOfAnswer:
        return FunctionOfAnswer(len)

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return CANDIDATES
