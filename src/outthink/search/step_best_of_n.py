"""Step-level best-of-n: n candidates for the next step, of which the best is appended; until it is finished.

The greediest of the family: one line, nothing taken back. It is diverse verifier tree search with one subtree. If unsure, take that one.

Source: spec 05, step-level best-of-n ("greedy" in the code of the benchmark). Departs from that code: candidates are not searched for
markers of a new question, which is the business of the process and its stop strings; at the last of `rounds` steps the line is finished.
"""

from __future__ import annotations

from outthink.core.settings import Positive
from outthink.numerics.types import BoolArray, IntArray
from outthink.search.allocation import keep_best
from outthink.search.beams import Beamed, Beams, over_with_the_best
from outthink.search.step_search import StepSearch


class StepBestOfN(StepSearch):
    """Draw n candidates for each step and go on from the best one."""

    rounds: Positive = 21

    def must_rank(self) -> bool:
        return self.rounds > 1 and self.n > 1

    def over(self, beams: Beamed) -> BoolArray:
        return over_with_the_best(beams)

    def children(self, state: Beams) -> IntArray:
        return keep_best(state.active.score, self.n, keep=1)
