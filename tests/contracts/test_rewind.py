"""Search over paths keeps the contract of algorithms, on every toy."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import Rewind
from outthink.testing.contracts.algorithm import EXAMPLES, Example
from tests.contracts.reaching import ReachingContract

METHODS: dict[str, Algorithm[Any]] = {
    "by score": Rewind(n=2, children=2),
    "far back": Rewind(n=2, children=2, start=3, back=2, ahead=3, rounds=1),
}


class TestRewind(ReachingContract):
    @pytest.fixture(params=METHODS.values(), ids=METHODS)
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method


class TestRewindByAnswers(ReachingContract):
    @pytest.fixture
    def algorithm(self) -> Algorithm[Any]:
        return Rewind(n=2, children=3, evaluate="answer")

    @pytest.fixture(params=[e for e in EXAMPLES if e.name != "grid agent"], ids=lambda example: example.name)
    def example(self, request: pytest.FixtureRequest) -> Example:
        """A toy that can be completed."""
        chosen: Example = request.param
        return chosen
