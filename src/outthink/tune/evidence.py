"""What noisy values say about a function at the points where it was measured, reduced to the number of different points.

    counts = Counts.of(points, which, values)                 # many values, few points
    evidence = repeated(counts, noise=0.25)                   # exact: nothing is approximated
    evidence = paired(table, Noises(value=0.2, difficulty=0.05))   # the same questions asked at several points

A Gaussian likelihood of the function's values g at q points is exp(-g' S g / 2 + r' g) up to a constant, however many values stand behind
it: S [q, q] is its precision, r [q] its shift. Independent repeats give S = diag(n / noise) and r = sum / noise. Where points were
measured on the same questions, each question adds its own difficulty to all values on it, and where they were computed from the same
samples, these add their luck; both are integrated out, which makes S dense. So a point that happened to be asked hard questions is not
held for a bad one, and ten ways of choosing from one pool are not held for ten measurements.

Source: spec 34, part A (counts); spec 33, item 12 (questions as conditions; the nested additive form is ours).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.errors import InputError, explain
from outthink.numerics.types import FloatArray, IntArray


@dataclass(frozen=True)
class Evidence:
    """Attributes: precision: [q, q]. shift: [q]. constant: the log density of all values at g = 0, in nats."""

    precision: FloatArray
    shift: FloatArray
    constant: float


@dataclass(frozen=True)
class Counts:
    """Values by point: how many, their sums and sums of squares, [q] each."""

    n: IntArray
    total: FloatArray
    squares: FloatArray

    @classmethod
    def of(cls, q: int, which: Sequence[int] | IntArray, values: Sequence[float] | FloatArray) -> Counts:
        """Of values, each at the point `which` of q. Raises `InputError` for a value that is not finite."""
        given, index = np.asarray(values, float), np.asarray(which, int)
        if not np.isfinite(given).all():
            raise InputError(
                explain(
                    "A value is not finite.",
                    got=given[~np.isfinite(given)][0],
                    expected="finite values",
                    remedy="Leave failed evaluations out; they say nothing about the function.",
                )
            )
        return cls(
            np.bincount(index, minlength=q),
            np.asarray(np.bincount(index, given, minlength=q), float),
            np.asarray(np.bincount(index, given**2, minlength=q), float),
        )

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> FloatArray:
        """Means; 0 where nothing was measured."""
        return self.total / np.maximum(self.n, 1)

    @property
    def identical(self) -> bool:
        """Whether five or more repeats of a point never differed: repeats that are no new draws teach nothing."""
        many = self.n >= 5
        within = self.squares - self.total**2 / np.maximum(self.n, 1)
        return bool(many.any() and (within[many] <= 1e-12 * np.maximum(self.squares[many], 1e-300)).all())


def repeated(counts: Counts, noise: float | FloatArray) -> Evidence:
    """Independent values with variance `noise`, one for all points or one each."""
    variance = np.broadcast_to(np.asarray(noise, float), counts.n.shape)
    precision = counts.n / variance
    log_norm = (counts.n * np.log(2.0 * math.pi * variance)).sum()
    constant = -0.5 * ((counts.squares / variance).sum() + log_norm)
    return Evidence(np.diag(precision), counts.total / variance, float(constant))


@dataclass(frozen=True)
class PairedTable:
    """Values on questions that several points share: counts, sums [q, w] and the sum of all squares."""

    n: IntArray
    total: FloatArray
    squares: float

    @classmethod
    def of(cls, values: FloatArray) -> PairedTable:
        """One value a point and question, [q, w]; nan where it was not measured."""
        known = ~np.isnan(values)
        filled = np.where(known, values, 0.0)
        return cls(known.astype(np.int64), filled, float((filled**2).sum()))


@dataclass(frozen=True)
class Noises:
    """Variances of what stands between a value and the function.

    Attributes:
        value: of one value, apart from all others.
        draw: what values on one question share that were computed from the same samples.
        difficulty: what all values on one question share.
    """

    value: float
    draw: float = 0.0
    difficulty: float = 0.0


def paired(table: PairedTable, noises: Noises, groups: IntArray | None = None) -> Evidence:
    """Values on shared questions, with what they share integrated out: exact, at the cost of a few matrix products.

    groups: which points were computed from the same samples, [q], numbered from 0; None: no two of them.
    """
    q, _ = table.n.shape
    groups = np.arange(q) if groups is None else groups
    each, told = table.n / noises.value, table.total / noises.value
    member = np.zeros((int(groups.max(initial=-1)) + 1, q))
    member[groups, np.arange(q)] = 1.0
    # First what a group shares on a question [groups, w], then what everyone shares [w].
    asked, said = member @ each, member @ told
    shrink = noises.draw / (1.0 + noises.draw * asked)
    left = each / (1.0 + noises.draw * asked)[groups]
    all_asked, all_said = left.sum(0), (said / (1.0 + noises.draw * asked)).sum(0)
    all_shrink = noises.difficulty / (1.0 + noises.difficulty * all_asked)
    precision = np.diag(each.sum(1)) - (left * all_shrink) @ left.T
    if noises.draw > 0.0:
        scaled = each * np.sqrt(shrink)[groups]
        precision -= (scaled @ scaled.T) * (groups[:, None] == groups[None, :])
    shift = told.sum(1) - (each * (shrink * said)[groups]).sum(1) - left @ (all_shrink * all_said)
    constant = -0.5 * (
        table.squares / noises.value
        - float((shrink * said**2).sum())
        - float((all_shrink * all_said**2).sum())
        + float(table.n.sum()) * math.log(2.0 * math.pi * noises.value)
        + float(np.log1p(noises.draw * asked).sum())
        + float(np.log1p(noises.difficulty * all_asked).sum())
    )
    return Evidence(0.5 * (precision + precision.T), shift, constant)
