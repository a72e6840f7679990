"""The sampling temperature of each attempt: one for all, or rising from greedy.

Source: spec 07, temperature by attempt, T_k = T_max (1 - 2^-(k-1)), a formula from memory of arXiv 2410.02725.
"""

from __future__ import annotations

import numpy as np

from outthink.core.settings import PositiveFloat, Tagged
from outthink.numerics.types import FloatArray, IntArray


class Steady(Tagged):
    """Every attempt at the process's own temperature: the only choice where a score was calibrated at that temperature."""

    def of(self, attempt: IntArray) -> FloatArray | None:
        """None: as the process has it."""
        return None


class Rising(Tagged):
    """The first attempt is greedy, later ones explore: `most` times 0, 1/2, 3/4, 7/8, ..."""

    most: PositiveFloat = 1.0

    def of(self, attempt: IntArray) -> FloatArray | None:
        """Temperatures of these attempts, numbered from 0, [n]."""
        return np.asarray(self.most * (1.0 - 2.0 ** -attempt.astype(np.float64)))


AnyTemperature = Steady | Rising
