"""Problems are seeded, distinct, right, and never among the worked examples."""

from __future__ import annotations

import re
from math import gcd, prod

import pytest

from outthink.core.key import Key
from outthink.demo.plan import judge
from outthink.demo.problems import KINDS, Kind, best_constant, draw, worked_examples
from outthink.verify.numeric import Numeric

KEY = Key(7).child("problems")
EVERY_KIND = pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))


@EVERY_KIND
def test_the_same_seed_gives_the_same_problems(kind: Kind) -> None:
    problems = draw(kind, 40, KEY)
    assert problems == draw(kind, 40, KEY)
    assert problems[:8] == draw(kind, 8, KEY)
    assert problems != draw(kind, 40, Key(8).child("problems"))


@EVERY_KIND
def test_problems_are_distinct_and_not_among_the_examples(kind: Kind) -> None:
    questions = [problem.question for problem in draw(kind, 60, KEY)]
    assert len(set(questions)) == 60
    assert not set(questions) & {example.question for example in worked_examples(kind)}


@pytest.mark.parametrize(("name", "right"), [("sums", sum), ("gcd", lambda numbers: gcd(*numbers)), ("products", prod)])
def test_answers_are_right(name: str, right: object) -> None:
    assert callable(right)
    for problem in draw(KINDS[name], 60, KEY):
        numbers = tuple(int(number) for number in re.findall(r"\d+", problem.question))
        assert numbers == problem.numbers
        assert problem.answer == right(numbers)


@EVERY_KIND
def test_worked_examples_hold_and_end_in_their_answer(kind: Kind) -> None:
    """Each line is one equation, all hold, and the answer is what the checker and the answer kind read in it."""
    for example in worked_examples(kind):
        *working, last = example.answer.split("\n")
        assert 1 <= len(working) <= 4
        assert all(line.count("=") == 1 for line in working)
        said = Numeric().extract(example.answer)
        assert last == f"Answer: {said}"
        score, note = judge(kind).judge(example.answer, final=True, answer=said)
        assert score == judge(kind).right
        assert note == f"{len(working)} right"


def test_the_best_constant_answer_is_the_most_frequent_one() -> None:
    problems = draw(KINDS["gcd"], 40, KEY)
    constant = best_constant(problems)
    answers = [problem.answer for problem in problems]
    assert constant.right == answers.count(constant.answer) == max(answers.count(answer) for answer in answers)
