"""Arithmetic expressions as models write them, cut into tokens and computed exactly.

    value(tokens("12 × (3 + 4)"))      # Fraction(84)

No variable, no function, no `eval`: numbers, + - * / x × ÷ · ^ !, per cent and brackets. What is too large to be worth computing, and
division by zero, has no value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

_TOKEN = re.compile(
    r"(?P<number>(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?|\.\d+)"
    r"|(?P<relation>==|=|≈)(?![=>])"
    r"|(?P<operator>\*\*|[-+*/^])"
    r"|(?P<left>\()|(?P<right>\))"
    r"|(?P<percent>%)|(?P<factorial>!(?!=))"
    r"|(?P<space>[ \t]+)"
    r"|(?P<word>[A-Za-z_\\√π|<>{}\[\]°′'\"&#@~][A-Za-z_\\]*)"
    r"|(?P<other>.)",
    re.ASCII,
)
_OPERATORS = {"**": "^"}
MOST_DIGITS = 40
MOST_EXPONENT = 64
MOST_FACTORIAL = 30


@dataclass(frozen=True)
class Token:
    """One piece: `kind` is a group of the pattern above. `glued`: no white space before it."""

    kind: str
    text: str
    start: int
    end: int
    glued: bool


class Uncomputable(Exception):
    """The tokens are no complete expression, or one without a value worth computing."""


def tokens(line: str) -> list[Token]:
    """The tokens of one line, white space left out. `x` between two operands is a multiplication."""
    found: list[Token] = []
    glued = True
    for match in _TOKEN.finditer(line):
        kind = match.lastgroup or "other"
        if kind == "space":
            glued = False
            continue
        text = match.group()
        if kind == "word" and text in ("x", "X") and _multiplies(found, line[match.end() :]):
            kind, text = "operator", "*"
        found.append(Token(kind, _OPERATORS.get(text, text), match.start(), match.end(), glued))
        glued = True
    return found


def value(side: Sequence[Token]) -> Fraction:
    """The exact value of an expression. Raises `Uncomputable`."""
    reader = _Reader(side)
    result = reader.total()
    if reader.at != len(side):
        raise Uncomputable
    return result


@dataclass
class _Reader:
    """Recursive descent: sums of products of signed powers."""

    side: Sequence[Token]
    at: int = 0
    depth: int = 0

    def total(self) -> Fraction:
        result = self.product()
        while (sign := self._next("+", "-")) is not None:
            term = self.product()
            result = result + term if sign == "+" else result - term
        return result

    def product(self) -> Fraction:
        result = self.signed()
        while (sign := self._next("*", "/")) is not None:
            factor = self.signed()
            if sign == "/" and factor == 0:
                raise Uncomputable
            result = _sized(result * factor if sign == "*" else result / factor)
        return result

    def signed(self) -> Fraction:
        if (sign := self._next("+", "-")) is not None:
            self._deeper()
            inside = self.signed()
            return -inside if sign == "-" else inside
        return self.power()

    def power(self) -> Fraction:
        base = self.atom()
        if self._next("^") is None:
            return base
        self._deeper()
        exponent = self.signed()
        if exponent.denominator != 1 or abs(exponent) > MOST_EXPONENT or (base == 0 and exponent < 0):
            raise Uncomputable
        return _sized(base ** int(exponent))

    def atom(self) -> Fraction:
        token = self._here()
        if token is None:
            raise Uncomputable
        self.at += 1
        if token.kind == "left":
            self._deeper()
            result = self.total()
            closing = self._here()
            if closing is None or closing.kind != "right":
                raise Uncomputable
            self.at += 1
        elif token.kind == "number":
            result = _sized(Fraction(token.text.replace(",", "")))
        else:
            raise Uncomputable
        return self._after(result)

    def _after(self, result: Fraction) -> Fraction:
        while (token := self._here()) is not None and token.kind in ("percent", "factorial"):
            self.at += 1
            if token.kind == "percent":
                result = result / 100
            elif result.denominator == 1 and 0 <= result <= MOST_FACTORIAL:
                result = Fraction(math.factorial(int(result)))
            else:
                raise Uncomputable
        return result

    def _here(self) -> Token | None:
        return self.side[self.at] if self.at < len(self.side) else None

    def _next(self, *signs: str) -> str | None:
        token = self._here()
        if token is None or token.kind != "operator" or token.text not in signs:
            return None
        self.at += 1
        return token.text

    def _deeper(self) -> None:
        self.depth += 1
        if self.depth > 100:
            raise Uncomputable


def _multiplies(before: Sequence[Token], after: str) -> bool:
    return (
        bool(before)
        and before[-1].kind in ("number", "right", "percent")
        and re.match(r"[ \t]*[\d(.]", after) is not None
    )


def _sized(number: Fraction) -> Fraction:
    if max(abs(number.numerator), number.denominator).bit_length() > MOST_DIGITS * 10 / 3:
        raise Uncomputable
    return number
