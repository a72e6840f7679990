"""Countdown: an expression that uses each number exactly once and comes to the target, or the laboratory's lines.

The expression is read by a grammar of its own (numbers, + - * / and brackets) and computed in fractions; nothing is evaluated as code.
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from outthink.bench.tasks.scorers.scorer import Scorer, place_or_line
from outthink.laboratory.value import solved
from outthink.verify.symbolic import tidy

LONGEST = 300
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})


@dataclass(frozen=True)
class Expression(Scorer):
    """Right where the answer is an expression of exactly these numbers that comes to `target`."""

    numbers: tuple[int, ...]
    target: int

    def mark(self, text: str) -> float:
        place = place_or_line(text)
        if place is None or len(place) > LONGEST:
            return 0.0
        plain = tidy(place).replace("\\times", "*").replace("\\cdot", "*").replace("\\div", "/").translate(_SIGNS)
        left, equals, right = plain.partition("=")
        if equals and right.strip(" .*`") != str(self.target):
            return 0.0
        found = computed(left.strip(" .`"))
        return float(found is not None and found == (Fraction(self.target), Counter(self.numbers)))


@dataclass(frozen=True)
class CountdownLines(Scorer):
    """Right where the text solves a problem of the laboratory, line by line. `question`: the problem as the laboratory writes it."""

    question: str

    def mark(self, text: str) -> float:
        return float(solved(self.question, text))


def computed(expression: str) -> tuple[Fraction, Counter[int]] | None:
    """Value and used numbers of an expression; None for anything else, or a division by zero."""
    try:
        tree = ast.parse(expression, mode="eval").body
        return _value(tree)
    except (SyntaxError, ValueError, RecursionError, MemoryError, ZeroDivisionError):
        return None


def _value(node: ast.expr) -> tuple[Fraction, Counter[int]]:
    match node:
        case ast.Constant(value=int(number)) if not isinstance(number, bool):
            return Fraction(number), Counter([number])
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() as operation, right=right):
            one, used = _value(left)
            other, also = _value(right)
            return _applied(operation, one, other), used + also
        case _:
            raise ValueError("not an expression of numbers and + - * /")


def _applied(operation: ast.operator, one: Fraction, other: Fraction) -> Fraction:
    match operation:
        case ast.Add():
            return one + other
        case ast.Sub():
            return one - other
        case ast.Mult():
            return one * other
        case _:
            return one / other
