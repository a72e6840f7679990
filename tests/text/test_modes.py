"""How a text is continued: what is chosen, what is sent, and what is refused before it costs anything."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Allowance, Budget, Cost, Incompatible, InputError, Message, Parts, SettingsError, Task
from outthink.engines.engine import ChatPrompt, Choice, Continuation, TextPrompt, TokenPrompt
from outthink.text import Delimiter, Example, Partial, Text, TextProcess, Tokens, Whole
from tests.text.scripts import (
    COMPLETION,
    NONE,
    PREFIX,
    PROMPTED,
    TOKENS,
    advance,
    begun,
    engine_of,
    key,
    letters,
    process_of,
)


@pytest.mark.parametrize(
    ("offered", "style", "settings", "expected"),
    [
        ((TOKENS, COMPLETION, PREFIX, NONE), "chat", {}, TOKENS),
        ((TOKENS, COMPLETION, PREFIX, NONE), "plain", {}, TOKENS),
        ((COMPLETION, PREFIX, NONE), "chat", {}, PREFIX),
        ((COMPLETION, PREFIX, NONE), "plain", {}, COMPLETION),
        ((PREFIX, TOKENS), "chat", {}, PREFIX),
        ((COMPLETION, NONE), "chat", {}, NONE),
        ((NONE,), "chat", {}, NONE),
        ((), "chat", {}, NONE),
        ((NONE,), "chat", {"allow_prompted": True}, PROMPTED),
        ((PREFIX, NONE), "chat", {"allow_prompted": True}, PREFIX),
        ((COMPLETION, NONE), "plain", {"allow_prompted": True}, COMPLETION),
        ((TOKENS, COMPLETION), "plain", {"continuation": COMPLETION}, COMPLETION),
        ((TOKENS,), "chat", {"continuation": NONE}, NONE),
        ((TOKENS,), "chat", {"continuation": PROMPTED}, PROMPTED),
    ],
)
def test_the_best_mode_that_the_settings_allow(
    offered: tuple[Continuation, ...], style: str, settings: dict[str, Any], expected: Continuation
) -> None:
    process = process_of(engine_of(continuations=offered), format=style, **settings)
    assert process.continuation is expected
    assert process.step_wise == (expected is not NONE)


@pytest.mark.parametrize(
    ("offered", "settings", "said"),
    [
        ((PREFIX, NONE), {"format": "plain"}, "Set format = 'chat'"),
        ((PREFIX, NONE), {"format": "chat", "continuation": TOKENS}, "'assistant-prefix'"),
        ((TOKENS,), {"format": "plain", "continuation": PREFIX}, "'tokens'"),
        ((TOKENS,), {"format": "plain", "continuation": PROMPTED}, "'tokens'"),
        ((TOKENS,), {"constraint": Choice(options=("a",))}, "constrained replies"),
        ((TOKENS,), {"hidden": True}, "hidden states"),
    ],
)
def test_what_the_engine_cannot_do_is_refused_by_name(
    offered: tuple[Continuation, ...], settings: dict[str, Any], said: str
) -> None:
    engine = engine_of(continuations=offered)
    with pytest.raises(Incompatible, match=said):
        process_of(engine, **settings)
    assert engine.counters() == Cost()


async def test_without_continuation_steps_are_refused_before_anything_is_spent() -> None:
    engine = engine_of(letters, (), continuations=(NONE,))
    process = process_of(engine, format="chat")
    assert not process.step_wise
    states = await begun(process, 2, 0)
    for call in (process.advance, process.complete):
        with pytest.raises(Incompatible, match=r"best-of-n.*allow_prompted"):
            await call(states, key().seeds(2), allowance=Allowance())
    assert engine.counters() == Cost()
    assert engine.requests == []
    got = await advance(process, states, steps=None)
    assert got.done.all()


async def test_without_continuation_a_whole_answer_is_one_step() -> None:
    process = process_of(engine_of(letters, (), continuations=(NONE,)), format="chat", stepper=Whole())
    assert (await advance(process, await begun(process, 2, 0))).done.all()


async def test_without_continuation_a_reply_cut_short_cannot_be_finished() -> None:
    process = process_of(engine_of(letters, (), continuations=(NONE,)), format="chat", least_tokens=1, max_tokens=9)
    states = await begun(process, 1, 0)
    prompt = process.engine.most([process._call(states[0], 1, whole=True).request])[0].tokens - 9
    got = await advance(process, states, Budget(tokens=prompt + 1), steps=None)
    assert got.was_short().all()
    again = await advance(process, got.states, steps=None)
    assert "only be drawn as a whole" in again.failures[0].message
    assert again.cost == Cost()


# -- what is sent ---------------------------------------------------------------------------------------------------


def sent(process: TextProcess, text: str) -> Any:
    assert process._tokenizer is None or text == ""
    return process._prompter.prompt(Partial(text=text, tokens=() if process._tokenizer else None))


EXAMPLES = (Example(question="1 + 1", answer="2"), Example(question="2 + {answer}", answer="4"))


def test_plain_prompts() -> None:
    settings = Text(format="plain", examples=EXAMPLES, system="Add.")
    process = TextProcess(engine_of(continuations=(COMPLETION,)), Task(prompt="3 + {x}"), settings)
    expected = "Add.\n\nQuestion: 1 + 1\nAnswer: 2\n\nQuestion: 2 + {answer}\nAnswer: 4\n\nQuestion: 3 + {x}\nAnswer:"
    assert sent(process, "") == TextPrompt(expected)
    assert sent(process, " 3") == TextPrompt(expected + " 3")
    assert settings.stops == ("\n\nQuestion:",)


def test_chat_prompts() -> None:
    settings = Text(examples=EXAMPLES[:1], system="Add.", prompt="What is {question}? Say {answer}")
    process = TextProcess(engine_of(continuations=(PREFIX,)), Task(prompt="3 + 4"), settings)
    messages = (
        Message("system", "Add."),
        Message("user", "What is 1 + 1? Say"),
        Message("assistant", "2"),
        Message("user", "What is 3 + 4? Say"),
    )
    assert sent(process, "") == ChatPrompt(messages)
    assert sent(process, "se") == ChatPrompt(messages, prefix="se")
    assert settings.stops == ()


def test_prompted_continuation_shows_the_text_and_asks_to_go_on() -> None:
    process = process_of(engine_of(continuations=(NONE,)), format="chat", allow_prompted=True, go_on="More!")
    begin = process._prompter.messages()
    assert sent(process, "") == ChatPrompt(begin)
    assert sent(process, "so") == ChatPrompt((*begin, Message("assistant", "so"), Message("user", "More!")))


async def test_token_prompts_are_the_tokens_of_the_prompt_and_then_those_drawn() -> None:
    engine = engine_of(lambda text: {"a": 1.0}, ())
    process = process_of(engine, stepper=Tokens(n=1), format="chat")
    states = await begun(process, 1, 2)
    first, second = (request.prompt for request in engine.requests)
    assert isinstance(first, TokenPrompt)
    assert isinstance(second, TokenPrompt)
    assert first.tokens == engine.tokenizer.chat([Message("user", "say:")])
    assert second.tokens == (*first.tokens, states[0].tokens[0])


def test_a_conversation_is_sent_as_it_is() -> None:
    said = (Message("user", "hi"), Message("assistant", "yes?"), Message("user", "say:"))
    process = TextProcess(engine_of(continuations=(PREFIX,)), Task(prompt=said), prompt="{question}!")
    assert sent(process, "") == ChatPrompt(said)


@pytest.mark.parametrize("prompt", ["", "  \n", ()])
def test_an_empty_question_is_refused(prompt: Any) -> None:
    with pytest.raises(InputError, match="empty"):
        TextProcess(engine_of(), Task(prompt=prompt))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": "no place"}, "{question} once"),
        ({"prompt": "{question} {question}"}, "{question} once"),
        ({"prompt": "{answer} {question}"}, "before"),
        ({"prompt": "{question}", "format": "plain", "examples": EXAMPLES}, "{answer}, where"),
        ({"revise": "again"}, "{feedback}"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ("",)}, "stop"),
        ({"stepper": {"type": "word"}}, "stepper"),
        ({"steper": Tokens(n=1)}, "'stepper'"),
    ],
)
def test_bad_settings_name_themselves(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said.replace("{", r"\{")):
        Text(**changes)
    with pytest.raises(SettingsError):
        TextProcess(engine_of(), Task(prompt="hi"), **changes)


def test_the_default_stop_is_what_begins_the_next_example() -> None:
    assert Text(format="plain").stops == ("\n\nQuestion:",)
    assert Text(format="plain", stop=()).stops == ()
    assert Text(format="plain", prompt="{question}\n{answer}\n").stops == ()


def test_settings_build_their_process() -> None:
    settings = Text(stepper=Delimiter(text="\n"))
    process = settings.build(Task(prompt="hi", id="t1"), Parts(engine=engine_of()))
    assert isinstance(process, TextProcess)
    assert process.settings is settings
    assert process._owner.startswith("t1/")
    again = settings.build(Task(prompt="hi", id="t1"), Parts(engine=engine_of()))
    assert isinstance(again, TextProcess)
    assert again._owner != process._owner, "two runs of one task take turns"
    with pytest.raises(Incompatible, match="Set \\[engine\\]"):
        settings.build(Task(prompt="hi"), Parts())
