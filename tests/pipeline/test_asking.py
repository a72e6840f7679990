"""A process of single requests keeps the contract of processes."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Cost
from outthink.pipeline import AskingProcess
from outthink.testing.contracts import ProcessContract
from tests.pipeline.saying import QUESTION, saying


class TestAsking(ProcessContract):
    @pytest.fixture
    def process(self) -> AskingProcess:
        return AskingProcess(saying(lambda _: {"42": 0.5, "43": 0.5}), QUESTION)

    def counters(self, process: Any) -> Cost:
        return process.engines[0].counters()
