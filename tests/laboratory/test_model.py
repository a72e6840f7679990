"""The shipped model through the real library: its tokenizer, its accuracy, and its exact values against its own samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

import outthink
from outthink.core.cost import ZERO, Cost
from outthink.core.cut import Cut
from outthink.core.errors import Failure, Incompatible
from outthink.core.key import Key
from outthink.core.task import Message
from outthink.engines import ChatPrompt, Request, TextPrompt
from outthink.engines.engine import Engine, EngineCapabilities, Generation, StopReason
from outthink.engines.local import Local, LocalEngine, models
from outthink.laboratory import Chains, Countdown, Family, model_value, problems, solved
from outthink.laboratory.measuring import measure
from outthink.laboratory.vocabulary import BEGIN, CONTROLS, END, SIZE, ids, names
from tests.needs import need


@pytest.fixture(scope="module")
def engine() -> Iterator[LocalEngine]:
    need("llama-cpp")
    opened = Local(model="laboratory", max_sequences=63, retained=32, memory=60.0).open()
    yield opened
    opened.close_now()


def test_the_file_is_the_one_that_its_card_is_about() -> None:
    models.verify(models.path(models.LABORATORY), models.LABORATORY)
    card = models.path(models.LABORATORY).with_suffix(".md").read_text(encoding="utf-8")
    assert "outthink train laboratory --seed 1" in card
    assert models.path(models.LABORATORY).stat().st_size < 4e6


@pytest.mark.parametrize(
    "text",
    [
        "12+7*3-5\n7*3=21\n",
        "3 5 7 -> 22\n",
        " a  b\n\n\tc ",
        "Größe: 10 µm, 日本語 😀",
        "<begin>1<end>",
        "\r\n\x00\x7f",
        "''s 'll",
    ],
)
def test_every_text_goes_through_the_librarys_tokenizer_and_back(engine: LocalEngine, text: str) -> None:
    tokens = engine.tokenizer.encode(text)
    assert engine.tokenizer.decode(tokens) == text
    assert list(tokens) == ids(text), "one token a byte, as in training"


def test_control_tokens_are_read_as_such_only_where_asked(engine: LocalEngine) -> None:
    tokenizer = engine.tokenizer
    assert tokenizer.opening == (BEGIN,)
    assert tokenizer.end_tokens == {END}
    assert tokenizer.controls == frozenset(range(CONTROLS))
    assert tokenizer.size == SIZE
    assert tokenizer.encode("<begin>1<end>", special=True) == (BEGIN, *ids("1"), END)
    assert not {BEGIN, END} & set(tokenizer.encode("<begin>1<end>"))
    assert [tokenizer.piece(token) for token in (BEGIN, END)] == [b"", b""]
    assert len(names()) == SIZE


async def test_chat_and_plain_prompts_are_the_same(engine: LocalEngine) -> None:
    question = "12+7*3-5"
    assert engine.tokenizer.chat([Message("user", question)]) == (BEGIN, *ids(f"{question}\n"))
    plain, chat = await engine.generate(
        [
            Request(prompt=TextPrompt(f"{question}\n"), seed=1, max_tokens=60),
            Request(prompt=ChatPrompt((Message("user", question),)), seed=1, max_tokens=60),
        ]
    )
    assert getattr(plain, "text", "plain") == getattr(chat, "text", "chat")


@pytest.mark.parametrize(
    ("family", "low", "high"), [(Chains(terms=4), 0.85, 1.0), (Countdown(numbers=3), 0.2, 0.7)], ids=str
)
async def test_the_accuracy_that_the_card_states(engine: LocalEngine, family: Family, low: float, high: float) -> None:
    found = await measure(engine, family, n=20, samples=16, key=Key(2))
    assert low <= found.single <= high
    assert found.answered >= found.single
    assert found.constant <= 0.2


@pytest.mark.parametrize(
    ("family", "prefix_lines"), [(Chains(terms=3), 0), (Countdown(numbers=3), 0), (Countdown(numbers=3), 1)]
)
async def test_the_exact_value_is_how_often_samples_are_right(
    engine: LocalEngine, family: Family, prefix_lines: int
) -> None:
    """Samples of the model itself, 256 a problem: their share of solutions has the exact value as its mean."""
    samples, drift, variance = 256, 0.0, 0.0
    for task in problems(family, 4, Key(5)):
        prefix = ""
        if prefix_lines:
            (begun,) = await engine.generate(
                [Request(prompt=TextPrompt(f"{task.question}\n"), seed=3, max_tokens=40, stop=("\n",))]
            )
            prefix = f"{getattr(begun, 'text', '')}\n"
        exact = await model_value(engine, task.question, prefix)
        replies = await engine.generate(
            [
                Request(prompt=TextPrompt(f"{task.question}\n{prefix}"), seed=int(seed), max_tokens=90)
                for seed in Key(6).child(task.id).seeds(samples)
            ]
        )
        right = np.mean([solved(task.question, prefix + getattr(reply, "text", "")) for reply in replies])
        assert abs(right - exact.value) < 5 * np.sqrt(exact.value * (1 - exact.value) / samples) + 0.01
        drift += right - exact.value
        variance += exact.value * (1 - exact.value) / samples
    assert abs(drift) < 4 * np.sqrt(variance) + 0.02


async def test_a_lost_prefix_is_worth_nothing_under_the_model(engine: LocalEngine) -> None:
    found = await model_value(engine, "3 5 7 -> 22", "3+5=8\n")
    assert (found.value, found.continuations) == (0.0, 0)


class Mute(Engine):
    """An engine that shows nothing but replies."""

    name = "mute"
    capabilities = EngineCapabilities((), exact=True, seeds=False, log_probs=False)

    def most(self, requests: Sequence[Request]) -> list[Cost | Failure]:
        return [ZERO for _ in requests]

    async def generate(self, requests: Sequence[Request], *, cut: Cut | None = None) -> list[Generation | Failure]:
        return [Generation(text="", stop=StopReason.END, cost=ZERO) for _ in requests]

    def counters(self) -> Cost:
        return ZERO

    async def close(self) -> None:
        return


async def test_an_engine_that_cannot_rate_texts_is_refused() -> None:
    with pytest.raises(Incompatible, match="probabilities of given texts"):
        await model_value(Mute(), "3+4", "")


@pytest.mark.parametrize("question", ["12+7*3-5", "3 5 7 -> 22"])
async def test_the_preset_searches_line_by_line(engine: LocalEngine, question: str) -> None:
    result = await outthink.asolve(question, method="laboratory", verifier="laboratory-oracle", model=engine, seed=1)
    assert solved(question, str(result.candidates[0].content))
    assert result.cost.output_tokens > 0


async def test_the_models_name_is_enough(engine: LocalEngine) -> None:
    result = await outthink.asolve("12+7*3-5", model="laboratory", method="vote", answer="numeric", seed=1)
    assert result.answer is not None
    assert result.answer.isdigit()
