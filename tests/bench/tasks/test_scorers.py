"""Who says whether an answer is right: right ones, wrong ones, and those that a lenient scorer would let pass."""

from __future__ import annotations

from fractions import Fraction

import pytest

from outthink.bench.tasks.labels import TRUTH, VERDICTS
from outthink.bench.tasks.scorers import Choice, Expression, Formula, Label, Number, Program, Scorer, Words
from outthink.core.errors import VerifierError
from outthink.core.task import Candidate, Task
from tests.needs import need

FORTY_TWO = Number(Fraction(42))
CHOICE = Choice("B", {"A": "dog", "B": "Paris", "C": "3.14"})
REFUTES = Label("REFUTES", VERDICTS)
TRUE = Label("True", TRUTH)


def right(scorer: Scorer, text: str) -> bool:
    return scorer(Candidate(content=text))


@pytest.mark.parametrize(
    "text",
    [
        "42",
        "So 40 + 2.\n#### 42",
        "The answer is 42.",
        "The answer is $42.00",
        "\\boxed{42}",
        "It is\n**42**",
        "Answer: 40 + 2 = 42",
    ],
)
def test_a_number_that_is_given_counts(text: str) -> None:
    assert right(FORTY_TWO, text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I had 42 apples and went home.",
        "42 is too many.\nSo I am not sure.",
        "#### 42\nNo, wait.\n#### 41",
        "The answer is 42,000",
        "The answer is 42.5",
        "\\boxed{42} or rather \\boxed{40}",
        "The answer is 42x + 1",
    ],
)
def test_a_number_that_is_mentioned_does_not(text: str) -> None:
    assert not right(FORTY_TWO, text)


def test_the_flexible_reading_takes_the_last_number() -> None:
    assert right(Number(Fraction(42), reading="last"), "In the end there were 42 apples.")
    assert not right(Number(Fraction(42), reading="last"), "Of 42 apples 2 were eaten.")


def test_decimals_are_not_cut_at_the_full_stop() -> None:
    assert right(Number(Fraction("3.14")), "The answer is 3.14.")
    assert not right(Number(Fraction(3)), "The answer is 3.14.")


def test_rounded_targets_and_percentages() -> None:
    thirds = Number(Fraction("0.6666666667"), Fraction(1, 1000))
    assert right(thirds, "#### 2/3")
    assert not right(thirds, "#### 0.67")
    assert right(Number(Fraction(50)), "#### 50%")
    assert not right(Number(Fraction(50)), "#### 0.5")


def test_half_an_answer_is_none() -> None:
    assert not FORTY_TWO(Candidate(content="#### 42", final=False))


@pytest.mark.parametrize(
    ("gold", "text", "expected"),
    [
        ("\\frac{1}{2}", "\\boxed{0.5}", True),
        ("\\frac{1}{2}", "\\boxed{\\dfrac12}", True),
        ("(x+1)^2", "\\boxed{x^2+2x+1}", True),
        ("3\\sqrt{13}", "\\boxed{\\sqrt{117}}", True),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "\\boxed{(3, \\pi/2)}", True),
        ("90^\\circ", "\\boxed{90}", True),
        ("\\text{Evelyn}", "\\boxed{Evelyn}", True),
        ("x=5", "\\boxed{5}", True),
        ("6 - 5i", "\\boxed{-5i+6}", True),
        ("\\frac{1}{2}", "\\boxed{\\frac{1}{3}}", False),
        ("3\\sqrt{13}", "\\boxed{3}", False),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "\\boxed{(\\pi/2, 3)}", False),
        ("\\text{Evelyn}", "\\boxed{Evelyn and Carla}", False),
        ("p - q", "\\boxed{q - p}", False),
        ("14", "We find 14 of them, which is plenty.", False),
        ("14", "\\boxed{13} and not 14", False),
    ],
)
def test_formulas_by_meaning(gold: str, text: str, expected: bool) -> None:
    need("math-verify")
    assert right(Formula(gold), text) is expected


@pytest.mark.parametrize(
    "text",
    ["B", "(b)", "Answer: B", "The answer is (B) Paris.", "The answer is B. It is the capital.", "**B**", "Thus:\nB) Paris",
     "The answer is Paris", "\\boxed{B}", "Answer: option B"],
)  # fmt: skip
def test_a_letter_that_is_chosen_counts(text: str) -> None:
    assert right(CHOICE, text)


@pytest.mark.parametrize(
    "text",
    ["The answer is not B", "B or C", "Answer: A or B", "I think B is wrong, and so is C.", "Between A and B.", "Answer: C",
     "B might be, but who knows", "Answer: a dog in Paris", "A\nB\nC", "Answer: Be careful"],
)  # fmt: skip
def test_a_letter_that_is_mentioned_does_not(text: str) -> None:
    assert not right(CHOICE, text)


def test_the_word_a_is_no_choice() -> None:
    assert not right(Choice("A", {"A": "x", "B": "y"}), "The answer is a good question")


@pytest.mark.parametrize(
    "text", ["Answer: REFUTES", "refuted.", "The answer is refutes, because it is false.", "**REFUTES**"]
)
def test_a_label_that_is_given_counts(text: str) -> None:
    assert right(REFUTES, text)


@pytest.mark.parametrize(
    "text",
    ["Answer: SUPPORTS", "Answer: not refuted", "Answer: REFUTES or SUPPORTS", "It refutes nothing", "NOT ENOUGH INFO", "refutesque",
     "The evidence refutes the claim, or supports it."],
)  # fmt: skip
def test_a_label_that_is_mentioned_does_not(text: str) -> None:
    assert not right(REFUTES, text)


def test_three_labels_are_three() -> None:
    unknown = Label("NOT ENOUGH INFO", VERDICTS)
    assert right(unknown, "Answer: not enough information")
    assert right(unknown, "Answer: NOT_ENOUGH_INFO")
    assert not right(unknown, "Answer: not supported")
    assert not right(Label("SUPPORTS", VERDICTS), "Answer: not enough info")


def test_true_is_not_untrue() -> None:
    assert right(TRUE, "Answer: True, since every cat is an animal.")
    assert not right(TRUE, "Answer: untrue")
    assert not right(TRUE, "Answer: not true")
    assert not right(TRUE, "Answer: True or False")
    assert not right(TRUE, "It is true that\nFalse")


def test_words_are_matched_as_a_whole() -> None:
    obama = Words(("Barack Obama",))
    assert right(obama, "The answer is Barack Obama.")
    assert right(obama, "barack obama")
    assert not right(obama, "The answer is Obama")
    assert not right(obama, "The answer is Barack Obama and Joe Biden")
    assert obama.credit(Candidate(content="Answer: Obama")) == pytest.approx(2 / 3)
    assert right(Words(("The Beatles",)), "Answer: Beatles")
    assert not right(Words(("yes",)), "Answer: yes and no")
    assert Words(("yes",)).credit(Candidate(content="Answer: yes and no")) == 0.0
    # The same words in another order have full F1 and are no exact match.
    assert not right(Words(("New York",)), "Answer: York New")
    assert right(Words(("first", "1st")), "Answer: 1st")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Answer: (3*5)+7", True),
        ("Answer: $7 + 3 \\times 5 = 22$", True),
        ("\\boxed{5 × 3 + 7}", True),
        ("Answer: 22", False),
        ("Answer: 3*5+7 = 23", False),
        ("Answer: 3*5+7+0", False),
        ("Answer: 3*5+5+2", False),
        ("Answer: 15+7", False),
        ("Answer: 3**5+7", False),
        ("Answer: 7+3*5/(3-3)", False),
        ("Answer: __import__('os').getpid()", False),
        ("3*5+7 was my first idea\nbut no", False),
    ],
)
def test_countdown_uses_each_number_once(text: str, expected: bool) -> None:
    assert right(Expression((3, 5, 7), 22), text) is expected


@pytest.mark.needs("sandbox")
def test_programs_have_to_pass_all_tests() -> None:
    task = Task(prompt="twice", data={"tests": ["assert twice(2) == 4", "assert twice(0) == 0"]})
    scorer = Program(task)
    assert right(scorer, "```python\ndef twice(x):\n    return 2 * x\n```")
    assert not right(scorer, "```python\ndef twice(x):\n    return 4\n```")
    assert not right(scorer, "The function is called twice.")


def test_a_marker_that_hangs_is_an_error_and_no_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    need("math-verify")
    monkeypatch.setattr("outthink.bench.tasks.scorers.formulas.SECONDS", 0.01)
    tower = "(" * 40 + "x" + "+1)^{3}" * 40
    with pytest.raises(VerifierError, match="WorkerTimeout"):
        Formula("x^{7}+2")(Candidate(content=f"\\boxed{{{tower}}}"))
