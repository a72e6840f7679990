"""Formulas by meaning."""

from __future__ import annotations

import logging

import pytest

from outthink.core import Candidate, Incompatible, Parts, Task
from outthink.verify import Symbolic, SymbolicEquivalence, extras

CLASSES = [
    ("(x+1)^2", "x^2+2x+1", "x^2 + 2 x + 1."),
    ("\\frac{\\sqrt{2}}{2}", "1/\\sqrt{2}", "\\dfrac{1}{\\sqrt 2}"),
    ("0.5", "\\frac12", "\\frac{1}{2}", "50\\%"),
    ("x=5", "5", "\\left(5\\right)"),
    ("(1,2)",),
    ("(2,1)",),
    ("(0.5, 2)", "\\left(\\frac12, 2\\right)"),
    ("\\{1,2\\}", "\\{2,1\\}"),
    ("[1,2]",),
    ("2\\sqrt{3}", "2 sqrt(3)"),
    ("2^{x+1}", "2\\cdot 2^x"),
    ("\\sin^2 x+\\cos^2 x", "1"),
    ("1/3",),
    ("0.333",),
    ("\\pi/2",),
    ("x>3",),
    ("\\begin{pmatrix}1\\\\2\\end{pmatrix}",),
    ("\\text{East}", "east"),
    ("west",),
]


@pytest.fixture(scope="module")
def equivalence() -> SymbolicEquivalence:
    return Symbolic().build(Parts())


async def test_equal_formulas_are_equal_answers_and_others_are_not(equivalence: SymbolicEquivalence) -> None:
    answers = [(answer, i) for i, same in enumerate(CLASSES) for answer in same]
    keys = await equivalence.keys([Candidate(content="", answer=answer) for answer, _ in answers], Task())
    assert None not in keys
    by_class = {i: {key for key, (_, j) in zip(keys, answers, strict=True) if i == j} for i in range(len(CLASSES))}
    assert all(len(found) == 1 for found in by_class.values()), by_class
    assert len({key for found in by_class.values() for key in found}) == len(CLASSES)


async def test_what_takes_too_long_is_compared_as_text_and_recorded(caplog: pytest.LogCaptureFixture) -> None:
    equivalence = Symbolic(seconds=0.5).build(Parts())
    tower = "10^{10^{10^{10}}}"
    with caplog.at_level(logging.WARNING, "outthink.verify"):
        keys = await equivalence.keys([Candidate(content="", answer=tower)] * 2, Task())
    assert keys == [f"text:{tower}"] * 2
    assert equivalence.fallbacks[tower].kind == "WorkerTimeout"
    assert "compared as text" in caplog.text


def test_extraction() -> None:
    kind = Symbolic()
    assert kind.extract("so $\\boxed{\\dfrac{1}{2}}$") == "\\frac{1}{2}"
    assert kind.extract("Answer: $x^2$.") == "x^2"
    assert kind.extract("First.\nThen $y = 3$") == "Then y = 3"
    assert kind.extract("") is None


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(Incompatible, match=r"pip install 'outthink\[math\]'"):
        Symbolic().build(Parts())
