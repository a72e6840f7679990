"""Text keeps what every process and every capability must keep, in each mode of continuation."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Cost, Process
from outthink.testing.contracts import (
    CompletableContract,
    PerturbableContract,
    ProcessContract,
    RevisableContract,
    RewindableContract,
    TemperableContract,
)
from outthink.text import Delimiter, Sentence, TextProcess, Tokens
from tests.text.scripts import COMPLETION, NONE, PREFIX, TOKENS, DeafAndSecretive, engine_of, letters, process_of


class Counted:
    """The engine's own counters are the other side of the bill."""

    def counters(self, process: Process[Any]) -> Cost | None:
        assert isinstance(process, TextProcess)
        return process.engine.counters()


@pytest.mark.parametrize("stepper", [Tokens(n=1)])
class TestTokens(
    Counted,
    ProcessContract,
    RewindableContract,
    PerturbableContract,
    CompletableContract,
    RevisableContract,
    TemperableContract,
):
    """Exact continuation."""

    @pytest.fixture
    def process(self, stepper: Any) -> TextProcess:
        return process_of(engine_of(), stepper=stepper, least_tokens=1, max_tokens=12)


@pytest.mark.parametrize("stepper", [Delimiter(text="\n"), Sentence()])
class TestDelimiters(Counted, ProcessContract):
    """Steps of different length."""

    @pytest.fixture
    def process(self, stepper: Any) -> TextProcess:
        return process_of(engine_of(letters, ()), stepper=stepper, least_tokens=2, max_tokens=12)


@pytest.mark.parametrize("mode", [COMPLETION, PREFIX])
class TestTexts(
    Counted, ProcessContract, RewindableContract, PerturbableContract, CompletableContract, RevisableContract
):
    """A backend of texts that tells no tokens and ignores stop strings."""

    @pytest.fixture
    def process(self, mode: Any) -> TextProcess:
        engine = engine_of(letters, (), DeafAndSecretive, continuations=(mode, NONE))
        style = "chat" if mode is PREFIX else "plain"
        return process_of(engine, stepper=Delimiter(text="\n"), format=style, least_tokens=1, max_tokens=12)


def test_the_modes_are_what_is_meant() -> None:
    assert process_of(engine_of()).continuation is TOKENS
