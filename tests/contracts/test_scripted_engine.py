"""The scripted engine keeps the contract of engines."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from outthink.core import Message
from outthink.engines import ChatPrompt, TextPrompt
from outthink.engines.scripted import Behaviour, ScriptedEngine
from outthink.engines.scripted_tokens import END
from outthink.testing.contracts import EngineContract


def babble(text: str) -> Mapping[str, float]:
    """Syllables for ever, seldom the end."""
    if text.endswith("ba"):
        return {"bo": 0.5, "bi": 0.3, " ": 0.2}
    return {"ba": 0.6, " lala": 0.35, END: 0.05}


class TestScriptedEngine(EngineContract):
    prompts = (TextPrompt("one"), TextPrompt("one two"), ChatPrompt((Message("user", "three"),), prefix="bo"))

    @pytest.fixture(params=[None, 2], ids=["all at once", "two slots"])
    def engine(self, request: pytest.FixtureRequest) -> ScriptedEngine:
        behaviour = Behaviour(token_seconds=0.001, slots=request.param, context=300)
        return ScriptedEngine(babble, vocabulary=("ba", "bo", "one"), behaviour=behaviour)
