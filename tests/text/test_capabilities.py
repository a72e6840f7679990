"""Going back, drawing again, forcing an answer, rewriting."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from outthink.core import Allowance, Completable, Cost, Message, Perturbable, Revisable, Rewindable
from outthink.engines.engine import ChatPrompt, TextPrompt, TokenPrompt
from outthink.engines.scripted_tokens import END
from outthink.text import Delimiter, Forced, TextProcess, Tokens, Whole
from tests.text.scripts import (
    COMPLETION,
    NONE,
    PREFIX,
    advance,
    begun,
    chi_square,
    engine_of,
    enumerated,
    key,
    letters,
    process_of,
    small_language,
    to_the_end,
)


def test_texts_have_all_four() -> None:
    for capability in (Revisable, Rewindable, Perturbable, Completable):
        assert issubclass(TextProcess, capability)


# -- rewind ---------------------------------------------------------------------------------------------------------


async def rewound(process: TextProcess, states: tuple, *levels: int) -> tuple:  # type: ignore[type-arg]
    got = await process.rewind(states, np.array(levels), key().seeds(len(states)), allowance=Allowance())
    assert got.cost == Cost()
    assert got.done.tolist() == [state.done for state in got.states]
    return got.states


async def test_rewinding_gives_back_the_earlier_state() -> None:
    process = process_of(engine_of(), stepper=Tokens(n=1))
    states = await process.start(key().seeds(4))
    history = [states]
    while not all(state.done for state in states):
        states = (await advance(process, states)).states
        history.append(states)
    for level in range(len(history)):
        for row, state in enumerate(await rewound(process, states, *[level] * 4)):
            before = history[level][row]
            if level < states[row].steps:
                assert not state.done
                assert (state.text, state.tokens, state.marks) == (before.text, before.tokens, before.marks)
                assert state.log_prob == pytest.approx(before.log_prob)
            else:
                assert state == states[row]


async def test_rewinding_by_steps_of_text() -> None:
    process = process_of(
        engine_of(lambda text: {"a": 0.5, "\n": 0.5}, (), continuations=(COMPLETION,)),
        stepper=Delimiter(text="\n"),
        max_tokens=9,
    )
    (state,) = await begun(process, 1, 3)
    (back,) = await rewound(process, (state,), 2)
    assert back.text.count("\n") == 2
    assert state.text.startswith(back.text)
    assert back.length == len(back.text)


# -- perturb --------------------------------------------------------------------------------------------------------


async def law_after_perturbing(process: TextProcess, steps: int, *, earlier: bool) -> tuple[float, float]:
    """Texts after `steps` steps, their last step drawn again, taken to the end: the statistic and its limit.

    `earlier`: whether texts that had ended before the last of these steps are drawn again as well.
    """
    n = 2000
    states = await begun(process, n, steps)
    chance = np.where(np.arange(n) % 2 == 0, 1.0, 0.5)
    strength = np.array(
        [p if earlier or state.steps == steps else 0.0 for p, state in zip(chance, states, strict=True)]
    )
    got = await process.perturb(states, strength, key("again").seeds(n), allowance=Allowance())
    assert sum(one != two for one, two in zip(states, got.states, strict=True)) > 0.1 * n
    for one, two in zip(states, got.states, strict=True):
        assert two.marks[: one.steps - 1] == one.marks[: one.steps - 1]
    ended = (await advance(process, got.states, steps=None, name="ended")).states
    return chi_square([state.text for state in ended], enumerated(small_language))


@pytest.mark.laws
@pytest.mark.parametrize("steps", [1, 2])
async def test_drawing_the_last_step_again_keeps_the_law(steps: int) -> None:
    statistic, limit = await law_after_perturbing(
        process_of(engine_of(), stepper=Delimiter(text="\n")), steps, earlier=False
    )
    assert statistic < limit


@pytest.mark.laws
async def test_drawing_steps_again_that_ended_texts_earlier_is_noticed() -> None:
    """A text that has ended is at the level at which it ended; among longer ones its last step may not be drawn again."""
    statistic, limit = await law_after_perturbing(
        process_of(engine_of(), stepper=Delimiter(text="\n")), 3, earlier=True
    )
    assert statistic > 1.5 * limit


async def test_strength_is_the_chance_of_drawing_again() -> None:
    engine = engine_of(letters, ())
    process = process_of(engine, stepper=Whole())
    states = await to_the_end(process, 400)
    calls = len(engine.requests)
    got = await process.perturb(states, np.full(400, 0.25), key("again").seeds(400), allowance=Allowance())
    drawn = len(engine.requests) - calls
    assert 65 < drawn < 135
    assert got.cost.calls == drawn


async def test_a_fresh_state_has_nothing_to_draw_again() -> None:
    engine = engine_of()
    process = process_of(engine, stepper=Tokens(n=1))
    states = await process.start(key().seeds(3))
    got = await process.perturb(states, np.ones(3), key().seeds(3), allowance=Allowance())
    assert got.states == states
    assert engine.requests == []


async def test_without_continuation_the_whole_text_is_drawn_again() -> None:
    process = process_of(engine_of(letters, (), continuations=(NONE,)), format="chat", max_tokens=9)
    states = (await advance(process, await begun(process, 20, 0), steps=None)).states
    got = await process.perturb(states, np.ones(20), key("again").seeds(20), allowance=Allowance())
    assert got.done.all()
    assert got.states != states


# -- complete -------------------------------------------------------------------------------------------------------


def forced_script(text: str) -> Mapping[str, float]:
    if text.endswith("Answer:"):
        return {"4": 0.4, "7": 0.6}
    if text[-1] in "47":
        return {"\n": 0.9, END: 0.1}
    return {"w": 0.7, END: 0.3}


@pytest.mark.parametrize("mode", [None, (COMPLETION,), (PREFIX,)])
async def test_a_forced_answer_is_greedy_short_and_leaves_the_original(mode: tuple | None) -> None:  # type: ignore[type-arg]
    how = {} if mode is None else {"continuations": mode}
    engine = engine_of(forced_script, (), **how)
    process = process_of(engine, stepper=Tokens(n=1), format="chat" if mode == (PREFIX,) else "plain")
    states = (await process.start(key().seeds(3)))[:3]
    got = await process.complete(states, key().seeds(3), allowance=Allowance())
    assert [state.text for state in got.states] == ["\nAnswer:7"] * 3
    assert {state.stop for state in got.states} == {"forced"}
    assert got.done.all()
    assert (got.log_ratio == 0).all()
    assert states[0].text == ""
    assert engine.requests[-1].sampling.temperature == 0
    assert got.cost == engine.counters()


async def test_a_forced_answer_after_some_steps_can_be_extracted() -> None:
    from outthink.verify import Numeric

    engine = engine_of(forced_script, ())
    process = TextProcess(
        engine,
        process_of(engine).task,
        format="plain",
        prompt="{question}",
        stepper=Tokens(n=1),
        extract=Numeric().extract,
    )
    states = await begun(process, 2, 2)
    got = await process.complete(states, key().seeds(2), allowance=Allowance())
    assert [candidate.answer for candidate in await process.view(got.states, frozenset())] == ["7", "7"] or states[
        0
    ].done
    assert all(done.text.startswith(state.text) for state, done in zip(states, got.states, strict=True))


async def test_open_thinking_is_closed_before_the_forced_answer() -> None:
    process = process_of(engine_of(forced_script, ()), forced=Forced(suffix=" Answer:", max_tokens=1))
    (fresh,) = await process.start(key().seeds(1))
    assert process._tokenizer is not None
    tokens = process._tokenizer.encode("<think>hm")
    state = process._cut(fresh, 0).__class__(text="<think>hm", tokens=tokens, length=len(tokens))
    got = await process.complete((state,), key().seeds(1), allowance=Allowance())
    assert got.states[0].text == "<think>hm</think>\n Answer:7"
    (seen,) = await process.view(got.states, frozenset())
    assert seen.content == "Answer:7"


# -- revise ---------------------------------------------------------------------------------------------------------


async def test_a_revision_shows_the_answer_without_its_thinking_and_the_feedback() -> None:
    engine = engine_of(letters, (), continuations=(PREFIX,))
    process = process_of(engine, format="chat", revise="Said: {feedback}. Again!")
    states = await to_the_end(process, 2)
    thought = [state.__class__(text=f"<think>hm</think>{state.text}a", stop="end", length=4) for state in states]
    got = await process.revise(tuple(thought), ["too short", "wrong {answer}"], key().seeds(2), allowance=Allowance())
    assert got.done.all()
    first, second = (request.prompt for request in engine.requests[-2:])
    assert isinstance(first, ChatPrompt)
    assert isinstance(second, ChatPrompt)
    assert first.messages[-2:] == (
        Message("assistant", f"{states[0].text}a".lstrip()),
        Message("user", "Said: too short. Again!"),
    )
    assert second.messages[-1].content == "Said: wrong {answer}. Again!"
    assert not any(state.text.startswith("<think>") for state in got.states)


async def test_a_revision_goes_on_and_back_under_its_own_prompt() -> None:
    engine = engine_of(lambda text: {"a": 0.6, "b": 0.4}, ())
    process = process_of(engine, stepper=Tokens(n=1), format="chat", max_tokens=6)
    states = await to_the_end(process, 1)
    got = await process.revise(states, ["better"], key().seeds(1), allowance=Allowance())
    asked = engine.requests[-1].prompt
    (start,) = (await process.rewind(got.states, np.array([0]), key().seeds(1), allowance=Allowance())).states
    assert start.revision is not None
    assert start.revision.feedback == "better"
    await advance(process, (start,))
    again = engine.requests[-1].prompt
    assert isinstance(asked, TokenPrompt)
    assert isinstance(again, TokenPrompt)
    assert again.tokens == asked.tokens


async def test_plain_revisions() -> None:
    engine = engine_of(letters, (), continuations=(COMPLETION,))
    process = process_of(engine, revise="({feedback})")
    states = await to_the_end(process, 1)
    await process.revise(states, ["no"], key().seeds(1), allowance=Allowance())
    asked = engine.requests[-1].prompt
    assert isinstance(asked, TextPrompt)
    assert asked.text == f"say:{states[0].text}\n\n(no)\n"
