"""Plain functions as verifiers, told apart by their signatures."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from outthink.core import Candidate, Incompatible, LogMap, ScoreKind, Task, VerifierError
from outthink.testing.contracts import VerifierContract
from outthink.verify import Arithmetic, as_verifier
from outthink.verify.functions import Signature, read_signature

nan = float("nan")
CANDIDATES = [
    Candidate(content="abc", answer="a"),
    Candidate(content="de", answer=None),
    Candidate(content="f", answer="ff"),
]
TASK = Task(prompt="long")


def of_text(text: str) -> float:
    return len(text)


def of_answer(answer: str) -> float:
    return len(answer)


def of_candidate(candidate: Candidate) -> float:
    return -1.0 if candidate.answer is None else 1.0


def annotated(it: Candidate) -> float:
    return of_candidate(it)


def with_task(text: str, task: Task) -> float:
    return len(text) / len(task.question)


def with_annotated_task(text: str, problem: Task) -> float:
    return with_task(text, problem)


def batched(texts: list[str]) -> list[float]:
    return [len(text) / len(texts) for text in texts]


def batched_unnamed(many: Sequence[str]) -> list[float]:
    return [len(text) for text in many]


def batched_answers(answers: list[str], task: Task) -> Any:
    return np.array([len(answer) for answer in answers])


async def awaited(text: str) -> float:
    return len(text)


async def awaited_batch(candidates: Sequence[Candidate]) -> list[float]:
    return [of_candidate(candidate) for candidate in candidates]


def with_options(text: str, scale: float = 2.0) -> float:
    return scale * len(text)


class CallableObject:
    """An object that can be called."""

    def __call__(self, text: str) -> float:
        return len(text)


class AwaitedCallable:
    """An object whose call is awaited."""

    async def __call__(self, text: str) -> float:
        return len(text)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (of_text, [3, 2, 1]),
        (lambda t: len(t), [3, 2, 1]),
        (len, [3, 2, 1]),
        (of_answer, [1, nan, 2]),
        (of_candidate, [1, -1, 1]),
        (annotated, [1, -1, 1]),
        (with_task, [0.75, 0.5, 0.25]),
        (with_annotated_task, [0.75, 0.5, 0.25]),
        (batched, [1, 2 / 3, 1 / 3]),
        (batched_unnamed, [3, 2, 1]),
        (batched_answers, [1, nan, 2]),
        (awaited, [3, 2, 1]),
        (awaited_batch, [1, -1, 1]),
        (with_options, [6, 4, 2]),
        (functools.partial(with_options, scale=3.0), [9, 6, 3]),
        (CallableObject(), [3, 2, 1]),
        (AwaitedCallable(), [3, 2, 1]),
        (lambda *texts: len(texts[0]), [3, 2, 1]),
        (lambda text: len(text) > 1, [1, 1, 0]),
        (lambda text: None if text == "de" else 1, [1, nan, 1]),
        (lambda text: np.float32(0.5), [0.5] * 3),
        (lambda text: np.array(0.5), [0.5] * 3),
    ],
)
async def test_every_kind_of_function(function: Callable[..., Any], expected: list[float]) -> None:
    got = await as_verifier(function).score(CANDIDATES, TASK)
    assert np.allclose(got.values, expected, equal_nan=True)
    assert not got.failures
    assert got.cost.verifier_calls == 3


@pytest.mark.parametrize(
    "function",
    [lambda: 1.0, lambda a, b, c: 1.0, lambda text, other: 1.0, "text", 3],
)
def test_what_cannot_be_called_with_a_candidate_is_refused(function: Any) -> None:
    with pytest.raises(Incompatible, match="def score"):
        as_verifier(function)


def test_a_keyword_that_nobody_gives_is_refused() -> None:
    def score(text: str, *, weight: float) -> float:
        return weight

    with pytest.raises(Incompatible, match="weight"):
        as_verifier(score)


def test_signatures_are_read_and_functions_not_tried() -> None:
    def explodes(texts: list[str], task: Task) -> list[float]:
        raise AssertionError("called")

    assert read_signature(explodes) == Signature("content", batched=True, task=True, awaited=False)
    assert read_signature(awaited_batch) == Signature("candidate", batched=True, task=False, awaited=True)
    assert read_signature(of_text, batched=True).batched


async def test_an_exception_fails_that_candidate_and_keeps_its_cause() -> None:
    def score(text: str) -> float:
        if text == "de":
            raise ValueError("no such word")
        return 1.0

    got = await as_verifier(score).score(CANDIDATES, TASK)
    assert {i: (f.kind, f.message) for i, f in got.failures.items()} == {1: ("ValueError", "no such word")}
    assert np.array_equal(got.values, [1, nan, 1], equal_nan=True)


async def test_an_exception_of_a_batch_fails_all_of_it() -> None:
    async def score(texts: list[str]) -> list[float]:
        raise OSError("offline")

    got = await as_verifier(score).score(CANDIDATES, TASK)
    assert {failure.message for failure in got.failures.values()} == {"offline"}
    assert len(got.failures) == 3


async def test_what_is_no_number_is_a_failure_and_never_zero() -> None:
    got = await as_verifier(lambda text: "good" if text == "de" else 1).score(CANDIDATES, TASK)
    assert "expected a number" in got.failures[1].message
    assert np.isnan(got.values[1])


async def test_a_batch_of_the_wrong_length_is_an_error() -> None:
    with pytest.raises(VerifierError, match="wrong number"):
        await as_verifier(lambda texts: [1.0]).score(CANDIDATES, TASK)


async def test_plain_functions_run_beside_the_loop() -> None:
    seen: list[int] = []
    await as_verifier(lambda text: seen.append(threading.get_ident()) or 1.0).score(CANDIDATES, TASK)  # type: ignore[func-returns-value]
    assert threading.get_ident() not in seen


def test_what_a_function_says_of_itself() -> None:
    plain = as_verifier(len).spec
    assert (plain.kind, plain.partial, plain.log_map) == (ScoreKind.OUTCOME, False, LogMap.RAW)
    assert (plain.low, plain.high) == (-np.inf, np.inf)
    assert plain.local
    assert not as_verifier(awaited).spec.local
    assert as_verifier(len, partial=True).spec.kind is ScoreKind.PREFIX_VALUE
    judged = as_verifier(
        len, partial=True, kind=ScoreKind.STEP_REWARD, low=0, high=1, log_map=LogMap.ODDS, local=False
    ).spec
    assert (judged.kind, judged.low, judged.high, judged.log_map, judged.local) == (
        ScoreKind.STEP_REWARD,
        0,
        1,
        LogMap.ODDS,
        False,
    )
    by_word = as_verifier(len, kind="step-reward", log_map="probability").spec
    assert by_word.kind is ScoreKind.STEP_REWARD
    assert by_word.log_map is LogMap.PROBABILITY
    verifier = Arithmetic()
    assert as_verifier(verifier) is verifier


class TestContract(VerifierContract):
    """A function is a verifier like any other."""

    @pytest.fixture(params=[of_text, batched_unnamed, awaited])
    def verifier(self, request: Any) -> Any:
        return as_verifier(request.param)

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return CANDIDATES
