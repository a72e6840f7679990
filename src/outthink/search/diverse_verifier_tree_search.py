"""Diverse verifier tree search: n / width independent subtrees, in each of which only the best of `width` candidates goes on.

Where a beam lets one lucky early step crowd out all others, here every subtree keeps its own line to the end: less greedy, better at
large n. A subtree ends when its best candidate is finished; all that it finished in that round compete for the answer. If unsure: n = 16,
width = 4.

Source: spec 05, DVTS (Beeching et al. 2024, search-and-learn). Departures: `outthink.search.step_search`; unfinished candidates of a
subtree's last round are no outputs, since they have no answer.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from outthink.core.settings import Positive
from outthink.numerics.types import BoolArray, IntArray
from outthink.search.allocation import keep_best, of_each
from outthink.search.beams import Beamed, Beams, over_with_the_best
from outthink.search.step_search import StepSearch, check_divides


class DiverseVerifierTreeSearch(StepSearch):
    """Grow n / width subtrees side by side; in each keep the best of `width` candidates after each step.

    Attributes:
        width: candidates of each subtree; divides n.
    """

    width: Positive = 4

    def check(self) -> None:
        check_divides("DiverseVerifierTreeSearch", self.n, self.width)

    def must_rank(self) -> bool:
        return self.rounds > 1 and self.width > 1

    def subtrees(self) -> IntArray:
        return np.arange(self.n) // self.width

    def over(self, beams: Beamed) -> BoolArray:
        return over_with_the_best(beams)

    def children(self, state: Beams) -> IntArray:
        return of_each(partial(keep_best, keep=1), state.active.subtree, state.active.score, self.width)
