"""Labels for training a self-evaluation: of two attempts at one question, did this one win or tie?

A head or an adapter that predicts these labels learns the percentile of an answer among the model's own answers to the same question.
Labels of right against wrong, or of a score over a fixed bar, teach how hard the question is instead.

Source: spec 07, training data (arXiv 2410.02725); the tie's margin keeps easy questions from looking like coin flips.
"""

from __future__ import annotations

import numpy as np

from outthink.core.key import Key
from outthink.numerics.types import BoolArray, FloatArray, IntArray


def win_or_tie(own: FloatArray, other: FloatArray, margin: float = 0.0) -> BoolArray:
    """Whether each attempt's reward is at least the other's, less `margin`, [pairs]; 1-5% of the rewards' deviation is a good margin."""
    return np.asarray(np.asarray(own) >= np.asarray(other) - margin)


def cuts(lengths: IntArray, key: Key, share: float = 0.5) -> IntArray:
    """Where to cut each labelled attempt so that prefixes are learnt as well, [pairs] tokens; its label stays that of the whole.

    A `share` of them is cut at a token drawn uniformly from the first to the last but one; the others keep their length.
    """
    rng = key.rng()
    cut = rng.random(len(lengths)) < share
    at = 1 + np.floor(rng.random(len(lengths)) * np.maximum(lengths - 1, 0)).astype(np.int64)
    return np.where(cut, np.minimum(at, lengths), lengths)
