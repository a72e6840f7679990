"""The embedded engine keeps the contract of engines, as it comes and in its deterministic mode."""

from __future__ import annotations

import pytest

from outthink.core.task import Message
from outthink.engines import ChatPrompt, TextPrompt
from outthink.engines.local import Local, LocalEngine
from outthink.testing.contracts import EngineContract

pytestmark = pytest.mark.local_model


class TestLocalEngine(EngineContract):
    prompts = (
        TextPrompt("Once upon a time there was"),
        TextPrompt("Once upon a time there lived"),
        ChatPrompt((Message("user", "Tell me a story."),), prefix="Long ago,"),
    )
    long = 48
    patience = 60.0
    # Rating computes tokens in other batches than generating did; see the deterministic engine for equality.
    tolerance = 0.5

    @pytest.fixture(params=["default", "deterministic"])
    def engine(self, request: pytest.FixtureRequest) -> LocalEngine:
        deterministic = request.param == "deterministic"
        return LocalEngine(Local(memory=24.0, context=400, max_sequences=4, retained=8, deterministic=deterministic))
