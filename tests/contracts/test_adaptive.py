"""Adaptive sampling keeps the contract of algorithms with every rule, with pruning, and with waves of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import Adaptive, Leader, Never, Pruning, Threshold
from outthink.testing.contracts import AlgorithmContract

METHODS: list[Algorithm[Any]] = [
    Adaptive(n=6),
    Adaptive(n=6, stop=Leader(error=0.01, promise="likeliest"), choose="score", waves=(1, 2)),
    Adaptive(n=6, stop=Threshold(value=0.95), choose="score"),
    Adaptive(n=5, stop=Threshold(value=0.7), choose="score", waves=(3,), pruning=Pruning(at=(1, 3), keep=0.5)),
    Adaptive(n=4, stop=Never(), pruning=Pruning(at=(2,), keep=0.25)),
]


class TestAdaptive(AlgorithmContract):
    @pytest.fixture(params=METHODS, ids=lambda method: str(method)[:80])
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method
