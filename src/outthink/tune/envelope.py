"""The expected maximum of straight lines at a normal point: the value of one more measurement among finitely many candidates.

    gain = expected_gain(a, b)          # E[max_i (a_i + b_i Z)] - max_i a_i,  Z ~ N(0, 1); exact, O(m log m)

`a` are posterior means, `b` how far each of them moves with the outcome of the measurement. Lines that are nowhere the highest are
dropped by one sweep over the slopes; what is left is a sum over the corners of the upper envelope.

Source: spec 33, item 6; Frazier, Powell and Dayanik 2009 (The knowledge-gradient policy for correlated normal beliefs).
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from outthink.numerics.types import FloatArray

SLOPE_GAP = 1e-12
_ROOT_2_PI = float(np.sqrt(2.0 * np.pi))


def expected_gain(a: FloatArray, b: FloatArray) -> float:
    """The gain, at least 0. a, b: [m]."""
    slopes, corners = envelope(a, b)
    if len(slopes) < 2:
        return 0.0
    return float((np.diff(slopes) * normal_excess(-np.abs(corners))).sum())


def envelope(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Slopes of the lines that are somewhere the highest, ascending, and the corners between them: [k], [k - 1]."""
    order = np.lexsort((a, b))
    heights: list[float] = []
    slopes: list[float] = []
    corners: list[float] = []
    for height, slope in zip(np.asarray(a, float)[order].tolist(), np.asarray(b, float)[order].tolist(), strict=True):
        if slopes and slope - slopes[-1] < SLOPE_GAP:
            if height <= heights[-1]:
                continue
            # The same slope and higher: the line before is never seen, and the corner that it began at goes with it.
            heights.pop()
            slopes.pop()
            if corners:
                corners.pop()
        while slopes:
            corner = (heights[-1] - height) / (slope - slopes[-1])
            if corners and corner <= corners[-1]:
                heights.pop()
                slopes.pop()
                corners.pop()
                continue
            corners.append(corner)
            break
        heights.append(height)
        slopes.append(slope)
    return np.array(slopes), np.array(corners)


def normal_excess(z: FloatArray) -> FloatArray:
    """E[(Z + z)+] = density(z) + z * distribution(z)."""
    return np.exp(-0.5 * z**2) / _ROOT_2_PI + z * ndtr(z)
