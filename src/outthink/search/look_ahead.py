"""Look-ahead: before a resampling each member takes a provisional step, and counts for as much as it would after it.

Reduces myopia by one step, at the price of one more step and one more score for each unfinished member at each resampling. The provisional
step is dropped and every child advances afresh, so that copies of one parent go different ways; or (`reuse`) the first copy of each parent
keeps it, which is cheaper, but then a step was selected for its score and the weights are no longer exact.

Source: spec 02, look-ahead modulation (our reading of it: an auxiliary particle filter, Pitt and Shephard 1999).
"""

# Notation: l_i -> first-stage log-weight = log w_i + lambda (log w_i after the provisional step - log w_i). With `difference` the future
# value replaces the present one; with `incremental` the next reward is added. A finished member stays as it is.

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outthink.core.run import Moved
from outthink.core.settings import Fraction, Settings
from outthink.numerics.types import BoolArray, FloatArray
from outthink.search.members import Members

DISMISSED = 7.0
"""Nats below the lowest of the others at which a member counts whose provisional step was rejected: it may do better the next time."""


class LookAhead(Settings):
    """How members look ahead.

    Attributes:
        strength: lambda, how much the provisional step counts; 0 pays for it and changes nothing.
        reuse: the first copy of each parent keeps the provisional step instead of drawing another.
    """

    strength: Fraction = 1.0
    reuse: bool = False


@dataclass(frozen=True)
class Ahead(Members):
    """The population as it would be after a provisional step.

    Attributes:
        log_gain: what the step would add to the log-weight, [n] nats; 0 for members without weight.
        looked: members that took one, [n]; the others stand as they are.
    """

    log_gain: FloatArray
    looked: BoolArray

    @classmethod
    def of(cls, before: Members, after: Members, moved: Moved) -> Ahead:
        """Members that failed on the way stand as they were: a failed look is no failed member."""
        n = len(before)
        lost = after.batch.failed & ~before.batch.failed
        m = after.join(before).take(np.arange(n) + np.where(lost, n, 0))
        weighty = np.isfinite(before.log_w)
        gain = np.where(weighty, m.log_w - np.where(weighty, before.log_w, 0.0), 0.0)
        return cls(m.batch, m.log_w, m.log_twist, m.memory, m.score, gain, moved.moved & ~lost)


def first_stage(log_w: FloatArray, ahead: Ahead, strength: float) -> FloatArray:
    """Log-weights to draw ancestors by, [n] nats; finite wherever `log_w` is, so that any of them may still be drawn."""
    alive = np.isfinite(ahead.log_gain)
    lowest = float(ahead.log_gain[alive].min()) if alive.any() else 0.0
    return log_w + strength * np.where(alive, ahead.log_gain, lowest - DISMISSED)


def first_copies(children: Members, ahead: Ahead) -> BoolArray:
    """For `reuse`: which children keep the provisional step, [n]: the first of each parent that took one. `ahead` as the children."""
    _, first = np.unique(children.batch.id, return_index=True)
    keeps = np.zeros(len(children), bool)
    keeps[first] = True
    return keeps & ahead.looked
