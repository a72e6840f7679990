"""Where to put the levels of a path: times from noise (1) to data (0), [steps + 1], for `Grid.on`.

    Grid.on(Flow(), shifted(even(28), 3.0))

If unsure: `even` for a flow, `shifted` by the factor that the model was trained with; `fine_at_noise` when steps are few and search should
branch where samples still differ in content.

Source: spec 20, item 4, for `fine_at_noise` ("exp"); shared vocabulary of the diffusion sheets for the shift; Karras et al. 2022, equation
5, for `by_ratio`.
"""

from __future__ import annotations

import numpy as np

from outthink.core.errors import SettingsError, explain
from outthink.diffusion.paths import Path
from outthink.numerics.types import FloatArray


def even(steps: int) -> FloatArray:
    """Equal steps: 1 - i / steps."""
    return np.linspace(1.0, 0.0, steps + 1)


def fine_at_noise(steps: int) -> FloatArray:
    """Small steps where there is most noise: sqrt(1 - (i / steps)^2)."""
    return np.asarray(np.sqrt(1.0 - np.linspace(0.0, 1.0, steps + 1) ** 2))


def shifted(times: FloatArray, factor: float) -> FloatArray:
    """The same times of a flow with sigma / alpha `factor` times as large: c u / (1 + (c - 1) u)."""
    if not factor > 0.0:
        raise SettingsError(
            explain(
                "Times are shifted by a positive factor.",
                got=factor,
                expected="more than 0; 1 changes nothing, and more than 1 dwells on the noise",
                remedy="Use exp(mu) for a scheduler's `mu`.",
            )
        )
    # As a quotient of what is noise and what is data, which is exact at both ends.
    return np.asarray(factor * times / (factor * times + (1.0 - times)))


def by_ratio(path: Path, steps: int, least: float, most: float, power: float = 7.0) -> FloatArray:
    """Times at which sigma / alpha falls from `most` to `least` with equal steps in its 1 / `power`-th power, and then the data."""
    low, high = least ** (1.0 / power), most ** (1.0 / power)
    ratio = np.linspace(high, low, steps) ** power
    return np.append(path.time_of(-np.log(ratio)), 0.0)
