"""The engine for Hugging Face models keeps the contract of engines, as it comes and in its deterministic mode."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from outthink.core.task import Message
from outthink.engines import ChatPrompt, TextPrompt
from outthink.testing.contracts import EngineContract
from tests.engines.torch.conftest import opened

if TYPE_CHECKING:
    from outthink.engines.torch.engine import TransformersEngine


class TestTransformersEngine(EngineContract):
    prompts = (
        TextPrompt("Once upon a time there was"),
        TextPrompt("Once upon a time there lived"),
        ChatPrompt((Message("user", "Tell me a story."),), prefix="Long ago,"),
    )
    long = 200
    patience = 30.0

    @pytest.fixture(params=["default", "deterministic"])
    def engine(self, request: pytest.FixtureRequest, folder: Path) -> TransformersEngine:
        return opened(folder, deterministic=request.param == "deterministic")
