"""Numbers as people and models write them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outthink.verify.numbers import LONGEST, canonical, number, numbers_in, plainly


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3.14.", ["157/50"]),
        ("It is 42.", ["42"]),
        ("1,234", ["1234"]),
        ("$1,234.50", ["2469/2"]),
        ("12,345,678.9", ["123456789/10"]),
        ("1,23", ["1", "23"]),
        ("1, 2, 3", ["1", "2", "3"]),
        ("-5", ["-5"]),
        ("−7", ["-7"]),
        ("-$5", ["-5"]),
        ("5-3", ["5", "3"]),
        ("5 -3", ["5", "3"]),
        ("is -3", ["-3"]),
        ("(-3)", ["-3"]),
        ("10–15", ["10", "15"]),
        ("1/2", ["1/2"]),
        ("-1/2", ["-1/2"]),
        ("1 1/2", ["3/2"]),
        ("½", ["1/2"]),
        ("\\frac{3}{4}", ["3/4"]),
        ("1\\frac{1}{2}", ["3/2"]),
        ("-\\frac12", ["-1/2"]),
        ("50%", ["1/2"]),
        ("12.5\\%", ["1/8"]),
        ("1e3", ["1000"]),
        ("6.022e23", ["602200000000000000000000"]),
        ("2 × 10^5", ["200000"]),
        ("2 \\times 10^{-3}", ["1/500"]),
        ("1{,}000", ["1000"]),
        ("$3$$4$", ["3", "4"]),
        (".5", ["1/2"]),
        ("007", ["7"]),
        ("H2O and x1", []),
        ("5 kg, 10th, 7x", ["5", "10", "7"]),
        ("10/0", []),
        ("1e99999", []),
        ("1e" + "9" * 12, []),
        ("9" * 2000, []),
        ("no number", []),
        ("", []),
    ],
)
def test_numbers_are_read_as_they_are_meant(text: str, values: list[str]) -> None:
    assert [str(found.value) for found in numbers_in(plainly(text))] == values


def test_per_cent_may_be_a_plain_number() -> None:
    assert number("50%") == Fraction(1, 2)
    assert number("50%", percent_is_fraction=False) == 50


@pytest.mark.parametrize("text", ["3 apples", "3 4", "", "x", "3 = 3", "(3)"])
def test_what_is_more_than_a_number_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("3", "3"),
        ("-4", "-4"),
        ("1/2", "0.5"),
        ("-1/8", "-0.125"),
        ("1/3", "1/3"),
        ("-7/6", "-7/6"),
        ("0", "0"),
        ("1/100", "0.01"),
        ("12345/100", "123.45"),
    ],
)
def test_one_spelling_for_each_value(value: str, text: str) -> None:
    assert canonical(Fraction(value)) == text


@given(st.fractions(min_value=-(10**12), max_value=10**12, max_denominator=10**9))
def test_the_spelling_is_read_back_exactly(value: Fraction) -> None:
    assert number(canonical(value)) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=4))
def test_decimals_with_separators_are_read_exactly(value: object) -> None:
    assert number(f"{value:,}") == Fraction(str(value))


@given(st.text(alphabet="0123456789.,-+/%eE$x×^{}\\frac ", max_size=40))
def test_anything_is_read_without_an_error(text: str) -> None:
    for found in numbers_in(plainly(text)):
        spelled = canonical(found.value)
        assert number(spelled) == found.value or len(spelled) > LONGEST
