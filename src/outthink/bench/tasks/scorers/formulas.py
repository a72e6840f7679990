"""Answers that are mathematics, compared by meaning with the library math-verify, in a worker that is stopped when it takes too long.

Only a box, what follows a marker, or a last line that is a number counts. What math-verify cannot read is compared as tidied text.
"""

from __future__ import annotations

from dataclasses import dataclass

from outthink.bench.tasks.scorers.scorer import Scorer, known
from outthink.verify.finders import Usual
from outthink.verify.pool import workers
from outthink.verify.symbolic import tidy

FIND = Usual(otherwise="number")
SECONDS = 5.0


@dataclass(frozen=True)
class Formula(Scorer):
    """Right where the answer means the same as `gold`, LaTeX or plain."""

    gold: str

    def mark(self, text: str) -> float:
        place = FIND.find(text)
        if place is None:
            return 0.0
        said, gold = tidy(place), tidy(self.gold)
        if said.replace(" ", "").casefold() == gold.replace(" ", "").casefold():
            return 1.0
        reply = known(
            workers().call_and_wait("equal", self.gold, place, seconds=SECONDS), "Two formulas were not compared"
        )
        return float(bool(reply))
