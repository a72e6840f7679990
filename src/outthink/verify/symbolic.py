"""Answers that are formulas, compared by meaning: `(x+1)^2` and `x^2+2x+1`, `\\frac{\\sqrt 2}{2}` and `1/\\sqrt 2`.

Needs `pip install outthink[math]` (math-verify, which brings sympy). Each answer is read and simplified in a worker process; where that
fails or takes too long, the tidied text stands for the answer, and that is recorded in `SymbolicEquivalence.fallbacks` and logged.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from outthink.core.component import AnswerSettings, Parts
from outthink.core.errors import Failure
from outthink.core.settings import PositiveFloat
from outthink.core.task import Candidate, Task
from outthink.core.verifier import Equivalence
from outthink.verify.extras import require
from outthink.verify.finders import Finder, Usual
from outthink.verify.pool import WorkerPool, workers

_log = logging.getLogger("outthink.verify")
_TEXT = re.compile(r"\\(?:text|mathrm|textbf|mbox)\s*\{([^{}]*)\}")
_LAYOUT = re.compile(r"\\(?:left|right|displaystyle|,|;|!|:|quad|qquad)(?![A-Za-z])|[$]|\\[()\[\]]")
CLOSE = 1e-9
UNREADABLE = "Unreadable"


class Symbolic(AnswerSettings):
    """Formulas with one meaning are equal answers.

    Attributes:
        find: where the formula stands.
        seconds: processor seconds for one answer, and for one comparison of two.
    """

    find: Finder = Usual(otherwise="line")
    seconds: PositiveFloat = 3.0

    def extract(self, text: str) -> str | None:
        place = self.find.find(text)
        return None if place is None else tidy(place) or None

    def build(self, parts: Parts) -> SymbolicEquivalence:
        require("math_verify", extra="math", needed_by="symbolic answers")
        return SymbolicEquivalence(self)


def tidy(answer: str) -> str:
    """An answer's text without layout: no dollar signs, no `\\left`, single spaces, no closing full stop."""
    bare = _TEXT.sub(r"\1", answer)
    bare = _LAYOUT.sub(" ", bare.replace("\\dfrac", "\\frac").replace("\\tfrac", "\\frac"))
    return " ".join(bare.split()).rstrip(". ")


@dataclass
class SymbolicEquivalence(Equivalence):
    """Keys by meaning. Equal keys within one call are equal answers; which spelling represents a class does not depend on order.

    Attributes:
        fallbacks: answers whose text stands for them, and why.
    """

    settings: Symbolic
    pool: WorkerPool | None = None
    fallbacks: dict[str, Failure] = field(default_factory=dict)
    _read: dict[str, dict[str, Any]] = field(default_factory=dict)
    _same: dict[tuple[str, str], bool] = field(default_factory=dict)

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        answers = [tidy(c.answer) if c.answer is not None else "" for c in candidates]
        different = sorted(set(filter(None, answers)))
        read = dict(zip(different, await asyncio.gather(*[self._meaning(answer) for answer in different]), strict=True))
        by_text: dict[str, str] = {}
        for answer in different:
            by_text.setdefault(read[answer]["text"], answer)
        leader = {text: text for text in by_text}
        for one, other in combinations(sorted(by_text), 2):
            if leader[one] != leader[other] and await self._are_same(by_text[one], by_text[other], read):
                least, most = sorted((leader[one], leader[other]))
                leader = {text: least if head == most else head for text, head in leader.items()}
        return [leader[read[answer]["text"]] if answer else None for answer in answers]

    async def _meaning(self, answer: str) -> dict[str, Any]:
        if answer not in self._read:
            pool = self.pool or workers()
            reply = await pool.call("canonical", answer, seconds=self.settings.seconds)
            if reply is None:
                reply = Failure(UNREADABLE, "math-verify cannot read it as mathematics")
            if isinstance(reply, Failure):
                self.fallbacks[answer] = reply
                level = logging.INFO if reply.kind == UNREADABLE else logging.WARNING
                _log.log(level, "The answer %r is compared as text: %s: %s", answer, reply.kind, reply.message)
                reply = {"text": f"text:{answer.casefold()}", "kind": "text", "value": None, "symbols": []}
            self._read[answer] = reply
        return self._read[answer]

    async def _are_same(self, one: str, other: str, read: dict[str, dict[str, Any]]) -> bool:
        if not _could_be_same(read[one], read[other]):
            return False
        pair = (one, other)
        if pair not in self._same:
            reply = await (self.pool or workers()).call("equal", one, other, seconds=self.settings.seconds)
            if isinstance(reply, Failure):
                self.fallbacks[f"{one} = {other}"] = reply
                _log.warning("Could not compare %r with %r: %s: %s", one, other, reply.kind, reply.message)
            self._same[pair] = reply is True
        return self._same[pair]


def _could_be_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Rules out what needs no algebra: different kinds, different variables, or constants whose values differ."""
    if one["kind"] == "text" or (one["kind"], one["symbols"]) != (other["kind"], other["symbols"]):
        return False
    if one["value"] is None or other["value"] is None:
        return one["value"] is None and other["value"] is None
    try:
        left, right = float(one["value"]), float(other["value"])
    except (ValueError, OverflowError):
        return True
    return abs(left - right) <= CLOSE * max(1.0, abs(left), abs(right))
