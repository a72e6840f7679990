"""What revising does to accuracy: a chain of two states, right and wrong.

A revision mends a wrong answer with probability a and breaks a right one with probability b. The s-th version is right with
probability p_s = pi + (p_1 - pi) (1 - a - b)^(s - 1), pi = a / (a + b): in the end only the reviser's behaviour matters, not how good the
first answer was. Where pi is below p_1, revising harms, however often the reviser is heard to improve something.

    rates = revision_rates(right)          # right: [chains, versions]
    rates.harms(first=0.6)

Source: spec 06, sequential revision, trap "reviser breaks right answers".
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from outthink.numerics.types import BoolArray


class RevisionRates(NamedTuple):
    """How a reviser behaves; nan where it was never seen in that situation.

    Attributes:
        mends: share of wrong answers that a revision made right.
        breaks: share of right answers that a revision made wrong.
    """

    mends: float
    breaks: float

    @property
    def limit(self) -> float:
        """Accuracy after very many revisions, mends / (mends + breaks); nan for a reviser that changes nothing."""
        total = self.mends + self.breaks
        return self.mends / total if total > 0.0 else math.nan

    def accuracy(self, first: float, versions: int) -> float:
        """Probability that version number `versions` is right, the first being version 1 and right with probability `first`."""
        stays = 1.0 - self.mends - self.breaks
        return first if math.isnan(self.limit) else self.limit + (first - self.limit) * stays ** (versions - 1)

    def harms(self, first: float) -> bool:
        """Whether revising leads below the accuracy of the first answers."""
        return self.limit < first


def revision_rates(right: BoolArray) -> RevisionRates:
    """The reviser's rates over all revisions seen; `right` [chains, versions], whether each version of each chain is right.

    Raises ValueError: not two dimensions.
    """
    marks = np.asarray(right, bool)
    if marks.ndim != 2:
        raise ValueError(f"right has shape {marks.shape}, expected [chains, versions].")
    before, after = marks[:, :-1], marks[:, 1:]
    wrong, good = int((~before).sum()), int(before.sum())
    return RevisionRates(
        float((~before & after).sum()) / wrong if wrong else math.nan,
        float((before & ~after).sum()) / good if good else math.nan,
    )
