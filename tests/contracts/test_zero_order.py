"""Zero-order search keeps the contract of algorithms, on every toy."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Algorithm
from outthink.search import ZeroOrder
from tests.contracts.reaching import ReachingContract

METHODS: dict[str, Algorithm[Any]] = {
    "starts": ZeroOrder(n=2, rounds=2),
    "ends": ZeroOrder(n=2, rounds=2, around="end", strength=1.0),
    "restarts": ZeroOrder(n=3, rounds=3, on_failure="restart"),
}


class TestZeroOrder(ReachingContract):
    @pytest.fixture(params=METHODS.values(), ids=METHODS)
    def algorithm(self, request: pytest.FixtureRequest) -> Algorithm[Any]:
        method: Algorithm[Any] = request.param
        return method
