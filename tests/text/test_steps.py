"""Where steps and texts end: delimiters inside tokens, stop strings across steps, backends that do not listen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from outthink.core import Cost, Failure
from outthink.engines.engine import Generation, StopReason
from outthink.engines.scripted import ScriptedEngine
from outthink.engines.scripted_tokens import END
from outthink.text import Delimiter, Partial, Sentence, TextProcess, Tokens, Whole
from outthink.text.replies import Asked, Reader, Taken
from tests.text.scripts import (
    COMPLETION,
    NONE,
    PROMPT,
    Deaf,
    DeafAndSecretive,
    advance,
    begun,
    engine_of,
    process_of,
    to_the_end,
)


def says(*tokens: str) -> Any:
    """A script that says exactly these tokens."""

    def script(text: str) -> Mapping[str, float]:
        reply = text.rpartition(PROMPT)[2]
        said = ""
        for token in (*tokens, END):
            if reply == said:
                return {token: 1.0}
            said += token
        raise AssertionError(f"never said: {reply!r}")

    return script


def saying(*tokens: str, cls: type[ScriptedEngine] = ScriptedEngine, **how: Any) -> ScriptedEngine:
    return engine_of(says(*tokens), [token for token in tokens if len(token) > 1], cls, **how)


async def steps_of(process: TextProcess) -> list[str]:
    """The text after each step of one member."""
    found, states = [], await begun(process, 1, 0)
    while not states[0].done:
        states = (await advance(process, states)).states
        found.append(states[0].text)
    return found


async def test_the_delimiter_belongs_to_the_step() -> None:
    process = process_of(saying("a", "b", "\n", "c"), stepper=Delimiter(text="\n"))
    assert await steps_of(process) == ["ab\n", "ab\nc"]


async def test_a_token_that_goes_on_behind_the_delimiter_is_kept_whole() -> None:
    process = process_of(saying("one", "\n\nStep", " two", "\n\n", "three"), stepper=Delimiter())
    assert await steps_of(process) == ["one\n\nStep", "one\n\nStep two\n\n", "one\n\nStep two\n\nthree"]
    (state,) = await to_the_end(process, 1)
    assert process._tokenizer is not None
    assert state.text == process._tokenizer.decode(state.tokens)
    assert [mark.tokens for mark in state.marks] == [2, 4]
    assert state.length == 6
    (seen,) = await process.view((state,), frozenset({"steps"}))
    assert seen.features["steps"] == ("one\n\nStep", " two\n\n", "three")


async def test_sentences() -> None:
    process = process_of(saying("It is 3", ".", "14", ". ", "Yes!", '"', " ", "No", "? ", "End"), stepper=Sentence())
    assert await steps_of(process) == [
        "It is 3.14. ",
        'It is 3.14. Yes!" ',
        'It is 3.14. Yes!" No? ',
        'It is 3.14. Yes!" No? End',
    ]


async def test_steps_by_tokens() -> None:
    process = process_of(saying("a", "b", "c", "d", "e"), stepper=Tokens(n=2))
    assert await steps_of(process) == ["ab", "abcd", "abcde"]


@pytest.mark.parametrize("stepper", [Delimiter(text="\n"), Tokens(n=2), Whole()])
async def test_a_whole_text_has_the_steps_of_one_drawn_step_by_step(stepper: Any) -> None:
    engine = saying("a", "\n", "b\nc", "d", "\n", "\n", "e")
    process = process_of(engine, stepper=stepper)
    one = await to_the_end(process, 1)
    two = (await advance(process, await begun(process, 1, 0), steps=None)).states
    assert one == two
    assert engine.sizes[-1] == 1


async def test_several_steps_in_one_call() -> None:
    engine = saying("a", "\n", "b", "\n", "c", "\n", "d")
    process = process_of(engine, stepper=Delimiter(text="\n"))
    got = await advance(process, await begun(process, 1, 0), steps=2)
    assert got.states[0].text == "a\nb\n"
    assert got.cost.output_tokens == 4
    assert engine.counters() == got.cost
    assert not got.was_short().any()


async def test_several_steps_use_different_randomness() -> None:
    def coin(text: str) -> Mapping[str, float]:
        return {"a": 0.5, "b": 0.5}

    process = process_of(engine_of(coin, ()), stepper=Tokens(n=1), max_tokens=24)
    got = await advance(process, await begun(process, 8, 0), steps=24)
    assert all({"a", "b"} == set(state.text) for state in got.states)


# -- stop strings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cls", [ScriptedEngine, Deaf])
async def test_a_stop_string_ends_the_text_and_is_not_shown(cls: type[ScriptedEngine]) -> None:
    process = process_of(saying("a", "b", " STO", "P", " more", cls=cls), stepper=Delimiter(), stop=(" STOP",))
    (state,) = (await advance(process, await begun(process, 1, 0))).states
    assert (state.text, state.stop, state.stop_text) == ("ab", "stop", " STOP")
    assert state.length == 4
    assert state.steps == 1


async def test_a_stop_string_inside_a_token() -> None:
    process = process_of(saying("a", "bSTOPc"), stepper=Delimiter(), stop=("STOP",))
    (state,) = (await advance(process, await begun(process, 1, 0))).states
    assert (state.text, state.stop) == ("ab", "stop")


@pytest.mark.parametrize("cls", [ScriptedEngine, Deaf])
async def test_a_stop_string_across_two_steps(cls: type[ScriptedEngine]) -> None:
    """It begins with the delimiter: the engine, asked anew, can see only its second half."""
    engine = saying("a", "\n\n", "Quest", "ion:", " next", "\n\n", "b", cls=cls)
    process = process_of(engine, stepper=Delimiter(), stop=("\n\nQuestion:",))
    assert await steps_of(process) == ["a\n\n", "a"]
    if cls is ScriptedEngine:
        # The second half was a stop string of the second call, so nothing was drawn behind it.
        assert engine.counters().output_tokens == 4


async def test_half_a_stop_string_that_stops_in_vain_leaves_the_step_open() -> None:
    engine = saying("a", "\n\n", "The ", "Question:", " b", "\n\n", "c")
    process = process_of(engine, stepper=Delimiter(), stop=("\n\nQuestion:",))
    texts = await steps_of(process)
    assert texts == ["a\n\n", "a\n\nThe Question:", "a\n\nThe Question: b\n\n", "a\n\nThe Question: b\n\nc"]
    (state,) = await to_the_end(process, 1)
    assert len(state.marks) == 2


async def test_the_first_of_two_stop_strings_counts() -> None:
    process = process_of(saying("a", "YX", "b", cls=Deaf), stepper=Whole(), stop=("X", "Y"))
    (state,) = (await advance(process, await begun(process, 1, 0))).states
    assert (state.text, state.stop_text) == ("a", "Y")


@pytest.mark.parametrize("cls", [Deaf, DeafAndSecretive])
async def test_a_backend_that_ignores_the_delimiter_is_cut_there(cls: type[ScriptedEngine]) -> None:
    mode = (COMPLETION, NONE) if cls is DeafAndSecretive else ()
    engine = saying("a", "\n", "b", "\n", "c", cls=cls, **({"continuations": mode} if mode else {}))
    process = process_of(engine, stepper=Delimiter(text="\n"))
    assert await steps_of(process) == ["a\n", "a\nb\n", "a\nb\nc"]
    # Everything drawn was paid, also what was dropped.
    assert engine.counters().output_tokens == 6 + 4 + 2


# -- ends -----------------------------------------------------------------------------------------------------------


async def test_a_member_that_reaches_its_limit_is_finished_by_length() -> None:
    process = process_of(saying("a", "b", "c", "d", "e"), stepper=Tokens(n=2), max_tokens=3)
    assert await steps_of(process) == ["ab", "abc"]
    (state,) = await to_the_end(process, 1)
    assert (state.stop, state.length) == ("length", 3)


async def test_a_text_that_fills_the_window_is_finished_by_length() -> None:
    engine = saying(*"abcdefgh", context=len(PROMPT) + 4)
    process = process_of(engine, stepper=Tokens(n=3))
    (state,) = await to_the_end(process, 1)
    assert (state.text, state.stop) == ("abcd", "length")


async def test_a_call_bounded_by_the_stepper_leaves_the_step_open() -> None:
    process = process_of(saying("a", "b", "c", "\n", "d"), stepper=Delimiter(text="\n", most=2))
    states = await begun(process, 1, 0)
    got = await advance(process, states)
    assert got.states[0].text == "ab"
    assert not got.states[0].marks
    assert not got.was_short().any()
    got = await advance(process, got.states)
    assert got.states[0].text == "abc\n"
    assert len(got.states[0].marks) == 1


def test_a_character_split_over_two_tokens() -> None:
    """The tokens are the truth: text that does not decode yet is neither lost nor counted."""

    def decode(tokens: Sequence[int]) -> str:
        return bytes(tokens).decode(errors="replace")

    reader = Reader(Tokens(n=1), (), decode)
    state, texts = Partial(tokens=()), []
    for byte in "é!".encode():
        reply = Generation("", StopReason.LENGTH, Cost(output_tokens=1), tokens=(byte,), log_probs=(-1.0,))
        taken = reader.take(state, reply, Asked(whole=False, wanted=1, granted=1, room=99))
        assert isinstance(taken, Taken)
        state = taken.state
        assert state.text == decode(state.tokens or ())
        texts.append(state.text)
    assert texts == ["\ufffd", "é", "é!"]
    assert state.log_prob == -3.0


def test_a_backend_that_goes_on_behind_the_end_is_cut_there() -> None:
    reader = Reader(Delimiter(text="b"), (), lambda tokens: "".join(map(chr, tokens)).replace("\0", ""), frozenset({0}))
    reply = Generation("", StopReason.LENGTH, Cost(output_tokens=4), tokens=(97, 0, 98, 99), log_probs=(-1.0,) * 4)
    taken = reader.take(Partial(tokens=()), reply, Asked(whole=False, wanted=4, granted=4, room=99))
    assert isinstance(taken, Taken)
    state = taken.state
    assert (state.text, state.tokens, state.stop, state.log_prob, taken.short) == ("a", (97, 0), "end", -2.0, False)


async def test_a_backend_that_hides_its_tokens_fails_its_slots() -> None:
    process = process_of(saying("a", cls=DeafAndSecretive), stepper=Delimiter(text="\n"))
    got = await advance(process, await begun(process, 2, 0))
    assert set(got.failures) == {0, 1}
    assert isinstance(got.failures[0], Failure)
    assert "returned none" in got.failures[0].message
    assert got.cost.output_tokens == 4


def test_a_backend_that_hides_its_stop_string_fails_its_slot() -> None:
    reply = Generation("a", StopReason.STOP, Cost(output_tokens=2), stop_text="")
    taken = Reader(Delimiter(), ("X",)).take(Partial(), reply, Asked(whole=False, wanted=9, granted=9, room=9))
    assert isinstance(taken, Failure)
    assert "does not say which" in taken.message
