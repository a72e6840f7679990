"""Best-first and tree search keep the contract of algorithms, on every toy."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import BestFirst, Boltzmann, LogMeanExp, Max, Puct, Tree, Uniform
from outthink.testing.contracts import AlgorithmContract

METHODS: list[Algorithm[Any]] = [
    BestFirst(n=24),
    BestFirst(n=30, batch=3, cost="decrease", eta=0.1, duplicates="keep", heuristic="log"),
    BestFirst(n=5, children=2, ties="oldest"),
    Tree(n=10, batch=2),
    Tree(n=12, batch=3, levels=(0, 2, 3), widening=2.0, selection=Boltzmann(), backup=LogMeanExp(), choose="sample"),
    Tree(n=9, batch=4, evaluate="score", selection=Puct(), backup=Max(), choose="value"),
    Tree(n=4, batch=1, evaluate="score", selection=Uniform()),
]


class TestTrees(AlgorithmContract):
    @pytest.fixture(params=METHODS, ids=lambda method: str(method)[:60])
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method
