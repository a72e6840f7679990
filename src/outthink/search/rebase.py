"""REBASE: children in proportion to exp(score / balance_temperature), so that good members branch much and poor ones little or not at all.

Between a beam (the best take all) and independent samples (everyone goes on): the temperature says where. Each finished member lowers
the width that is left by one, for good, so n answers come out in the end. If unsure: n = 16, and `select = "weighted"`.

Source: spec 05, REBASE (Wu et al. 2024, arXiv 2408.00724). Departures: `outthink.search.allocation` and `outthink.search.step_search`;
after `rounds` steps members are finished, not dropped; the cap on tokens is the process's own, on whole texts.
"""

from __future__ import annotations

from outthink.core.settings import Positive, PositiveFloat
from outthink.numerics.types import IntArray
from outthink.search.allocation import softmax_shares
from outthink.search.beams import Beams
from outthink.search.step_search import StepSearch


class Rebase(StepSearch):
    """Share the width that is left among the unfinished members by a softmax of their scores, after each step.

    Attributes:
        balance_temperature: in units of the score; low gives all to the best, high spreads evenly.
    """

    n: Positive = 16
    rounds: Positive = 25
    balance_temperature: PositiveFloat = 0.2

    def children(self, state: Beams) -> IntArray:
        width = self.n - len(state.complete)
        return softmax_shares(state.active.score, width, temperature=self.balance_temperature)
