"""Which answers are the same: numbers, words, JSON."""

from __future__ import annotations

from typing import Any

import pytest

from outthink.core import AnswerSettings, Candidate, Parts, SettingsError, Task
from outthink.testing.contracts import EquivalenceContract
from outthink.verify import Boxed, JsonFields, Numeric, Plain, Symbolic, WholeText


def answered(*answers: str | None) -> list[Candidate]:
    return [Candidate(content="...", answer=answer) for answer in answers]


class Kind(EquivalenceContract):
    """What all kinds must keep."""

    settings: AnswerSettings
    answers: tuple[str | None, ...]

    @pytest.fixture
    def equivalence(self) -> Any:
        return self.settings.build(Parts())

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return answered(*self.answers)


class TestNumericContract(Kind):
    settings, answers = Numeric(), ("0.5", "1/2", None, "3", "x")


class TestPlainContract(Kind):
    settings, answers = Plain(), ("Yes", " yes.", None, "no")


class TestJsonContract(Kind):
    settings, answers = JsonFields(), ('{"a": 1}', '{"a":1.0}', None, "{}")


class TestSymbolicContract(Kind):
    settings, answers = Symbolic(), ("x+1", "1+x", None, "0.5", "\\frac{1}{2}", "yes", "Yes")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: 42", "42"),
        ("The answer is 3.14.", "3.14"),
        ("so \\boxed{1,234}", "1234"),
        ("\\boxed{\\frac{1}{3}}", "1/3"),
        ("\\boxed{5\\text{ cm}}", "5"),
        ("\\boxed{50\\%}", "0.5"),
        ("#### 12 eggs", "12"),
        ("Answer: 3 + 4 = 7 apples", "7"),
        ("Answer: x = 5", "5"),
        ("Answer: $5$", "5"),
        ("Answer:\n\n**42**", "42"),
        ("Answer: about 22/7 ≈ 3.14", "3.14"),
        ("I have 3 apples and 5 pears.", "5"),
        ("answer is 5 because 3+2", "5"),
        ("1 = 1.000", "1"),
        ("The temperature fell to -7 degrees", "-7"),
        ("12 - 5", "5"),
        ("\\boxed{3\\sqrt{2}}", None),
        ("Answer: 5x", None),
        ("Answer: 2^{10}", None),
        ("Answer: 3 + 4", None),
        ("Answer: none", None),
        ("no number", None),
        ("", None),
    ],
)
def test_numbers_are_found(text: str, answer: str | None) -> None:
    numeric = Numeric()
    assert numeric.extract(text) == answer
    if answer is not None:
        assert numeric.key(answer) == answer, "an extracted answer stays as it is"


def test_numbers_as_told() -> None:
    assert Numeric(find=Boxed()).extract("Answer: 4") is None
    assert Numeric(percent="number").extract("Answer: 50%") == "50"


@pytest.mark.parametrize(
    "same",
    [
        ("1,234.50", "$1234.5", "2469/2"),
        ("0.5", "1/2", "50%", ".5", "½"),
        ("-0", "0", "0.00"),
        ("1e3", "1,000", "1000."),
    ],
)
async def test_equal_numbers_have_equal_keys(same: tuple[str, ...]) -> None:
    keys = await Numeric().keys(answered(*same), Task())
    assert len(set(keys)) == 1
    assert keys[0] is not None


async def test_unequal_numbers_have_unequal_keys() -> None:
    keys = await Numeric().keys(answered("1/3", "0.333", "0.3333", "-1/3", "3"), Task())
    assert len(set(keys)) == 5


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is Paris.", "paris"),
        ("  New\n York ", "new york"),
        ("Answer: **Yes!**", "yes"),
        ("...", None),
        ("", None),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
    ],
)
def test_words(text: str, answer: str | None) -> None:
    assert Plain().extract(text) == answer


def test_choices() -> None:
    kind = Plain(choices="ABCD")
    assert kind.extract("I think A is wrong, so the answer is (C).") == "C"
    assert kind.extract("The answer is probably nothing") is None
    assert kind.extract("b") == "B"
    for wrong in ("AA", "A1"):
        with pytest.raises(SettingsError, match="different letters"):
            Plain(choices=wrong)


def test_json_fields() -> None:
    text = 'Sure: {"size": {"width": 2.0, "x": 1}, "name": "box", "note": "..."}'
    assert JsonFields(fields=("name", "size.width")).extract(text) == '{"name":"box","size":{"width":2}}'
    assert JsonFields(fields=("name", "gone")).extract(text) is None
    assert JsonFields(fields=("size.gone",)).extract(text) is None
    assert JsonFields().extract("no document") is None
    assert JsonFields().extract('{"b": [1, true, null, "é"], "a": -0.50}') == '{"a":-0.5,"b":[1,true,null,"é"]}'


async def test_json_answers_are_equal_field_by_field() -> None:
    kind = JsonFields(fields=("a",))
    texts = ['{"a": 1, "b": 2}', '{"b": 3, "a": 1.0}', '{"a": "1"}', '{"a": true}', '{"b": 1}']
    answers = [kind.extract(text) for text in texts]
    keys = await kind.keys(answered(*answers), Task())
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    assert keys[4] is None


def test_answers_are_settings() -> None:
    assert Numeric(find=WholeText()).build(Parts()) == Numeric(find=WholeText())
    with pytest.raises(SettingsError):
        Numeric(find="boxed")  # type: ignore[arg-type]
