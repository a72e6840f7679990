"""Which of the members under way go on: at checkpoints only the best share of those still running, for any method with a prefix score.

    Pruning(at=(64, 128), keep=0.25)

Finished members are never pruned and compete at the end. With one checkpoint at t of L steps it costs (t + keep (L - t)) / L of the whole.
A checkpoint before there is any signal prunes at random: choose the first one from how well the scores tell winners at that length.

Source: spec 07, early pruning (arXiv 2410.02725); Jamieson and Talwalkar 2016 for successive halving.
"""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from msgspec import Meta

from outthink.core.errors import SettingsError, explain
from outthink.core.settings import Positive, Settings
from outthink.numerics.types import BoolArray, FloatArray

ROUNDING = 1e-9


class Pruning(Settings):
    """Keep the best share of the running members at each checkpoint.

    Attributes:
        at: checkpoints, in steps of the process from a member's start, ascending.
        keep: the share of those still running that goes on, rounded up, so that one always does.
    """

    at: Annotated[tuple[Positive, ...], Meta(min_length=1)] = (1,)
    keep: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.25

    def check(self) -> None:
        if any(later <= earlier for earlier, later in zip(self.at, self.at[1:], strict=False)):
            raise SettingsError(
                explain(
                    "Checkpoints must come one after the other.",
                    got=self.at,
                    expected="numbers of steps that rise",
                    remedy="For example at = [2, 4, 8].",
                )
            )

    @property
    def stretches(self) -> tuple[int, ...]:
        """Steps from each checkpoint to the next, the first from the start."""
        return tuple(b - a for a, b in zip((0, *self.at), self.at, strict=False))

    def count(self, running: int) -> int:
        """How many of `running` members go on."""
        # keep * running may round up past a whole number: 0.1 * 30 is a little more than 3.
        return max(1, math.ceil(self.keep * running - ROUNDING)) if running else 0

    def survivors(self, score: FloatArray, running: BoolArray) -> BoolArray:
        """Who is left, [n]: everyone who is not running, and the best of those who are; ties to the earlier one, no score last."""
        at = np.flatnonzero(running)
        order = at[np.argsort(-np.where(np.isnan(score[at]), -np.inf, score[at]), kind="stable")]
        kept = ~running
        kept[order[: self.count(len(at))]] = True
        return kept
