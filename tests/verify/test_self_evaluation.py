"""Self-evaluation: the right number, read at the right place, for what the question alone costs; and refused where it cannot be read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Allowance,
    Budget,
    Candidate,
    Cost,
    Incompatible,
    Key,
    Parts,
    ScoreKind,
    Search,
    Session,
    SettingsError,
    Task,
)
from outthink.core.events import Warned
from outthink.engines.context import Context
from outthink.engines.openai.settings import Openai
from outthink.engines.scripted import END, Behaviour, ScriptedEngine
from outthink.search import Adaptive, Beam, Incremental, ParticleFilter, Pruning, Threshold
from outthink.testing.contracts import VerifierContract
from outthink.text import Text, TextProcess, Tokens
from outthink.verify import SelfEvaluation, SelfQuestion, built_in_questions
from outthink.verify.self_evaluation_labels import cuts

ASKED = "\n?"
QUESTION = SelfQuestion(chat="Over again?", plain=ASKED, better=("Yes", " Yes"), as_good=("No", " No"))
TASK = Task(prompt="say:")
SURE = {"aa": 0.9, "ab": 0.6, "ba": 0.3, "bb": 0.1}
"""How likely the model says No after each text; of a prefix, the mean over what may follow."""
VOCABULARY = ("Yes", "No", " Yes", " No", "a", "b")


def value(text: str) -> float:
    return float(np.mean([v for known, v in SURE.items() if known.startswith(text)]))


def model(mass: float = 0.8) -> Any:
    """Two letters, a or b, then the end; asked about them it gives `mass` to its answers, spread over their variants."""

    def next_token(text: str) -> Mapping[str, float]:
        head, asked, _ = text.partition(ASKED) if ASKED in text else (text, "", "")
        if not asked and "Over again?" in text:
            head, asked = text.partition("<|assistant|>")[2].partition("<|user|>")[0], "yes"
        said = head.rpartition("say:")[2].rpartition("<|assistant|>")[2]
        if asked:
            no = value(said)
            parts = {" No": 0.75 * no, "No": 0.25 * no, " Yes": 0.5 * (1 - no), "Yes": 0.5 * (1 - no)}
            return {**{token: mass * p for token, p in parts.items() if p}, "a": 1 - mass}
        return {END: 1.0} if len(said) >= 2 else {"a": 0.5, "b": 0.5}

    return next_token


def engine_of(mass: float = 0.8, **behaviour: Any) -> ScriptedEngine:
    return ScriptedEngine(model(mass), vocabulary=VOCABULARY, behaviour=Behaviour(**behaviour))


def process_of(engine: ScriptedEngine, **settings: Any) -> TextProcess:
    how: dict[str, Any] = {
        "format": "plain",
        "prompt": "{question}",
        "stepper": Tokens(n=1),
        "max_tokens": 6,
        "stop": (),
    }
    return TextProcess(engine, TASK, Text(**{**how, **settings}))


def search_of(engine: ScriptedEngine, method: Any) -> Search:
    return Search(lambda task: process_of(engine), method, verifier_of(engine))


def verifier_of(engine: Any, **settings: Any) -> Any:
    return SelfEvaluation(**{"question": QUESTION, **settings}).build(Parts(engine=engine))


def shown(engine: ScriptedEngine, text: str) -> Candidate:
    """A raw text as the model has it in view."""
    return Candidate(content=text, features={"context": Context(engine.tokenizer.encode(text), False)})


async def written(engine: ScriptedEngine, n: int = 8, *, steps: int | None = None, **settings: Any) -> list[Candidate]:
    process = process_of(engine, **settings)
    states = await process.start(Key(1).seeds(n))
    got = await process.advance(states, Key(2).seeds(n), steps=steps, allowance=Allowance())
    return await process.view(got.states, frozenset({"context"}))


@pytest.mark.parametrize("steps", [None, 1])
@pytest.mark.parametrize("style", ["plain", "chat"])
async def test_the_value_is_the_share_of_no_among_both_answers(style: str, steps: int | None) -> None:
    """Over all variants of the two words, for whole texts and for prefixes, in raw text and behind the template's next turn."""
    engine = engine_of()
    said = await written(engine, steps=steps, format=style, prompt="{question}" if style == "plain" else "")
    got = await verifier_of(engine).score(said, TASK)
    assert len({c.content for c in said}) > 1
    assert got.values.tolist() == pytest.approx([value(c.content) for c in said])
    assert not got.failures
    assert not any(got.notes)
    assert not got.warnings


async def test_wrong_tokens_would_give_another_number() -> None:
    """The law above has teeth: one variant alone, or the answers turned round, is not it."""
    engine = engine_of()
    said = await written(engine)
    exact = [value(c.content) for c in said]
    for question in (
        SelfQuestion(chat="Over again?", plain=ASKED, better=("Yes",), as_good=("No",)),
        SelfQuestion(chat="Over again?", plain=ASKED, better=("No", " No"), as_good=("Yes", " Yes")),
    ):
        got = await verifier_of(engine, question=question).score(said, TASK)
        assert not np.allclose(got.values, exact, atol=0.02)


async def test_the_answer_never_sees_the_question() -> None:
    """The same texts with and without a reading in between: the question goes to a copy."""
    texts = []
    for asks in (False, True):
        engine = engine_of()
        process, verifier = process_of(engine), verifier_of(engine)
        states = await process.start(Key(1).seeds(6))
        for step in range(3):
            got = await process.advance(states, Key(3).child(step).seeds(6), allowance=Allowance())
            states = got.states
            if asks:
                await verifier.score(await process.view(states, frozenset({"context"})), TASK)
        texts.append([state.text for state in states])
    assert texts[0] == texts[1]
    assert ASKED not in "".join(texts[0])


async def test_only_the_question_is_paid() -> None:
    """The text lies in the engine's cache: a reading costs the question's tokens and one for each further answer token."""
    engine = engine_of()
    said = await written(engine)
    before, verifier = engine.counters(), verifier_of(engine)
    got = await verifier.score(said, TASK)
    different = len({c.content for c in said})
    assert got.cost == engine.counters() - before + Cost(verifier_calls=different)
    asked = len(engine.tokenizer.encode(ASKED))
    assert got.cost.tokens <= different * (asked + 1 + 3)
    assert got.cost.tokens < got.cost.input_tokens / 2
    assert got.cost.output_tokens == 0


async def test_what_the_engine_forgot_is_at_its_own_expense() -> None:
    engine = engine_of(cached=False)
    said = await written(engine)
    verifier = verifier_of(engine)
    got = await verifier.score(said, TASK)
    assert got.cost.tokens <= verifier.most(TASK).times(len(said)).tokens


async def test_a_model_that_wants_neither_answer_is_reported() -> None:
    engine = engine_of(mass=0.3)
    said = await written(engine)
    got = await verifier_of(engine).score(said, TASK)
    assert got.values.tolist() == pytest.approx([value(c.content) for c in said]), "the number itself stands"
    assert set(got.notes) == {"the answers have 30% of the probability"}
    assert any("less than half of its probability" in warning for warning in got.warnings)
    search = search_of(engine, Adaptive(n=2, stop=Threshold(), choose="score"))
    session = Session.open()
    await search.solve(TASK, session)
    told = [event.message for event in session.trace.events if isinstance(event, Warned)]
    assert any("less than half of its probability" in message for message in told)


async def test_a_flat_reading_is_reported_once() -> None:
    engine = ScriptedEngine(lambda text: {" No": 0.9, " Yes": 0.1}, vocabulary=VOCABULARY)
    verifier, warnings = verifier_of(engine), []
    for _ in range(3):
        said = [shown(engine, "a" * (i + 1)) for i in range(12)]
        warnings.append((await verifier.score(said, TASK)).warnings)
    assert [len(told) for told in warnings] == [0, 1, 0]
    assert "flat" in warnings[1][0]
    lively = engine_of()
    assert (await verifier_of(lively).score(await written(lively, 24), TASK)).warnings == ()


async def test_no_answer_at_all_is_no_opinion() -> None:
    engine = ScriptedEngine(lambda text: {"a": 1.0}, vocabulary=VOCABULARY)
    got = await verifier_of(engine).score([shown(engine, "a")], TASK)
    assert math.isnan(got.values[0])
    assert "no probability" in got.notes[0]


async def test_what_cannot_be_read_fails_by_itself() -> None:
    engine = engine_of()
    said = [shown(engine, "say:ab"), Candidate(content="no context"), shown(engine, "a" * 40)]
    got = await verifier_of(engine, context_tokens=30).score(said, TASK)
    assert got.values[0] == pytest.approx(value("ab"))
    assert {i: failure.kind for i, failure in got.failures.items()} == {1: "Incompatible", 2: "ContextOverflow"}
    assert "context_tokens" in got.failures[2].message


async def test_engines_without_log_probabilities_are_refused_with_the_remedy() -> None:
    server = Openai(base_url="http://127.0.0.1:9/v1", model="any", probe="never").open()
    for engine in (None, server):
        with pytest.raises(Incompatible, match="--model local"):
            SelfEvaluation().build(Parts(engine=engine))
    await server.close()


def test_words_must_be_single_tokens() -> None:
    with pytest.raises(Incompatible, match="single token"):
        verifier_of(engine_of(), question=SelfQuestion(chat="?", plain="?", better=("Certainly",), as_good=("No",)))
    with pytest.raises(SettingsError, match="both"):
        SelfQuestion(chat="?", plain="?", better=("Yes",), as_good=("Yes",))
    with pytest.raises(SettingsError, match="start-over"):
        SelfEvaluation(question="start-ovr")
    assert all(one.title for one in built_in_questions().values())


async def test_it_guides_what_takes_values_and_is_refused_as_rewards() -> None:
    """A prefix value: beam and filter take it at each step, pruning at its checkpoints; and the bill is the engine's."""
    assert verifier_of(engine_of()).spec.kind is ScoreKind.PREFIX_VALUE
    for method in (
        Beam(n=4, width=2),
        ParticleFilter(n=4),
        Adaptive(n=8, stop=Threshold(value=0.85), choose="score", pruning=Pruning(at=(1,), keep=0.5)),
    ):
        engine = engine_of()
        session = Session.open(seed=1, budget=Budget(tokens=400))
        result = await search_of(engine, method).solve(TASK, session)
        assert result.answer in SURE
        judged = result.by_role["verify"]
        assert engine.counters() == result.cost - Cost(verifier_calls=judged.verifier_calls)
    rewarded = search_of(engine_of(), ParticleFilter(twist=Incremental()))
    with pytest.raises(Incompatible):
        await rewarded.solve(TASK, Session.open())


async def test_adaptive_finds_the_answer_that_it_is_sure_of() -> None:
    """Threshold 0.85: only "aa" stops, as often as a sample is "aa"; the mean number drawn is that of the geometric law."""
    drawn = []
    for seed in range(300):
        engine = engine_of()
        method = Adaptive(n=8, stop=Threshold(value=0.85), choose="score", waves=(1,))
        result = await search_of(engine, method).solve(TASK, Session.open(seed=seed))
        drawn.append(len(result.candidates))
        assert result.answer == "aa" or len(result.candidates) == 8
    assert np.mean(drawn) == pytest.approx((1 - 0.75**8) / 0.25, abs=4 * np.std(drawn) / math.sqrt(300))


class TestContract(VerifierContract):
    tolerance = 1e-12

    @pytest.fixture
    def verifier(self) -> Any:
        return verifier_of(engine_of())

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        ids = engine_of().tokenizer.encode
        return [Candidate(content=t, features={"context": Context(ids("say:" + t), False)}) for t in ("ab", "bb", "ba")]


def test_half_of_the_labelled_attempts_are_cut_at_a_token_of_their_own() -> None:
    lengths = np.array([1, 2, 5, 40] * 500)
    cut = cuts(lengths, Key(3), share=0.5)
    assert (cut >= 1).all()
    assert (cut <= lengths).all()
    longest = cut[lengths == 40]
    assert 0.4 < float(np.mean(longest < 40)) < 0.6
    assert set(longest[longest < 40].tolist()) == set(range(1, 40)), "every prefix, and as often as any other"
    assert (cuts(lengths, Key(3), share=0.0) == lengths).all()
    assert (cuts(lengths[:7], Key(3)) <= lengths[:7]).all()
