"""Rollover budget forcing keeps the contract of algorithms, on every toy."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import Rollover
from outthink.testing.contracts import AlgorithmContract

METHODS: dict[str, Algorithm[Any]] = {
    "two lines": Rollover(n=2, first=2, quota=2, proposals=8),
    "one line": Rollover(n=1, first=1, quota=1, proposals=3),
    "too few": Rollover(n=3, first=2, quota=4, proposals=3),
}


class TestRollover(AlgorithmContract):
    @pytest.fixture(params=METHODS.values(), ids=METHODS)
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method
