"""What length and markers of an answer say about its being right, learned from answers to other questions.

Fit and use on different questions: thresholds that were fitted where they are tested look great.

Source: spec 06, selection rule `learned`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from outthink.core.task import Candidate
from outthink.numerics.types import BoolArray
from outthink.train.logistic import fit_logistic
from outthink.verify.features import LearnedFeatures, feature_columns


def fit_features(candidates: Sequence[Candidate], right: BoolArray, *, penalty: float = 1.0) -> LearnedFeatures:
    """The verifier that these answers teach; those whose features are not known are left out.

    Args:
        candidates: with the features "length" and "reasoning", [n]. right: whether each is right, [n].
    Raises `InputError` without both right and wrong ones.
    """
    columns, marks = feature_columns(candidates), np.asarray(right, bool)
    known = ~np.isnan(columns).any(axis=1)
    fitted = fit_logistic(columns[known], marks[known], penalty=penalty)
    length, hedging, thinking, discourse = fitted.weights.tolist()
    return LearnedFeatures(length=length, hedging=hedging, thinking=thinking, discourse=discourse, offset=fitted.offset)
