"""Texts as data: forks, checkpoints, thinking apart, and what verifiers see."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from outthink.core import Allowance, CheckpointError, encode
from outthink.core.checkpoint import Saved
from outthink.engines.scripted_tokens import END
from outthink.text import Delimiter, Mark, Partial, Revision, Thinking, Tokens, features
from outthink.verify import Numeric, Pattern
from tests.text.scripts import COMPLETION, advance, begun, engine_of, key, letters, process_of, to_the_end

# -- forks and checkpoints ------------------------------------------------------------------------------------------


async def test_a_fork_copies_nothing() -> None:
    """Resampling moves references: 64 members of 2,000 tokens cost no more than 64 of none."""
    process = process_of(engine_of(), stepper=Tokens(n=1))
    long = tuple(Partial(text="a" * 2000, tokens=tuple(range(2000)), length=2000) for _ in range(64))
    index = np.random.default_rng(0).integers(0, 64, 64)
    taken = process.take(long, index)
    assert all(new is long[i] for new, i in zip(taken, index.tolist(), strict=True))
    assert process.concat([taken, long])[70] is long[6]


async def test_a_loaded_state_is_the_same_and_goes_on_the_same() -> None:
    process = process_of(engine_of(), stepper=Delimiter(text="\n"))
    states = await begun(process, 6, 1)
    back = process.load(process.dump(states))
    assert back == states
    assert (await advance(process, back)).states == (await advance(process, states)).states


def test_every_field_is_stored() -> None:
    process = process_of(engine_of())
    state = Partial(
        text="é",
        tokens=(1 << 41, 2),
        marks=(Mark(1, 1, None), Mark(1, 2, -0.5)),
        length=2,
        log_prob=None,
        stop="stop",
        stop_text="X",
        reasoning="hm",
        revision=Revision("a", "b"),
        hidden=np.array([1.0, -2.5]),
    )
    (back,) = process.load(process.dump((state,)))
    assert back == state
    assert back.hidden is not None
    assert back.hidden.tolist() == [1.0, -2.5]
    assert set(state.saved_fields()) == set(Partial.__dataclass_fields__)
    assert issubclass(Partial, Saved)


def test_a_foreign_checkpoint_is_refused() -> None:
    process = process_of(engine_of())
    for data in (encode([1, 2]), encode((1, 2)), b"damaged"):
        with pytest.raises(CheckpointError):
            process.load(data)


# -- thinking -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "thought", "shown"),
    [
        ("no marks", "", "no marks"),
        ("<think>a</think>b", "a", "b"),
        ("<think>\na\n</think>\n\nb", "a", "b"),
        ("<think>a", "a", ""),
        ("a</think>b", "a", "b"),
        ("x<think>a</think>y<think>b</think>z", "ab", "xyz"),
        ("x <think>a", "a", "x "),
        ("</think>b", "", "b"),
        ("<think></think>", "", ""),
        ("a < b", "", "a < b"),
    ],
)
def test_thinking_is_split_off(text: str, thought: str, shown: str) -> None:
    assert Thinking().split(text) == (thought, shown)


def test_thinking_that_the_prompt_began() -> None:
    begun = Thinking(begun=True)
    assert begun.split("a") == ("a", "")
    assert begun.split("a</think>b") == ("a", "b")
    assert begun.split("<think>a</think>b") == ("a", "b")
    assert begun.is_open("a")
    assert not begun.is_open("a</think>")
    assert Thinking().is_open("x<think>y")
    assert not Thinking().is_open("x")


def test_a_marker_under_way_is_not_shown_yet() -> None:
    assert Thinking().split("ab<thi", done=False) == ("", "ab")
    assert Thinking().split("ab<thi", done=True) == ("", "ab<thi")
    assert Thinking().split("<think>a</thi", done=False) == ("a", "")


async def test_numbers_in_thinking_are_no_answers() -> None:
    def script(text: str) -> Mapping[str, float]:
        reply = text.rpartition("say:")[2]
        pieces = ("<think>", "maybe 13", "</think>", "It is 7.")
        return {next((p for p in pieces if p not in reply), END): 1.0}

    vocabulary = ("<think>", "maybe 13", "</think>", "It is 7.")
    process = process_of(engine_of(script, vocabulary), stepper=Tokens(n=1))
    process._extract = Numeric().extract
    states = await process.start(key().seeds(1))
    seen = []
    while not states[0].done:
        states = (await advance(process, states)).states
        seen += await process.view(states, frozenset({"reasoning", "steps"}))
    assert [candidate.content for candidate in seen] == ["", "", "", "It is 7.", "It is 7."]
    assert [candidate.answer for candidate in seen] == [None] * 4 + ["7"]
    assert seen[-1].features == {"reasoning": "maybe 13", "steps": ("It is 7.",)}


async def test_a_text_that_ended_while_thinking_has_no_answer() -> None:
    process = process_of(
        engine_of(lambda text: {"<think>": 1.0} if text.endswith(":") else {"5": 1.0}, ("<think>",)), max_tokens=6
    )
    process._extract = Numeric().extract
    (seen,) = await process.view(await to_the_end(process, 1), frozenset())
    assert (seen.final, seen.content, seen.answer) == (True, "", None)


# -- what verifiers see ---------------------------------------------------------------------------------------------


async def test_features() -> None:
    process = process_of(engine_of(letters, ()), stepper=Delimiter(text="\n"))
    states = await to_the_end(process, 8)
    wants = frozenset({"steps", "length", "log_prob", "mean_log_prob", "stop"})
    assert wants <= process.offers
    for state, seen in zip(states, await process.view(states, wants), strict=True):
        assert set(seen.features) == wants
        assert "".join(seen.features["steps"]) == state.text == seen.content
        assert seen.features["length"] == state.length
        assert seen.features["mean_log_prob"] == pytest.approx(seen.features["log_prob"] / state.length)
        assert seen.features["stop"] == state.stop


async def test_log_probabilities_are_the_models_own() -> None:
    def script(text: str) -> Mapping[str, float]:
        return {END: 1.0} if text.endswith("b") else {"a": 0.25, "b": 0.75}

    process = process_of(engine_of(script, ()), stepper=Tokens(n=1))
    for state in await to_the_end(process, 5):
        expected = np.log(0.25) * state.text.count("a") + np.log(0.75)
        assert state.log_prob == pytest.approx(expected)
    (whole,) = (await advance(process, await begun(process, 1, 0), steps=None)).states
    assert whole.marks[0].log_prob == pytest.approx(np.log(0.25 if whole.text[0] == "a" else 0.75))


async def test_log_probabilities_that_nobody_asked_for_are_unknown_and_not_offered() -> None:
    process = process_of(engine_of(letters, ()), log_probs=False)
    (state,) = await to_the_end(process, 1)
    assert state.log_prob is None
    assert "log_prob" not in process.offers
    (seen,) = await process.view((state,), frozenset({"log_prob", "length"}))
    assert set(seen.features) == {"length"}
    assert features.steps(state, None) == ((state.text,) if state.text else ())


async def test_answers_are_found_off_the_loop_even_by_a_pattern_that_hangs() -> None:
    import asyncio

    process = process_of(engine_of(lambda text: {"a": 1.0}, ()), max_tokens=40)
    process._extract = Pattern(pattern="(a+)+b", seconds=0.3).find
    states = await to_the_end(process, 2)
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1

    heart = asyncio.ensure_future(beat())
    seen = await process.view(states, frozenset())
    heart.cancel()
    assert [candidate.answer for candidate in seen] == [None, None]
    assert beats >= 10


async def test_a_text_without_tokens_says_what_it_knows() -> None:
    process = process_of(engine_of(letters, (), continuations=(COMPLETION,)), stepper=Delimiter(text="\n"))
    got = await process.advance(await begun(process, 4, 0), key().seeds(4), allowance=Allowance())
    for state in got.states:
        assert state.tokens is None
        assert state.length >= len(state.text)
        assert state.log_prob is not None
