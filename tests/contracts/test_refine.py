"""Refinement keeps the contract of algorithms, on the toy that can be revised; failures and waits reach its revisions too."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import Refine
from outthink.testing.contracts.algorithm import EXAMPLES, Example
from tests.contracts.wrapped import WrappedContract
from tests.search.reviser import Rewriting

METHODS: list[Algorithm[Any]] = [
    Refine(n=3, rounds=2),
    Refine(n=2, rounds=2, accept="always", choose="all", contrast=True, feedback="score", unchanged=1),
    Refine(n=4, rounds=1, choose="last", threshold=0.6),
    Refine(n=5, rounds=0),
    Refine(n=3, rounds=2, base="best", contrast=True, unchanged=0, patience=1, ties="redraw", judge_again=False),
]


class TestRefine(WrappedContract):
    around = Rewriting

    @pytest.fixture(params=METHODS, ids=lambda method: str(method)[:60])
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method

    @pytest.fixture
    def example(self) -> Example:
        return EXAMPLES[0]
