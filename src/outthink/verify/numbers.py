"""Numbers as people and models write them, read exactly.

    list(numbers_in("The total is $1,234.50."))[-1].value      # Fraction(2469, 2)
    canonical(Fraction(1, 2)), canonical(Fraction(1, 3))       # "0.5", "1/3"

Read: thousands separators, decimals (a full stop that ends a sentence is no part of the number), signs (a minus after a digit is a
subtraction), fractions and mixed fractions, per cent, scientific notation, currency signs, and the LaTeX spellings of all these.
A number that hangs on a word or a name (H2O, x1) is none. Every pattern runs in linear time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

LONGEST = 1000
"""Digits or powers of ten beyond this are not read: they cost time and are never an answer."""

_MAGNITUDE = r"(?:\d{1,3}(?:,\d{3})+(?![\d])|\d+)(?:\.\d+)?|\.\d+"
_NUMBER = re.compile(
    rf"(?<![A-Za-z0-9_])(?<!\d\.)(?P<sign>[-+](?=[\d.]))?"
    rf"(?:(?P<mixed>\d{{1,9}})[ ]+(?P<over>\d{{1,9}})[ ]?/[ ]?(?P<under>\d{{1,9}})(?![\d.])"
    rf"|(?P<top>{_MAGNITUDE})(?:[eE](?P<power>[-+]?\d+)(?![\w.])|[ ]?(?:\*|x|×)[ ]?10(?:\^|\*\*)\{{?(?P<ten>[-+]?\d+)\}}?)?"
    rf"(?:[ ]?/[ ]?(?P<bottom>{_MAGNITUDE}))?)"
    rf"(?P<percent>[ ]?%)?",
    re.ASCII,
)
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{\s*([^{}]*?)\s*\}\s*\{\s*([^{}]*?)\s*\}|(\d)\s*(\d))")
_SIGNS = str.maketrans({"−": "-", "–": "-", "—": "-", "⁄": "/", "∕": "/", "\u00a0": " ", "\u202f": " "})
_VULGAR = str.maketrans({"½": " 1/2", "⅓": " 1/3", "⅔": " 2/3", "¼": " 1/4", "¾": " 3/4"})
_MONEY = re.compile(r"(?<!\d)\\?[$€£](?=[-+]?[\d.])")


@dataclass(frozen=True)
class Found:
    """A number in a text that `plainly` has normalised: its value, and where it stands."""

    value: Fraction
    start: int
    end: int
    percent: bool = False


def plainly(text: str) -> str:
    """`text` with the typographic and LaTeX spellings of numbers written plainly. Other text stays."""
    text = text.translate(_SIGNS).translate(_VULGAR)
    for spelling, plain in (("{,}", ","), ("\\!", ""), ("\\%", "%"), ("\\times", "×"), ("\\cdot", "*"), ("\\,", " ")):
        text = text.replace(spelling, plain)
    text = _FRACTION.sub(_plain_fraction, text)
    return _MONEY.sub("", text).replace("\\$", " ").replace("$", " ")


def numbers_in(text: str, *, percent_is_fraction: bool = True) -> Iterator[Found]:
    """Every number of a text that `plainly` has normalised, in order."""
    for match in _NUMBER.finditer(text):
        value = _value(match)
        if value is None:
            continue
        start = match.start()
        if match["sign"] and _is_operand(text[:start]):
            # "5 -3" and ") -3": a subtraction.
            value, start = abs(value), start + 1
        per_cent = match["percent"] is not None
        yield Found(value / 100 if per_cent and percent_is_fraction else value, start, match.end(), per_cent)


def number(text: str, *, percent_is_fraction: bool = True) -> Fraction | None:
    """The number that `text` is as a whole, a closing full stop aside; None when it is something else."""
    plain = plainly(text).strip()
    for found in numbers_in(plain, percent_is_fraction=percent_is_fraction):
        if found.start == 0 and plain[found.end :].strip() in ("", "."):
            return found.value
        break
    return None


def canonical(value: Fraction) -> str:
    """One spelling for each value: an integer, a decimal where it ends, a reduced fraction otherwise."""
    if value.denominator == 1:
        return str(value.numerator)
    rest, places = value.denominator, 0
    twos = fives = 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _value(match: re.Match[str]) -> Fraction | None:
    if match.end() - match.start() > LONGEST:
        return None
    if match["mixed"]:
        under = int(match["under"])
        value = Fraction(int(match["mixed"])) + Fraction(int(match["over"]), under) if under else None
    else:
        value = _ratio(match)
    if value is None:
        return None
    return -value if match["sign"] == "-" else value


def _ratio(match: re.Match[str]) -> Fraction | None:
    power = int(match["power"] or match["ten"] or 0)
    if abs(power) > LONGEST:
        return None
    value = _magnitude(match["top"]) * Fraction(10) ** power
    if match["bottom"] is None:
        return value
    bottom = _magnitude(match["bottom"])
    return value / bottom if bottom else None


def _magnitude(text: str) -> Fraction:
    return Fraction(text.replace(",", ""))


def _is_operand(before: str) -> bool:
    return before.rstrip(" ")[-1:] in frozenset("0123456789)]}%")


def _plain_fraction(match: re.Match[str]) -> str:
    top, bottom = (match[1], match[2]) if match[1] is not None else (match[3], match[4])
    before = match.string[: match.start()]
    space = " " if before[-1:].isdigit() else ""
    simple = re.fullmatch(r"[\d.,]+", top) and re.fullmatch(r"[\d.,]+", bottom)
    return f"{space}{top}/{bottom}" if simple else f"{space}({top})/({bottom})"
