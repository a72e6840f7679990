"""Finds the equations that a text works out, and checks each exactly.

    [e.right for e in equations("3 + 5 = 8\\n8 * 2 = 15")]      # [True, False]

An equation is a line's piece `expression = expression (= expression ...)` made of numbers and operations only. What cannot be read with
certainty is not an equation and is never called wrong: variables, an operand hidden behind a word ("apples - 3 = 4"), words that compute
("half of 10 + 2 = 7"), "7 / 2 = 3 remainder 1".

A chain may run on, as people write it: in 1+2=3+4=7 each result is the first operand of the next expression. A decimal result may be the
exact one rounded or cut to the digits written; so may any result after "≈".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from outthink.verify.expressions import Token, Uncomputable, tokens, value

_SPELLINGS = str.maketrans(
    {"−": "-", "–": "-", "—": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "•": "*", "÷": "/", "⁄": "/", "∕": "/"}
)
_LATEX = (
    ("\\times", "*"),
    ("\\cdot", "*"),
    ("\\div", "/"),
    ("\\left", ""),
    ("\\right", ""),
    ("\\approx", "≈"),
    ("\\%", "%"),
)
_LATEX_SPACE = re.compile(r"\\[,;!: ]|\\[()\[\]]|[$€£]")
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]*)\}\{([^{}]*)\}")
_WRAPPED = re.compile(r"\\(?:boxed|text|mathrm|mathbf)\s*\{([^{}]*)\}")
_BOLD = re.compile(r"(?<![\d)*])\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*(?![\d(*])")
_BULLET = re.compile(r"^\s*(?:[-*•]\s+|\(?\d{1,3}[.)]\s+)")
# Words that change what the numbers after them mean, or what the numbers before them mean.
_BEFORE = re.compile(
    r"\b(?:half|twice|double|triple|quarter|third|sqrt|root|square|log|ln|sin|cos|tan|max|min|gcd|lcm|mod|abs)\b[^\d=]{0,20}$",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\s*(?:remainder|rem\b|r\.?\s*\d|mod|R\b|\^|√|or\b)")
LONGEST_LINE = 2000


@dataclass(frozen=True)
class Equation:
    """One equation of a chain.

    Attributes:
        right: whether it holds.
        result: what its right side is worth.
        open: whether nothing follows its last digit, so that in an unfinished text the number may still grow.
    """

    text: str
    right: bool
    result: Fraction
    open: bool = False


def equations(text: str) -> list[Equation]:
    """Every equation in the text, in order."""
    lines = text.split("\n")
    before = [replace(equation, open=False) for line in lines[:-1] for equation in _in_line(line)]
    return [*before, *_in_line(lines[-1])]


@lru_cache(maxsize=8192)
def _in_line(line: str) -> tuple[Equation, ...]:
    """The equations of one line. Lines are remembered: a growing text is read again after every step."""
    if "=" not in line and "≈" not in line and "\\approx" not in line:
        return ()
    if len(line) > LONGEST_LINE:
        return ()
    plain = _plain(line)
    found: list[Equation] = []
    for chain, relations in _chains(tokens(plain), plain):
        found.extend(_checked(chain, relations, plain))
    return tuple(found)


def _plain(line: str) -> str:
    line = line.translate(_SPELLINGS)
    for spelling, plain in _LATEX:
        line = line.replace(spelling, plain)
    for _ in range(3):
        line = _FRACTION.sub(r"((\1)/(\2))", _WRAPPED.sub(r" \1 ", line))
    line = _LATEX_SPACE.sub("", line.replace("{,}", ","))
    return _BULLET.sub("", _BOLD.sub(r"\1", line))


def _chains(all_tokens: Sequence[Token], line: str) -> list[tuple[list[list[Token]], list[Token]]]:
    """Runs of arithmetic with at least one relation: their sides and the relations between them."""
    found: list[tuple[list[list[Token]], list[Token]]] = []
    sides: list[list[Token]] = [[]]
    relations: list[Token] = []

    def close() -> None:
        nonlocal sides, relations
        if relations:
            found.append((sides, relations))
        sides, relations = [[]], []

    for i, token in enumerate(all_tokens):
        side = sides[-1]
        if token.kind == "relation":
            sides.append([])
            relations.append(token)
        elif token.kind in ("word", "other"):
            if not _is_unit(all_tokens, i, line):
                close()
        elif _starts_afresh(side, token):
            close()
            sides[-1].append(token)
        elif token.kind == "left" and side and side[-1].kind in ("number", "right"):
            # 2(3 + 4)
            side.extend((Token("operator", "*", token.start, token.start, True), token))
        else:
            side.append(token)
    close()
    return found


def _is_unit(all_tokens: Sequence[Token], i: int, line: str) -> bool:
    """Whether a word stands between a number and "=", as in "3 + 5 apples = 8": it is then passed over."""
    token, before = all_tokens[i], all_tokens[i - 1] if i else None
    after = all_tokens[i + 1] if i + 1 < len(all_tokens) else None
    return (
        token.kind == "word"
        and before is not None
        and before.kind == "number"
        and after is not None
        and after.kind == "relation"
        and len(token.text) > 1
        and not (_AFTER.match(line, before.end) or _BEFORE.search(token.text))
    )


def _starts_afresh(side: Sequence[Token], token: Token) -> bool:
    """Whether two operands meet without an operation, as in "Step 2 3 + 5 = 8"."""
    operand = bool(side) and side[-1].kind in ("number", "right", "percent", "factorial")
    return operand and (token.kind == "number" or (token.kind == "left" and not token.glued))


def _checked(sides: Sequence[Sequence[Token]], relations: Sequence[Token], line: str) -> list[Equation]:
    values = [_worth(side, line) for side in sides]
    found: list[Equation] = []
    for k, relation in enumerate(relations):
        left, right = values[k], values[k + 1]
        if left is None or right is None or not (_computes(sides[k]) or _computes(sides[k + 1])):
            continue
        written = sides[k + 1]
        last = k + 2 == len(sides)
        if not last and _computes(written) and left != right:
            # A chain that runs on: this result is the first operand of the next expression.
            written = _first_operand(written)
            first = _worth(written, line)
            if first is None:
                continue
            right = first
        if last and _AFTER.match(line, written[-1].end):
            continue
        end = written[-1].end
        holds = _holds(left, right, written, approximate=relation.text == "≈")
        found.append(Equation(line[sides[k][0].start : end], holds, right, open=line[end:] in ("", ".", ",")))
    return found


def _worth(side: Sequence[Token], line: str) -> Fraction | None:
    """A side's value; None where it is not complete or may mean something else."""
    if not side:
        return None
    first, last = side[0], side[-1]
    before = line[: first.start]
    if first.kind == "operator" and not (first.text in "+-" and _may_be_signed(before, side)):
        return None
    if first.kind in ("percent", "factorial", "right") or _BEFORE.search(before):
        return None
    if any(_relative(side, i) for i, token in enumerate(side) if token.kind == "percent"):
        return None
    if re.search(r"[A-Za-z_\\√}\]]$|\d:$", before) or re.match(r"[A-Za-z_](?![A-Za-z])|[\\({√^]", line[last.end :]):
        # Glued to a name or a time: x3, 2x, f(3), 2:30.
        return None
    try:
        return value(side)
    except Uncomputable:
        return None


def _relative(side: Sequence[Token], percent: int) -> bool:
    """Whether a percentage is taken off or put on, as in "100 - 15%": of what, only the writer knows."""
    return percent >= 2 and side[percent - 2].kind == "operator" and side[percent - 2].text in "+-"


def _may_be_signed(before: str, side: Sequence[Token]) -> bool:
    """Whether a leading sign belongs to the number: at the start, or after "=" or punctuation; not after a word or a bracket."""
    stripped = before.rstrip()
    glued = len(side) > 1 and side[1].glued
    return glued and (not stripped or stripped[-1] in "=≈:,;(<>")


def _computes(side: Sequence[Token]) -> bool:
    return any(t.kind in ("operator", "factorial", "percent") for t in side[1:])


def _first_operand(side: Sequence[Token]) -> Sequence[Token]:
    if side[0].kind == "operator":
        return side[:2]
    if side[0].kind != "left":
        return side[:1]
    depth = 0
    for i, token in enumerate(side):
        depth += (token.kind == "left") - (token.kind == "right")
        if depth == 0:
            return side[: i + 1]
    return side


def _holds(left: Fraction, right: Fraction, written: Sequence[Token], *, approximate: bool) -> bool:
    if left == right:
        return True
    if written[-1].kind == "percent" and len(written) == 2 and left == right * 100:
        # "10 / 50 * 100 = 20%": the sign names the unit.
        return True
    numbers = [t for t in written if t.kind == "number"]
    if _computes(written) or len(numbers) != 1:
        return False
    places = len(numbers[0].text.partition(".")[2])
    if not places and not approximate:
        return False
    unit = Fraction(1, 10**places)
    return abs(left - right) <= unit / 2 or (abs(left - right) < unit and abs(right) <= abs(left) and left * right >= 0)
