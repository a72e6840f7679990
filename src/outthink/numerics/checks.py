"""The checks at the door of every numeric function: what is wrong, where, and what to do about it.

A score that is not a number, or a weight that is infinite, spoils every member of a population at once if it is let
in. So each public function sends its input through one of these, and the message names the first bad entry. They
cost one or two passes over an array of length n when nothing is wrong.
"""

from __future__ import annotations

import math

import numpy as np

from outthink.numerics.types import BoolArray, FloatArray

SUM_TOLERANCE = 1e-6
"""How far from 1 weights may sum (rounding of single precision) before they are refused."""


def vector(values: FloatArray, name: str) -> FloatArray:
    """`values` as float64, [n]; ValueError if it has another number of dimensions."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} has shape {array.shape}, expected one dimension, one entry a member.")
    return array


def refuse_where(bad: BoolArray, values: FloatArray, name: str, expected: str) -> None:
    """ValueError naming the first entry where `bad`, [n], is true; nothing if there is none."""
    if bad.any():
        index = int(np.argmax(bad))
        raise ValueError(f"{name}[{index}] is {values[index]} (bad entries: {int(bad.sum())}), expected {expected}.")


def finite_vector(values: FloatArray, name: str) -> FloatArray:
    """`values` as float64, [n]; ValueError where nan or infinite."""
    array = vector(values, name)
    refuse_where(~np.isfinite(array), array, name, "a finite number; leave out members without an opinion first")
    return array


def unit_interval(values: FloatArray, name: str) -> FloatArray:
    """`values` as float64, [n]; ValueError where nan or outside [0, 1]."""
    array = vector(values, name)
    expected = "a number in [0, 1]; if the scorer returns log-weights or logits, use them as they are"
    refuse_where(~((array >= 0.0) & (array <= 1.0)), array, name, expected)
    return array


def log_weights(log_w: FloatArray, name: str = "log_w") -> tuple[FloatArray, float]:
    """`log_w` as float64, [n], and its largest entry (-inf if empty); ValueError where nan or +inf."""
    array = vector(log_w, name)
    if array.size == 0:
        return array, -math.inf
    peak = float(array.max())
    if not peak < math.inf:  # the maximum is nan as soon as one entry is
        bad = np.isnan(array) | (array == math.inf)
        refuse_where(bad, array, name, "a log-weight: finite, or -inf for a rejected member")
    return array, peak


def normalised_weights(weights: FloatArray, name: str = "weights") -> FloatArray:
    """`weights` as float64, [m], scaled to sum to 1 up to rounding.

    Raises ValueError: empty, negative, nan, infinite, or a sum further from 1 than `SUM_TOLERANCE`.
    """
    array = vector(weights, name)
    if array.size == 0:
        raise ValueError(f"{name} is empty, expected at least one member.")
    total = float(array.sum())
    if not array.min() >= 0.0 or not total < math.inf:
        refuse_where(~((array >= 0.0) & (array < math.inf)), array, name, "a weight: finite and not negative")
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise ValueError(f"{name} sum to {total}, expected 1. Normalise log-weights with `normalise` first.")
    return array / total


def size(n: int, name: str = "n", least: int = 0) -> int:
    """`n` itself; ValueError if it is below `least`."""
    if n < least:
        raise ValueError(f"{name} is {n}, expected at least {least}.")
    return n


def open_unit(value: float, name: str) -> float:
    """`value` itself; ValueError unless it lies strictly between 0 and 1 (a level, a rate)."""
    if not 0.0 < value < 1.0:
        raise ValueError(f"{name} is {value}, expected a number strictly between 0 and 1.")
    return value
