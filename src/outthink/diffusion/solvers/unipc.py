"""UniPC of order 2, in its B2 form on predicted data: a second-order step, corrected by the evaluation at its end.

The correction needs no evaluation of its own: the prediction made at the predicted point both corrects the sample and starts the next step.

Source: Zhao et al. 2023 (UniPC), algorithms 5 and 6 with B(h) = e^h - 1; the last step, into clean data, is of first order.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch

from outthink.diffusion.solvers.dpm_solver import extrapolated, gap_before, second_order
from outthink.diffusion.solvers.solver import Here, Move, Solver, exact
from outthink.diffusion.tensors import chosen, scaled
from outthink.numerics.types import BoolArray, FloatArray


class UniPc(Solver):
    """UniPC-2, B2, multistep. Its predictor is that of `dpm-solver`."""

    remembers: ClassVar[int] = 1

    def move(self, here: Here) -> Move:
        return Move(exact(here, extrapolated(here)), np.zeros(len(here.level)))

    def settle(self, x: torch.Tensor, data: torch.Tensor, here: Here) -> torch.Tensor:
        """The first-order step, plus alpha1 (1 - e^-h) times a weighted sum of the slopes to the earlier and the new prediction."""
        usable = second_order(here)
        finite = np.isfinite(here.gap)
        earlier, later = _weights(here, usable)
        correction = scaled(later, data - here.data)
        if usable.any():
            with np.errstate(invalid="ignore", divide="ignore"):
                # The earlier point lies at -gap_before / gap in units of the step.
                slope = np.where(usable, -here.gap / gap_before(here), 0.0) * earlier
            correction = chosen(usable, correction + scaled(slope, here.past.data[0] - here.data), correction)
        size = here.next.alpha * -np.expm1(-here.gap)
        return chosen(finite, exact(here, here.data) + scaled(size, correction), x)


def _weights(here: Here, usable: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Weights of the earlier and of the new slope, [n] each; 1/2 for the new one alone where there is no earlier prediction.

    They solve [[1, 1], [r, 1]] w = (b1, b2) with r = -before / gap and b_k = k! phi_{k+1}(-h) (-h) / (e^-h - 1) in the data form.
    """
    earlier, later = np.zeros(len(here.level)), np.full(len(here.level), 0.5)
    at = np.flatnonzero(usable)
    if len(at):
        hh = -here.gap[at]
        whole = np.expm1(hh)
        first = whole / hh - 1.0
        second = first / hh - 0.5
        b1, b2 = first / whole, 2.0 * second / whole
        r = -gap_before(here)[at] / here.gap[at]
        earlier[at] = (b2 - b1) / (r - 1.0)
        later[at] = b1 - earlier[at]
    return earlier, later
