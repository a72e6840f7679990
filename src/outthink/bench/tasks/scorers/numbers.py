"""Answers that are numbers.

As GSM8K's strict reading: what is marked as the answer counts, or a last line that is a number and nothing else. `reading = "last"` is the
flexible reading of the common harnesses: without a mark the last number of the text counts, which also finds numbers that were never meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import msgspec

from outthink.bench.tasks.scorers.scorer import Scorer
from outthink.verify.finders import Usual
from outthink.verify.numeric import Numeric

Reading = Literal["marked", "last"]


def numbers_as(reading: Reading) -> Numeric:
    """How numbers are found under a reading; 50% is the number 50."""
    return Numeric(find=Usual(otherwise="number" if reading == "marked" else "text"), percent="number")


def numbers_table(reading: Reading) -> dict[str, Any]:
    """The same as a recipe's `[answer]`."""
    return dict(msgspec.to_builtins(numbers_as(reading)))


@dataclass(frozen=True)
class Number(Scorer):
    """Right where the answer is `gold`, up to `absolute`."""

    gold: Fraction
    absolute: Fraction = Fraction(0)
    reading: Reading = "marked"

    def mark(self, text: str) -> float:
        how = numbers_as(self.reading)
        said = how.extract(text)
        value = None if said is None else how.value(said)
        return float(value is not None and abs(value - self.gold) <= self.absolute)
