"""Where the answer stands in a text."""

from __future__ import annotations

import logging
from fractions import Fraction

import pytest

from outthink.core import SettingsError
from outthink.verify import Boxed, Marked, Pattern, Usual, WholeText
from outthink.verify.extract import after_marker, boxed, choice, last_json, last_line


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("so \\boxed{42}.", "42"),
        ("\\boxed{1} or \\boxed{2}", "2"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("\\boxed{a_{b_{c}}}$", "a_{b_{c}}"),
        ("\\fbox{7}", "7"),
        ("\\boxed {7}", "7"),
        ("\\boxed 7.", "7"),
        ("\\boxed{1} and \\boxed{2", "1"),
        ("\\boxed{}", None),
        ("no box", None),
    ],
)
def test_the_last_complete_box(text: str, found: str | None) -> None:
    assert boxed(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Answer: 42", "42"),
        ("answer:42", "42"),
        ("**Answer:** 42", "42"),
        ("#### 1,000", "1,000"),
        ("The final answer is: Paris.\nBye", "Paris."),
        ("Answer: 1\nAnswer: 2", "2"),
        ("Answer:\n\n  42\nmore", "42"),
        ("Answer: 5. Answer:", "5. Answer"),
        ("Answer: 5\nAnswer:", "5"),
        ("ANSWER IS `x`", "x"),
        ("nothing", None),
        ("Answer:", None),
    ],
)
def test_what_follows_the_last_marker(text: str, found: str | None) -> None:
    assert after_marker(text, ("####", "answer is", "answer:")) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(B)", "B"),
        ("b", "B"),
        ("B.", "B"),
        ("**C**", "C"),
        ("The answer is D because a is wrong", "D"),
        ("A or B? I say (C), not D", "C"),
        ("a dog", None),
        ("A. first B. second", "B"),
        ("F", None),
        ("Because", None),
        ("I'd say E", "E"),
    ],
)
def test_a_letter_that_is_a_choice(text: str, found: str | None) -> None:
    assert choice(text, "ABCDE") == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": Fraction(1)}),
        ('first {"a": 1} then {"a": {"b": 2.50}} end', {"a": {"b": Fraction(5, 2)}}),
        ('```json\n{"a": [1, "}"]}\n```', {"a": [Fraction(1), "}"]}),
        ('{"a": 1} {"b": ', {"a": Fraction(1)}),
        ("[1, 2]", [Fraction(1), Fraction(2)]),
        ('{"a": NaN}', None),
        ('{"a": 1e999999999}', None),
        ("{" * 5000, None),
        ('{"a":' * 3000 + "1" + "}" * 3000, None),
        ("none", None),
    ],
)
def test_the_last_json_document(text: str, found: object) -> None:
    document = last_json(text)
    if text.startswith('{"a":' * 3):
        assert document is not None  # nested deeper than we read: an inner object is what is left
    else:
        assert document == found


def test_the_last_line() -> None:
    assert last_line("a\n b \n\n") == "b"
    assert last_line(" \n") is None


def test_finders() -> None:
    text = "We get \\boxed{1}.\nAnswer: 2\nlast 3"
    assert Usual().find(text) == "1"
    assert Usual(box=False).find(text) == "2"
    assert Usual(box=False, markers=(), otherwise="line").find(text) == "last 3"
    assert Usual(box=False, markers=()).find(text) == text
    assert Usual(otherwise="nothing").find("plain") is None
    assert Marked(markers=("get",)).find(text) == "\\boxed{1}."
    assert Boxed().find("plain") is None
    assert WholeText().find(text) == text
    assert WholeText().find("  ") is None


def test_patterns_take_the_group_of_the_last_match() -> None:
    assert Pattern(pattern=r"x=(\d)").find("x=1 x=2") == "2"
    assert Pattern(pattern=r"x=(?P<n>\d)", group="n").find("x=1") == "1"
    assert Pattern(pattern=r"x=\d", group=0).find("x=1") == "x=1"
    assert Pattern(pattern=r"y(.)").find("x=1") is None


def test_a_pattern_that_hangs_finds_nothing_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "outthink.verify"):
        assert Pattern(pattern=r"(a+)+$", seconds=0.3).find("a" * 40 + "b") is None
    assert "WorkerTimeout" in caplog.text


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pattern": "("}, "cannot be read"),
        ({"pattern": "a"}, "no such group"),
        ({"pattern": "(a)", "group": "n"}, "no such group"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused(settings: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Pattern(**settings)  # type: ignore[arg-type]
