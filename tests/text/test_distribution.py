"""Law: whatever a step is, the steps put together have the distribution of the whole text."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from outthink.engines.engine import Continuation, Generation
from outthink.text import Delimiter, Sentence, Tokens, Whole
from outthink.text.partial import Partial
from outthink.text.replies import Asked, Reader, Taken
from outthink.text.steppers import Stepper
from tests.text.scripts import (
    COMPLETION,
    NONE,
    PREFIX,
    TOKENS,
    Deaf,
    DeafAndSecretive,
    chi_square,
    engine_of,
    enumerated,
    letters,
    process_of,
    small_language,
    to_the_end,
)

pytestmark = pytest.mark.laws
SIZE = 2000
STEPPERS = [
    pytest.param(Delimiter(text="\n"), id="line"),
    pytest.param(Delimiter(), id="blank line"),
    pytest.param(Delimiter(text="\n", most=1), id="line, one token a call"),
    pytest.param(Sentence(), id="sentence"),
    pytest.param(Tokens(n=1), id="token"),
    pytest.param(Tokens(n=2), id="two tokens"),
    pytest.param(Whole(), id="whole"),
]


def test_the_enumeration_is_a_distribution() -> None:
    expected = enumerated(small_language)
    assert sum(expected.values()) == pytest.approx(1.0)
    assert len(expected) > 30


@pytest.mark.parametrize("stepper", STEPPERS)
async def test_steps_have_the_law_of_the_whole(stepper: Stepper) -> None:
    process = process_of(engine_of(), stepper=stepper)
    assert process.continuation is TOKENS
    states = await to_the_end(process, SIZE)
    statistic, limit = chi_square([state.text for state in states], enumerated(small_language))
    assert statistic < limit


@pytest.mark.parametrize("stepper", [Delimiter(text="\n"), Delimiter(), Sentence()])
@pytest.mark.parametrize("mode", [TOKENS, COMPLETION, PREFIX])
async def test_a_backend_that_ignores_stops_has_it_too(stepper: Stepper, mode: Continuation) -> None:
    engine = engine_of(letters, (), Deaf if mode is TOKENS else DeafAndSecretive, continuations=(mode, NONE))
    process = process_of(engine, stepper=stepper, format="chat" if mode is PREFIX else "plain")
    assert process.continuation is mode
    states = await to_the_end(process, SIZE)
    statistic, limit = chi_square([state.text for state in states], enumerated(letters))
    assert statistic < limit


@dataclass(frozen=True)
class DrawsAgain(Reader):
    """Known to be wrong: a token that goes on behind the delimiter is given back and drawn again."""

    def take(self, before: Partial, reply: Generation, asked: Asked) -> Taken:
        taken = super().take(before, reply, asked)
        assert isinstance(taken, Taken)
        state, stop = taken.state, reply.stop_text
        if (
            stop
            and state.tokens is not None
            and not state.text.endswith(stop)
            and len(state.tokens) > 1
            and self.decode
        ):
            tokens = state.tokens[:-1]
            return Taken(
                replace(state, tokens=tokens, text=self.decode(tokens), length=len(tokens), marks=(), stop=""), False
            )
        return taken


async def test_drawing_the_delimiters_token_again_is_noticed() -> None:
    process = process_of(engine_of(), stepper=Delimiter(text="\n"))
    process._reader = DrawsAgain(process._reader.stepper, process._reader.stops, process._reader.decode)
    states = await to_the_end(process, SIZE)
    statistic, limit = chi_square([state.text for state in states], enumerated(small_language))
    assert statistic > 2 * limit
