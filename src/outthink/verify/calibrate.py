"""From scores to probabilities that mean what they say: of all answers given 0.8, eight in ten are right.

    curve = platt(scores, right)                  # two numbers; for few examples, and the default
    curve = isotonic(scores, right)               # any rising curve; for a thousand examples and more
    curve(scores), calibration_error(curve(scores), right)

Fit on scores of examples that the scorer was not trained on. Both curves rise, so that they change no ranking (isotonic may make ties).

Sources: Platt 1999, with his targets that keep away from 0 and 1; Zadrozny and Elkan 2002, isotonic regression by pooling adjacent
violators; Guo et al. 2017, expected calibration error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outthink.core.errors import InputError, explain
from outthink.numerics.types import BoolArray, FloatArray

STEPS, CLOSE = 100, 1e-10


@dataclass(frozen=True)
class Platt:
    """sigmoid(slope * score + offset)."""

    slope: float
    offset: float

    def __call__(self, scores: FloatArray) -> FloatArray:
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * (self.slope * scores + self.offset))))

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """What a file keeps of it."""
        return {"platt": np.array([self.slope, self.offset])}


@dataclass(frozen=True)
class Isotonic:
    """Straight lines between points, flat beyond them. `scores` rise, `chances` do not fall, both [k]."""

    scores: FloatArray
    chances: FloatArray

    def __call__(self, scores: FloatArray) -> FloatArray:
        return np.asarray(np.interp(scores, self.scores, self.chances))

    def tensors(self) -> dict[str, NDArray[np.float64]]:
        """What a file keeps of it."""
        return {"isotonic": np.stack([self.scores, self.chances])}


Curve = Platt | Isotonic


def curve_of(tensors: Mapping[str, NDArray[Any]]) -> Curve:
    """The curve that a file keeps. Raises `InputError`."""
    if "platt" in tensors and tensors["platt"].shape == (2,):
        return Platt(float(tensors["platt"][0]), float(tensors["platt"][1]))
    if "isotonic" in tensors and tensors["isotonic"].ndim == 2 and len(tensors["isotonic"]) == 2:
        return Isotonic(tensors["isotonic"][0].astype(np.float64), tensors["isotonic"][1].astype(np.float64))
    raise InputError(
        explain(
            "The file keeps no calibration.", got=sorted(tensors), expected="platt or isotonic", remedy="Train again."
        )
    )


def platt(scores: FloatArray, right: BoolArray) -> Platt:
    """The most likely sigmoid, by Newton's method on targets a little inside of 0 and 1. Raises `InputError` without both kinds."""
    right = _both(scores, right)
    positive, negative = right.sum(), (~right).sum()
    target = np.where(right, (positive + 1.0) / (positive + 2.0), 1.0 / (negative + 2.0))
    design = np.stack([scores, np.ones_like(scores)], axis=1)
    found = np.array([0.0, np.log((positive + 1.0) / (negative + 1.0))])
    for _ in range(STEPS):
        chance = 0.5 * (1.0 + np.tanh(0.5 * (design @ found)))
        slope = design.T @ (target - chance)
        curve = design.T @ (design * np.maximum(chance * (1.0 - chance), 1e-12)[:, None]) + 1e-9 * np.eye(2)
        step = np.linalg.solve(curve, slope)
        while np.abs(step).max() > CLOSE and _likelihood(design, found + step, target) < _likelihood(
            design, found, target
        ):
            step = step / 2
        found = found + step
        if np.abs(step).max() <= CLOSE:
            break
    return Platt(float(found[0]), float(found[1]))


def isotonic(scores: FloatArray, right: BoolArray) -> Isotonic:
    """The rising curve nearest to the labels, by pooling adjacent violators. Raises `InputError` without both kinds."""
    right = _both(scores, right)
    order = np.argsort(scores, kind="stable")
    sums: list[float] = []
    sizes: list[int] = []
    ends: list[tuple[float, float]] = []
    for score, label in zip(scores[order].tolist(), right[order].tolist(), strict=True):
        if ends and score == ends[-1][1]:
            # Equal scores are one point.
            sums[-1] += float(label)
            sizes[-1] += 1
        else:
            sums.append(float(label))
            sizes.append(1)
            ends.append((score, score))
        while len(sums) > 1 and sums[-2] * sizes[-1] >= sums[-1] * sizes[-2]:
            last_sum, last_size, (_, high) = sums.pop(), sizes.pop(), ends.pop()
            sums[-1], sizes[-1], ends[-1] = sums[-1] + last_sum, sizes[-1] + last_size, (ends[-1][0], high)
    # A block is flat from its lowest score to its highest; one of a single score is one point.
    points = [
        (at, total / size)
        for total, size, (low, high) in zip(sums, sizes, ends, strict=True)
        for at in ((low,) if low == high else (low, high))
    ]
    return Isotonic(np.array([at for at, _ in points]), np.array([chance for _, chance in points]))


def calibration_error(chances: FloatArray, right: BoolArray, bins: int = 10) -> float:
    """Mean distance between what is said and what comes true, over bins of equal width weighed by their members, in [0, 1]."""
    place = np.minimum((chances * bins).astype(np.int64), bins - 1)
    errors = [
        abs(chances[place == b].mean() - right[place == b].mean()) * (place == b).mean() for b in np.unique(place)
    ]
    return float(sum(errors))


def _both(scores: FloatArray, right: BoolArray) -> BoolArray:
    right = np.asarray(right, dtype=bool)
    if len(scores) != len(right) or right.all() or not right.any():
        raise InputError(
            explain(
                "Nothing can be calibrated on this.",
                got=f"{len(scores)} scores, {int(right.sum())} of {len(right)} right",
                expected="as many labels as scores, right ones and wrong ones",
                remedy="Collect more examples.",
            )
        )
    return right


def _likelihood(design: FloatArray, found: FloatArray, target: FloatArray) -> float:
    """nats."""
    logits = design @ found
    return float((target * logits - np.logaddexp(0.0, logits)).sum())
