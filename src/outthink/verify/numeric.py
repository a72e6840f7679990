"""Answers that are numbers, compared exactly: "1,234.50", "$1234.5" and "2469/2" are one answer, 0.333 and 1/3 are two.

The default for word problems and sums. The answer is the number in the last box, else after the last marker ("Answer:", "####"), else the
last number of the text. A text whose marked answer is no plain number (`3\\sqrt{2}`, `x + 1`) abstains.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Literal

from outthink.core.task import Candidate, Task
from outthink.verify.finders import Finder, Usual
from outthink.verify.live_settings import LiveAnswer
from outthink.verify.numbers import canonical, number, numbers_in, plainly

_EQUALS = re.compile(r"[=≈]")
# What may not follow a number that is to be the whole answer: an operation, a root, a power, a variable.
_GOES_ON = re.compile(
    r"\s*(?:[\^!√π]|[*×/]\s*[\w(\\]|[-+]\s*[\d(\\]|\\(?:sqrt|pi|[dt]?frac|left|ln|log|sin|cos|tan|cdot|div)\b)|[A-Za-z]\b"
)


class Numeric(LiveAnswer):
    """Equal numbers are equal answers.

    Attributes:
        find: where the number stands.
        percent: "fraction" reads 50% as 1/2; "number" drops the sign, for questions that ask for a percentage.
    """

    find: Finder = Usual(otherwise="text")
    percent: Literal["fraction", "number"] = "fraction"

    def extract(self, text: str) -> str | None:
        place = self.find.find(text)
        if place is None:
            return None
        value = self._last(place) if place == text else self._only(place)
        return None if value is None else canonical(value)

    async def keys(self, candidates: Sequence[Candidate], task: Task) -> list[Hashable | None]:
        return [self.key(candidate.answer) for candidate in candidates]

    def key(self, answer: str | None) -> str | None:
        """The canonical text of an answer, None for one that is no number."""
        value = None if answer is None else self.value(answer)
        return None if value is None else canonical(value)

    def value(self, answer: str) -> Fraction | None:
        """The exact value of an answer, None for one that is no number."""
        return number(answer, percent_is_fraction=self.percent == "fraction")

    def _last(self, text: str) -> Fraction | None:
        found = list(numbers_in(plainly(text), percent_is_fraction=self.percent == "fraction"))
        return found[-1].value if found else None

    def _only(self, place: str) -> Fraction | None:
        whole = self.value(place)
        if whole is not None:
            return whole
        said = _EQUALS.split(plainly(place))[-1]
        for found in numbers_in(said, percent_is_fraction=self.percent == "fraction"):
            return None if _GOES_ON.match(said, found.end) or _in_formula(said[: found.start]) else found.value
        return None


def _in_formula(before: str) -> bool:
    """Whether a number stands behind an operation or a command, so that it is a part of the answer only."""
    stripped = before.rstrip()
    return (
        stripped.endswith(("^", "*", "×", "/", "√", "+", "("))
        or re.search(r"\\(?:sqrt|[dt]?frac|left)\b[^ ]*$", stripped) is not None
    )
