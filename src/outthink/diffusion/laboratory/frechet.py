"""The Fréchet distance between two sets of samples: of the normal laws that fit their features.

|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)). With the classifier's features it says how far samples are from real digits; it is no
"FID", whose features are another network's. Biased upwards for few samples: compare sets of equal size, and more than features.

Source: Dowson and Landau 1982; Heusel et al. 2017.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outthink.core.errors import InputError, explain
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Statistics:
    """Of features of n samples: mean [d], covariance [d, d]."""

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def of(cls, features: FloatArray) -> Statistics:
        """Of features [n, d], n at least 2."""
        rows = np.asarray(features, np.float64)
        if len(rows) < 2:
            raise InputError(
                explain(
                    "A covariance needs several samples.",
                    got=f"{len(rows)}",
                    expected="at least 2, better several hundred",
                    remedy="Draw more samples.",
                )
            )
        return cls(rows.mean(axis=0), np.atleast_2d(np.cov(rows, rowvar=False)))


def between(one: Statistics, other: Statistics) -> float:
    """The distance, non-negative; 0 for equal statistics."""
    root = _root(one.covariance)
    # The eigenvalues of C1 C2 are those of the symmetric C1^(1/2) C2 C1^(1/2).
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ other.covariance @ root), 0.0)).sum()
    away = one.mean - other.mean
    total = away @ away + np.trace(one.covariance) + np.trace(other.covariance) - 2.0 * cross
    return float(max(total, 0.0))


def _root(matrix: FloatArray) -> FloatArray:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
