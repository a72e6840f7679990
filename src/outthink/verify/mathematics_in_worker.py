"""Symbolic mathematics, inside a worker process only: parsing and simplifying can take for ever, or all memory.

`math-verify` reads LaTeX and plain expressions into sympy and decides equality. Its own time limits are off: it uses the alarm signal for
them, and the worker's timers end the whole process anyway.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import math_verify
import sympy

# It warns on every call that its own time limits are off.
logging.getLogger("math_verify").setLevel(logging.ERROR)

_FUNCTIONS = ("sqrt", "sin", "cos", "tan", "log", "ln", "exp", "pi")
_WORD = re.compile(r"(?<!\\)\b[A-Za-z]{2,}\b")
_COMMAND = re.compile(rf"(?<![\\A-Za-z])({'|'.join(_FUNCTIONS)})(?![A-Za-z])")
_ROOT = re.compile(r"(?<![\\A-Za-z])sqrt\s*\(([^()]*)\)")
DIGITS = 30


def read(answer: str) -> list[Any]:
    """What math-verify makes of an answer: a sympy object and its text, or nothing."""
    if "$" in answer or "\\boxed" in answer:
        return list(math_verify.parse(answer, parsing_timeout=None))
    latex = _COMMAND.sub(r"\\\1 ", _ROOT.sub(r"\\sqrt{\1}", answer))
    bare = re.sub(r"\\(?:text|mathrm|operatorname|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+", "", latex)
    if not _WORD.search(bare):
        found = list(math_verify.parse(f"${latex}$", parsing_timeout=None))
        if found:
            return found
    return list(math_verify.parse(answer, parsing_timeout=None))


def canonical(answer: str) -> dict[str, Any] | None:
    """What an answer means: `text`, one spelling; `kind`; `value` where it is a constant; `symbols`. None when it cannot be read."""
    parts = _tuple_parts(answer)
    if parts is not None:
        # math-verify reads (1, 2) as an open interval and (2, 1) as a set; as an answer it is an ordered tuple either way.
        inside = [canonical(part) for part in parts]
        read_all = [part for part in inside if part is not None]
        if len(read_all) < len(inside):
            return None
        text = "Tuple(" + ", ".join(part["text"] for part in read_all) + ")"
        symbols = sorted({symbol for part in read_all for symbol in part["symbols"]})
        return {"text": text, "kind": "tuple", "value": None, "symbols": symbols}
    found = [item for item in read(answer) if isinstance(item, sympy.Basic | sympy.MatrixBase)]
    return _described(found[0]) if found else None


def _described(meaning: Any) -> dict[str, Any]:
    if isinstance(meaning, sympy.Equality) and isinstance(meaning.lhs, sympy.Symbol):
        meaning = meaning.rhs
    if not isinstance(meaning, sympy.Expr):
        symbols = sorted(str(symbol) for symbol in meaning.free_symbols)
        kind = (
            "matrix"
            if isinstance(meaning, sympy.MatrixBase)
            else "set"
            if isinstance(meaning, sympy.Set)
            else "relation"
        )
        return {"text": sympy.srepr(meaning), "kind": kind, "value": None, "symbols": symbols}
    simple, value = sympy.simplify(meaning), None
    if not simple.free_symbols:
        number = sympy.N(simple, DIGITS)
        value = str(number) if number.is_number else None
        simple = sympy.nsimplify(simple, rational=True) if simple.is_Float else simple
    symbols = sorted(str(symbol) for symbol in simple.free_symbols)
    return {"text": sympy.srepr(simple), "kind": "expression", "value": value, "symbols": symbols}


def _tuple_parts(answer: str) -> list[str] | None:
    """The parts of "(a, b, ...)", None for anything else."""
    text = answer.replace("\\left", "").replace("\\right", "").strip(" $")
    if not (text.startswith("(") and text.endswith(")")):
        return None
    parts, depth = [""], 0
    for i, character in enumerate(text[1:-1]):
        depth += (character in "([{") - (character in ")]}")
        if depth < 0:
            return None
        if character == "," and depth == 0 and text[i : i + 1] != "{":
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts] if len(parts) > 1 and all(part.strip() for part in parts) else None


def equal(gold: str, answer: str) -> bool | None:
    """Whether two answers mean the same; None when one of them cannot be read."""
    left, right = read(gold), read(answer)
    if not left or not right:
        return None
    return bool(
        math_verify.verify(left, right, timeout_seconds=None) or math_verify.verify(right, left, timeout_seconds=None)
    )
