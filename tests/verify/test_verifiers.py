"""What each built-in verifier says of known candidates."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from outthink.core import Candidate, Incompatible, LogMap, Parts, ScoreKind, Scores, SettingsError, Task, Verifier
from outthink.testing.contracts import VerifierContract
from outthink.verify import (
    Arithmetic,
    Confidence,
    Exact,
    JsonFields,
    JsonSchemaValid,
    MatchesRegex,
    MathVerify,
    Numeric,
    Plain,
    Symbolic,
    extras,
)

nan = float("nan")


def texts(*contents: str, **how: Any) -> list[Candidate]:
    return [Candidate(content=content, **how) for content in contents]


def answers(*found: str | None) -> list[Candidate]:
    return [Candidate(content=f"so {answer}", answer=answer) for answer in found]


async def scores(verifier: Verifier, candidates: list[Candidate], task: Task | None = None) -> Scores:
    return await verifier.score(candidates, task or Task(prompt="?"))


async def values(verifier: Verifier, candidates: list[Candidate], task: Task | None = None) -> list[float]:
    return (await scores(verifier, candidates, task)).values.tolist()


# -- contracts ------------------------------------------------------------------------------------------------------


class Three(VerifierContract):
    """Contracts with candidates that all of these can rate."""

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        features = {"mean_log_prob": -0.5, "log_prob": -5.0}
        contents = ('1 + 2 = 3 {"a": 1}', "1 + 2 = 4", "none")
        found = ("3", "4", None)
        return [Candidate(content=c, answer=a, features=features) for c, a in zip(contents, found, strict=True)]

    @pytest.fixture
    def task(self) -> Task:
        return Task(prompt="?", reference="3")


MADE = {
    "exact": Exact(),
    "math-verify": MathVerify(),
    "matches-regex": MatchesRegex(pattern=r"\d"),
    "json-schema-valid": JsonSchemaValid(document={"type": "object"}),
    "confidence": Confidence(),
    "arithmetic": Arithmetic(),
}


@pytest.mark.parametrize("name", list(MADE))
class TestContracts(Three):
    """Every built-in keeps the contract."""

    @pytest.fixture
    def verifier(self, name: str) -> Verifier:
        return MADE[name].build(Parts())


@pytest.mark.parametrize("name", list(MADE))
def test_the_name_is_the_tag(name: str) -> None:
    assert MADE[name].name() == name


def test_oracles_say_so() -> None:
    reads = {name for name, made in MADE.items() if made.build(Parts()).spec.reads_reference}
    assert reads == {"exact", "math-verify"}


# -- exact ----------------------------------------------------------------------------------------------------------


async def test_exact_compares_by_the_kind_of_answer() -> None:
    assert await values(Exact().build(Parts()), answers("0.5", "1/2", "0.51", None), Task(reference="#### 0.50")) == [
        1,
        1,
        0,
        0,
    ]
    words = Exact().build(Parts(answer=Plain()))
    assert await values(words, answers("paris", "rome"), Task(reference="Paris")) == [1, 0]
    fields = Exact(answer=JsonFields(fields=("a",))).build(Parts(answer=Plain()))
    assert await values(fields, texts('so {"a": 1.0}', '{"a": 2}'), Task(reference='{"a": 1, "b": 3}')) == [1, 0]
    formulas = Exact().build(Parts(answer=Symbolic()))
    assert await values(formulas, answers("(x+1)^2", "x^2"), Task(reference="x^2+2x+1")) == [1, 0]
    assert not formulas.spec.local


async def test_exact_looks_in_the_text_where_nobody_has_found_an_answer_by_its_rules() -> None:
    said = [Candidate(content="It costs $3.", answer=None), Candidate(content="It costs $3.", answer="it costs $3")]
    assert await values(Exact().build(Parts()), said[:1], Task(reference="3")) == [1]
    assert await values(Exact(answer=Numeric()).build(Parts(answer=Plain())), said, Task(reference="3")) == [1, 1]
    assert await values(Exact().build(Parts(answer=Plain())), said, Task(reference="3")) == [0, 0]


async def test_exact_within_a_tolerance() -> None:
    found = answers("3.14", "3.1", "-3.14", "x")
    assert await values(Exact(absolute=0.002).build(Parts()), found, Task(reference="3.1416")) == [1, 0, 0, 0]
    assert await values(Exact(relative=0.02).build(Parts()), found, Task(reference="3.1416")) == [1, 1, 0, 0]


async def test_exact_says_why_there_is_no_match() -> None:
    got = await scores(Exact().build(Parts()), answers("1", None), Task(reference="1"))
    assert got.notes == ("", "no answer")
    assert got.cost.verifier_calls == 2


@pytest.mark.parametrize("made", [Exact(), MathVerify()])
@pytest.mark.parametrize("reference", [None, " "])
def test_a_task_without_a_reference_is_refused_before_anything_is_spent(made: Any, reference: str | None) -> None:
    with pytest.raises(Incompatible, match="the task has none"):
        made.build(Parts()).most(Task(prompt="?", reference=reference))


async def test_a_reference_that_is_no_answer_is_refused() -> None:
    with pytest.raises(Incompatible, match="cannot be read"):
        await values(Exact().build(Parts()), answers("1"), Task(reference="east"))


# -- mathematics ----------------------------------------------------------------------------------------------------


async def test_mathematics_by_meaning() -> None:
    found = answers("\\frac{1}{2}", "0.5", "1/3", "\\text{half}", None)
    assert await values(MathVerify().build(Parts()), found, Task(reference="$\\frac12$")) == [1, 1, 0, 0, 0]
    whole = texts("Thus $x = \\boxed{\\frac{2}{4}}$.", "We get 3.")
    assert await values(MathVerify().build(Parts()), whole, Task(reference="0.5")) == [1, 0]
    got = await scores(MathVerify().build(Parts()), answers("East."), Task(reference="\\text{east}"))
    assert (got.values.tolist(), got.notes) == ([1.0], ("compared as text",))


async def test_mathematics_that_takes_too_long_fails_its_candidate() -> None:
    got = await scores(
        MathVerify(seconds=0.7).build(Parts()), answers("10^{10^{10^{10}}}", "2"), Task(reference="10^{10^{10^{9}}}")
    )
    assert got.failures[0].kind == "WorkerTimeout"
    assert np.isnan(got.values[0])


def test_missing_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(Incompatible, match=r"pip install 'outthink\[math\]'"):
        MathVerify().build(Parts())
    with pytest.raises(Incompatible, match=r"pip install 'outthink\[schema\]'"):
        JsonSchemaValid(document={"type": "object"}).build(Parts())


# -- forms ----------------------------------------------------------------------------------------------------------


async def test_regular_expressions() -> None:
    assert await values(MatchesRegex(pattern=r"\d{2}"), texts("ab12", "a1")) == [1, 0]
    assert await values(MatchesRegex(pattern=r"\d{2}", whole=True), texts("12", "123")) == [1, 0]
    assert await values(MatchesRegex(pattern=r"\d", of="answer"), answers("1", "x", None)) == [1, 0, 0]
    with pytest.raises(SettingsError, match="cannot be read"):
        MatchesRegex(pattern="(")
    with pytest.raises(SettingsError, match="pattern"):
        MatchesRegex(pattern="")


async def test_a_pattern_that_hangs_fails_that_candidate_only() -> None:
    got = await scores(MatchesRegex(pattern=r"(a+)+$", seconds=0.4), texts("a" * 60 + "b", "aa", "b"))
    assert set(got.failures) == {0}
    assert got.failures[0].kind == "WorkerTimeout"
    assert np.isnan(got.values[0])
    assert got.values[1:].tolist() == [1, 0]


SCHEMA = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}


async def test_json_schemas() -> None:
    found = texts('{"a": 1}', 'so {"a": 1.5}', '{"b": 1}', "none", '```{"a": 12345678901234567890123}```')
    verifier = JsonSchemaValid(document=SCHEMA).build(Parts())
    got = await scores(verifier, found)
    assert got.values.tolist()[:4] == [1, 0, 0, 0]
    assert got.notes[1:4] == ("$.a: 1.5 is not of type 'integer'", "$: 'a' is a required property", "no JSON document")
    task = Task(prompt="?", data={"schema": SCHEMA})
    assert await values(JsonSchemaValid().build(Parts()), found[:2], task) == [1, 0]
    with pytest.raises(Incompatible, match="no JSON schema"):
        JsonSchemaValid().build(Parts()).most(Task(prompt="?"))


async def test_a_schema_with_a_pattern_that_hangs_fails_that_candidate() -> None:
    schema = {"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}
    hang = '{"a": "' + "a" * 60 + 'b"}'
    got = await scores(JsonSchemaValid(document=schema, seconds=0.5).build(Parts()), texts(hang, '{"a": "aa"}'))
    assert got.failures[0].kind == "WorkerTimeout"
    assert got.values[1] == 1


# -- confidence -----------------------------------------------------------------------------------------------------


async def test_confidence() -> None:
    candidates = [
        Candidate(content="a", features={"mean_log_prob": -0.5, "log_prob": -5.0}),
        Candidate(content="b", features={"mean_log_prob": 1e-12, "log_prob": 0.0}),
        Candidate(content="c", features={}),
    ]
    assert np.array_equal(await values(Confidence(), candidates), [-0.5, 0.0, nan], equal_nan=True)
    assert np.array_equal(await values(Confidence(of="sum"), candidates), [-5.0, 0.0, nan], equal_nan=True)
    spec = Confidence().spec
    assert (spec.kind, spec.log_map, spec.partial) == (ScoreKind.PREFIX_VALUE, LogMap.RAW, True)
    assert spec.wants == {"mean_log_prob"}
    assert Confidence(of="sum").spec.wants == {"log_prob"}


# -- arithmetic -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "final", "answer", "score", "note"),
    [
        ("3 + 5 = 8\n8 + 2 = 10", True, "10", 0.99, "2 right"),
        ("3 + 5 = 9\n9 + 2 = 11", True, "11", 0.01, "wrong: 3 + 5 = 9"),
        ("3 + 5 = 8\n", False, None, 0.99, "1 right"),
        ("3 + 5 = 9\n", False, None, 0.01, "wrong: 3 + 5 = 9"),
        ("3 + 5 = 1", False, None, 0.5, ""),
        ("3 + 5 = 8\n8 + 9 = 1", False, None, 0.99, "1 right"),
        ("no equation", True, "4", 0.5, ""),
        ("3 + 5 = 8\nAnswer: 9", True, "9", 0.01, "answer 9, but the last result is 8"),
        ("3 + 5 = 8", True, None, 0.99, "1 right"),
        ("3 + 5 = 8", True, "eight", 0.99, "1 right"),
        ("10 / 50 * 100 = 20", True, "20%", 0.99, "1 right"),
        ("1 / 4 = 0.25", True, "25%", 0.99, "1 right"),
    ],
)
async def test_arithmetic(text: str, final: bool, answer: str | None, score: float, note: str) -> None:
    got = await scores(Arithmetic(), [Candidate(content=text, final=final, answer=answer)])
    assert (got.values.tolist(), got.notes) == ([score], (note,))


async def test_arithmetic_never_looks_at_the_reference() -> None:
    candidates = texts("3 + 5 = 8", "3 + 5 = 9")
    one = await values(Arithmetic(), candidates, Task(prompt="?", reference="9"))
    assert one == await values(Arithmetic(), candidates, Task(prompt="?")) == [0.99, 0.01]
    assert not Arithmetic().spec.reads_reference


async def test_arithmetic_as_told() -> None:
    verifier = Arithmetic(right=0.9, wrong=0.2, neutral=0.4, check_answer=False)
    found = [Candidate(content="1 + 1 = 2", answer="5"), *texts("1 + 1 = 3", "-")]
    assert await values(verifier, found) == [0.9, 0.2, 0.4]
    image = Candidate(content=b"...", kind="image")
    assert np.isnan(await values(verifier, [image])).all()


async def test_long_texts_let_others_have_their_turn() -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    heart = asyncio.ensure_future(beat())
    await values(Arithmetic(), texts(*[f"{i} + 1 = {i + 1}" for i in range(50)]))
    heart.cancel()
    assert beats >= 49


def test_numbers_of_the_recipe_are_the_default() -> None:
    assert isinstance(Exact().build(Parts()).how, Numeric)
