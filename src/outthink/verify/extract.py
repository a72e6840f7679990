"""Where the answer stands in a finished text: after a marker, in a box, in a JSON object, as a letter.

Plain functions from text to a piece of it, None when there is none; what the piece means is the equivalence's business. The last answer
counts: models think aloud first. All of them run in linear time; patterns of users run elsewhere (`outthink.verify.finders.Pattern`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from outthink.verify.numbers import LONGEST

_EDGES = " \t*_`:=\"'"
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?=\{)|\\boxed\s+")
_MISSING = object()


def boxed(text: str) -> str | None:
    """What stands in the last complete `\\boxed{...}`, with balanced braces. A box that was cut off does not count."""
    for match in reversed(list(_BOX.finditer(text))):
        inside = _braced(text, match.end()) if text[match.end() : match.end() + 1] == "{" else _word(text, match.end())
        if inside:
            return inside
    return None


def after_marker(text: str, markers: Sequence[str]) -> str | None:
    """The rest of the line after the last marker that has one, in any case; the next line where that rest is empty."""
    if not markers:
        return None
    anywhere = re.compile("|".join(re.escape(marker) for marker in markers), re.IGNORECASE)
    for match in reversed(list(anywhere.finditer(text))):
        rest = text[match.end() :].lstrip(_EDGES + "\n\r")
        line = rest.split("\n", 1)[0].strip(_EDGES + "\r")
        if line:
            return line
    return None


def last_json(text: str) -> Any | None:
    """The last complete JSON object in the text, or the whole text where it is JSON; None without one. Numbers come exactly."""
    decoder = json.JSONDecoder(parse_float=_exactly, parse_int=_exactly, parse_constant=_not_json)
    found, at = _MISSING, text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = at + 1
        at = text.find("{", end)
    if found is _MISSING:
        try:
            found = decoder.decode(text.strip())
        except (ValueError, RecursionError):
            return None
    return found


def choice(text: str, letters: str) -> str | None:
    """The last of `letters` that stands as a choice: "(B)", "B.", "**B**", "b" alone. In upper case.

    A letter in brackets wins over one that stands free; small letters count only in brackets or alone, for "a" is a word.
    """
    some = re.escape(letters.upper() + letters.lower())
    whole = text.strip(" \t\r\n.()[]*:")
    if len(whole) == 1 and whole.upper() in letters.upper():
        return whole.upper()
    bracketed = re.findall(rf"[(\[]([{some}])[)\]]", text)
    if bracketed:
        return str(bracketed[-1]).upper()
    free = re.findall(rf"(?<![\w'’])([{re.escape(letters.upper())}])(?![\w'’])(?=[\s).,:;*\]]|$)", text)
    return str(free[-1]) if free else None


def last_line(text: str) -> str | None:
    """The last line that is not empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else None


def _braced(text: str, start: int) -> str | None:
    depth, at = 0, start
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return text[start + 1 : at].strip()
        at += 1
    return None


def _word(text: str, start: int) -> str | None:
    match = re.compile(r"[^\s$.,]+(?:\.\d+)?").match(text, start)
    return match.group() if match else None


def _exactly(number: str) -> Fraction:
    digits, _, power = number.lower().partition("e")
    # A billion as a power of ten would be computed digit by digit.
    if len(digits) > LONGEST or len(power) > 5 or abs(int(power or "0")) > LONGEST:
        raise ValueError("a number too long to be an answer")
    return Fraction(number)


def _not_json(word: str) -> Any:
    raise ValueError(f"{word} is not JSON")
