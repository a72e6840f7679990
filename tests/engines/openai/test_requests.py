"""What is sent: every field of a request is honoured, done here, or refused by name before anything is spent."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import Failure, Message, SettingsError
from outthink.core.settings import kebab
from outthink.engines import (
    ChatPrompt,
    Choice,
    Continuation,
    Generation,
    JsonSchema,
    Regex,
    Request,
    Sampling,
    StopReason,
    TextPrompt,
    TokenPrompt,
)
from outthink.engines.openai import Openai, presets
from outthink.engines.openai.abilities import Abilities
from outthink.engines.openai.calls import wire_seed
from outthink.engines.paid_failure import Ungiven
from outthink.engines.reply_codec import decode_generation, encode_generation
from outthink.testing.openai_server import LETTERS, Personality
from tests.engines.openai.conftest import Pair, pair

ASK = ChatPrompt((Message("system", "Be brief."), Message("user", "What number comes after 41?")))
BEGUN = ChatPrompt((Message("user", "What number comes after 41?"),), prefix="The number after 41 is 4")


async def one(both: Pair, request: Request) -> Generation:
    (reply,) = await both.engine.generate([request])
    assert isinstance(reply, Generation), reply
    return reply


async def refused(both: Pair, request: Request) -> str:
    (failure,) = await both.engine.generate([request])
    assert isinstance(failure, Failure)
    assert both.server.counters.requests == 0, "a refusal is free"
    return failure.message


async def test_every_sampling_parameter_is_sent_also_the_neutral_ones() -> None:
    async with pair() as both:
        await one(both, Request(ASK, seed=3, max_tokens=4))
        body = both.server.bodies[0]
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0}
    assert neutral.items() <= body.items()
    assert {"presence_penalty": 0.0, "frequency_penalty": 0.0, "seed": 3, "max_tokens": 4}.items() <= body.items()


async def test_sampling_reaches_the_model() -> None:
    top = max(LETTERS, key=lambda letter: LETTERS[letter])
    async with pair() as both:
        greedy = await one(both, Request(TextPrompt("x"), seed=3, max_tokens=6, sampling=Sampling(temperature=0.0)))
        assert greedy.text == top * 6
        single = await one(both, Request(TextPrompt("x"), seed=3, max_tokens=6, sampling=Sampling(top_k=1)))
        assert single.text == top * 6
    async with pair(omit=("temperature",)) as both:
        assert "temperature" in await refused(
            both, Request(ASK, seed=1, max_tokens=4, sampling=Sampling(temperature=0.5))
        )
        await one(both, Request(ASK, seed=1, max_tokens=4))
        assert "temperature" not in both.server.bodies[0]


@pytest.mark.parametrize("name", ["top_k", "min_p", "repetition_penalty"])
async def test_a_setting_that_the_server_has_no_word_for_is_refused(name: str) -> None:
    async with pair(preset="openai") as both:
        settings = Sampling(**{name: 3 if name == "top_k" else 0.5})
        assert name in await refused(both, Request(ASK, seed=1, max_tokens=4, sampling=settings))


@pytest.mark.parametrize(
    ("request_", "word"),
    [
        (Request(TokenPrompt((1, 2)), seed=1, max_tokens=4), "token ids"),
        (Request(ASK, seed=1, max_tokens=4, wants=frozenset({"hidden"})), "hidden"),
        (Request(ASK, seed=1, max_tokens=4, sampling=Sampling(logit_bias={"5": 200.0})), "bias"),
        (Request(ASK, seed=1, max_tokens=4, constraint=Regex(pattern="a+")), "regex"),
        (Request(ASK, seed=1, max_tokens=4, constraint=Choice(options=("a", "b"))), "choice"),
        (Request(BEGUN, seed=1, max_tokens=4), "begun"),
        (Request(TextPrompt("x"), seed=1, max_tokens=4), "raw text"),
        (Request(ASK, seed=1, max_tokens=4, wants=frozenset({"log_probs"})), "log-probabilities"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_a_server_cannot_do_is_refused_by_name(request_: Request, word: str) -> None:
    async with pair(preset="openai", assume=Abilities(log_probs="no")) as both:
        assert word in await refused(both, request_)


async def test_log_probs_of_a_processed_law_are_refused_unless_nothing_is_processed() -> None:
    wants = frozenset({"log_probs"})
    async with pair(assume=Abilities(log_prob_law="processed")) as both:
        warm = Request(ASK, seed=1, max_tokens=4, wants=wants, sampling=Sampling(temperature=0.5))  # type: ignore[arg-type]
        assert "temperature 0.5" in await refused(both, warm)
        reply = await one(both, Request(ASK, seed=1, max_tokens=4, wants=wants))  # type: ignore[arg-type]
        assert reply.log_probs is not None


@pytest.mark.parametrize("prompt", [ASK, TextPrompt("x")])
@pytest.mark.parametrize("stream", ["always", "never"])
async def test_log_probs_are_those_of_the_script(prompt: Any, stream: str) -> None:
    import math

    async with pair(stream=stream) as both:
        letters = ChatPrompt((Message("user", "Letters"),)) if isinstance(prompt, ChatPrompt) else prompt
        warm = Sampling(temperature=0.5)
        asked = Request(letters, seed=1, max_tokens=9, wants=frozenset({"log_probs"}), sampling=warm)
        reply = await one(both, asked)
        assert reply.log_probs == pytest.approx([math.log(LETTERS[letter]) for letter in reply.text])
        assert reply.tokens is not None
        assert len(reply.tokens) == len(reply.text) == 9


# -- continuing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["continue-final-message", "trailing", "prefix-flag"])
@pytest.mark.parametrize("echo", [False, True])
@pytest.mark.parametrize("stream", ["always", "never"])
async def test_each_way_of_continuing(way: str, echo: bool, stream: str) -> None:
    able = Abilities(prefix=way, prefix_echo=echo)  # type: ignore[arg-type]
    who = Personality(prefix=(way,), prefix_echo=echo)  # type: ignore[arg-type]
    async with pair(who, assume=able, stream=stream) as both:
        assert Continuation.ASSISTANT_PREFIX in both.engine.capabilities.continuations
        assert (await one(both, Request(BEGUN, seed=1, max_tokens=5))).text == "2"


async def test_prompted_continuation_is_opt_in_and_marked() -> None:
    none = Abilities(prefix="none", completion="no")
    async with pair(assume=none) as both:
        assert both.engine.capabilities.continuations == (Continuation.NONE,)
    async with pair(assume=none, prompted=True) as both:
        assert both.engine.capabilities.continuations == (Continuation.PROMPTED,)
        assert any("another distribution" in a.instead for a in both.engine.adaptations)
        await one(both, Request(BEGUN, seed=1, max_tokens=5))
        last = both.server.bodies[0]["messages"][-1]
        assert last["role"] == "user"
        assert last["content"].endswith(BEGUN.prefix)


# -- what is done here ----------------------------------------------------------------------------------------------


async def test_a_system_message_goes_into_the_first_user_message_where_it_must() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}
    seen = ChatPrompt((Message("system", "Be brief."), Message("user", ({"type": "text", "text": "What?"}, picture))))
    async with pair(Personality(system="refused"), assume=Abilities(system="no")) as both:
        await one(both, Request(ASK, seed=1, max_tokens=30))
        await one(both, Request(seen, seed=1, max_tokens=30))
        first, second = (body["messages"] for body in both.server.bodies)
        assert first == [{"role": "user", "content": "Be brief.\n\nWhat number comes after 41?"}]
        assert second[0]["content"][0] == {"type": "text", "text": "Be brief."}
        assert second[0]["content"][2] == picture, "images pass through untouched"
        assert [a.what for a in both.engine.adaptations] == ["system messages"]


@pytest.mark.parametrize("stop", ["yes", "ignored"])
@pytest.mark.parametrize("stream", ["always", "never"])
@pytest.mark.parametrize("tells", [True, False])
async def test_stop_strings_are_exact_whatever_the_server_does(stop: str, stream: str, tells: bool) -> None:
    able = Abilities(stop="yes" if stop == "yes" else "no", tells_stop="yes" if tells else "no")
    async with pair(Personality(stop=stop, tells_stop=tells), assume=able, stream=stream) as both:  # type: ignore[arg-type]
        asked = Request(ChatPrompt((Message("user", "Count"),)), seed=1, max_tokens=40, stop=("§", " 4"))
        reply = await one(both, asked)
        assert (reply.text, reply.stop, reply.stop_text) == ("1 2 3", StopReason.STOP, " 4")
        ends = await one(both, Request(ChatPrompt((Message("user", "Count"),)), seed=1, max_tokens=40, stop=("§",)))
        assert (ends.text, ends.stop, ends.stop_text) == ("1 2 3 4 5 6 7 8 9", StopReason.END, "")
        assert ("stop" in both.server.bodies[0]) is (stop == "yes" and tells)


async def test_log_probs_end_with_the_stop_string() -> None:
    able = Abilities(tells_stop="no")
    async with pair(Personality(tells_stop=False), assume=able, stream="never") as both:
        count = ChatPrompt((Message("user", "Count"),))
        asked = Request(count, seed=1, max_tokens=40, stop=("4",), wants=frozenset({"log_probs"}))
        reply = await one(both, asked)
        assert reply.log_probs is not None
        assert len(reply.log_probs) == len(reply.text) + 1


async def test_constraints() -> None:
    schema = JsonSchema(document={"type": "object", "properties": {"ok": {"enum": ["a", "b"]}}, "required": ["ok"]})
    async with pair() as both:
        reply = await one(both, Request(ASK, seed=1, max_tokens=40, constraint=schema))
        assert reply.text in ('{"ok": "a"}', '{"ok": "b"}')
        chosen = await one(both, Request(ASK, seed=1, max_tokens=40, constraint=Choice(options=("yes", "no"))))
        assert chosen.text in ("yes", "no")
        assert both.engine.capabilities.constraints
    async with pair(preset="llama-cpp") as both:
        await one(both, Request(ASK, seed=1, max_tokens=4, constraint=Choice(options=('a"\n', "b\\"))))
        assert both.server.bodies[0]["grammar"] == 'root ::= "a\\"\\n" | "b\\\\"'


async def test_n_is_used_where_seeds_are_lost_anyway() -> None:
    letters = [Request(ChatPrompt((Message("user", "Letters"),)), seed=i, max_tokens=6) for i in range(5)]
    count = Request(ChatPrompt((Message("user", "Count"),)), seed=9, max_tokens=6)
    mixed = [*letters[:2], count, *letters[2:]]
    async with pair() as both:
        assert both.engine.capabilities.seeds
        kept = [r.text for r in await both.engine.generate(mixed) if isinstance(r, Generation)]
        assert both.server.counters.calls == 6
    for able, use_n in ((Abilities(seeds="no"), "auto"), (Abilities(), "always")):
        async with pair(assume=able, use_n=use_n) as both:
            got = [r.text for r in await both.engine.generate(mixed) if isinstance(r, Generation)]
            assert both.server.counters.calls == 2
            assert got[2] == kept[2].replace("x", "x") == "1 2 3 "
            assert len(set(got)) == 6, "five different samples and the other question, in their places"
            assert any("share one call" in a.instead for a in both.engine.adaptations)
    async with pair(Personality(n="ignored"), assume=Abilities(seeds="no", n="yes")) as both:
        got = await both.engine.generate(letters)
        assert sum(isinstance(r, Generation) for r in got) == 1
        left_out = [r for r in got if isinstance(r, Ungiven)]
        assert len(left_out) == 4
        assert "1 of 5" in left_out[0].message
        assert decode_generation(encode_generation(left_out[0])) == left_out[0]
        assert any("left some out" in a.instead for a in both.engine.adaptations)
        assert all(isinstance(r, Generation) for r in await both.engine.generate(letters[1:]))
        assert both.server.counters.calls == 5


def test_seeds_on_the_wire() -> None:
    assert wire_seed(7, 31) == 7
    big = [wire_seed(2**63 + i, 31) for i in range(100)]
    assert len(set(big)) == 100
    assert all(0 <= seed < 2**31 for seed in big)


async def test_the_responses_interface() -> None:
    async with pair(Personality(reasoning="hm"), api="responses") as both:
        reply = await one(both, Request(ASK, seed=1, max_tokens=40, stop=("is",)))
        assert (reply.text, reply.reasoning, reply.stop_text) == ("The number after 41 ", "hm", "is")
        assert not both.engine.capabilities.seeds
        assert both.engine.capabilities.continuations == (Continuation.COMPLETION,)
        short = await one(both, Request(ASK, seed=1, max_tokens=4))
        assert short.stop is StopReason.LENGTH


# -- settings -------------------------------------------------------------------------------------------------------


def test_the_tag_is_the_class_name() -> None:
    assert Openai.name() == kebab(Openai.__name__) == "openai"


def test_presets_are_dated_and_sourced() -> None:
    for name, known in presets().items():
        assert known.title
        assert known.source
        assert known.checked >= "2026-01-01"
        assert Openai(model="m", preset=name).address.startswith(("http://127.0.0.1", "https://"))
    assert {"vllm", "sglang", "llama-cpp", "ollama", "openai", "openrouter", "groq", "together", "fireworks"} <= set(
        presets()
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"base_url": "ftp://x"},
        {"base_url": "x"},
        {"base_url": "http://user:hunter2@x/v1"},
        {"headers": {"authorization": "Bearer x"}},
        {"preset": "vlm"},
        {"model": ""},
        {"assume": {"n": "maybe"}},
        {"retries": -1},
    ],
)
def test_bad_settings_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as error:
        Openai(**{"model": "m", **fields})
    assert "hunter2" not in str(error.value)
