"""The SDE form of any path: the same marginals as the deterministic flow, with as much noise as is asked for at each time.

x <- x + (-velocity + (g^2 / 2) score) D + g sqrt(D) z, over a step of length D > 0 in the path's clock, with
g(t) = scale t^power (1 - t)^start; scale 0 is the deterministic Euler step. This is what gives flow models something to branch on.

If unsure: scale 3, power 2, which vanishes at the data end, where the score does not exist; between two data sets (`interpolants`) scale
2, power and start 0.5, which vanishes at both. If samples spread, take more steps or less scale: g^2 / 2 times D times the score's
steepness must stay below 1.

Source: spec 20, items 1 and 2; spec 30; Albergo, Boffi and Vanden-Eijnden 2023, section 2.4; Kim et al. 2025 for the default g.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from outthink.core.settings import NonNegativeFloat
from outthink.diffusion.solvers.solver import Here, Move, Solver
from outthink.diffusion.tensors import scaled


class FlowSde(Solver):
    """Euler-Maruyama along the path's clock. Needs a grid on a path.

    Attributes:
        scale, power, start: g(t) = scale t^power (1 - t)^start, in units of deviation per square root of the clock.
    """

    along_slopes: ClassVar[bool] = True

    scale: NonNegativeFloat = 3.0
    power: NonNegativeFloat = 2.0
    start: NonNegativeFloat = 0.0

    @property
    def stochastic(self) -> bool:
        return self.scale > 0.0

    def move(self, here: Here) -> Move:
        length = here.level.time - here.next.time
        x = here.x - scaled(length, here.velocity)
        g = self.scale * here.level.time**self.power * (1.0 - here.level.time) ** self.start
        if g.any():
            x = x + scaled(0.5 * g**2 * length, here.score)
        return Move(x, np.asarray(g * np.sqrt(length)))
