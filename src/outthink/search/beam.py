"""Beam search: n beams, of which the best n / width survive each step and are expanded again.

Finished beams leave to the completed list; the search ends when n are complete or nothing is left to expand. It trusts the verifier more
than a particle filter does. If unsure: n = 8, width = 4.

Source: spec 05, beam search (search-and-learn's form). Departures: `outthink.search.step_search`; and completed beams beyond the n-th still
compete.
"""

from __future__ import annotations

from outthink.core.settings import Positive
from outthink.numerics.types import IntArray
from outthink.search.allocation import keep_best
from outthink.search.beams import Beams
from outthink.search.step_search import StepSearch, check_divides


class Beam(StepSearch):
    """Keep the best n / width beams after each step and expand each into `width`.

    Attributes:
        width: children of each surviving beam; divides n.
    """

    width: Positive = 4

    def check(self) -> None:
        check_divides("Beam", self.n, self.width)

    def must_rank(self) -> bool:
        return self.rounds > 1 and self.width > 1

    def children(self, state: Beams) -> IntArray:
        return keep_best(state.active.score, self.n, keep=self.n // self.width)
