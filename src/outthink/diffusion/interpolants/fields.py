"""The fields of an interpolant from whichever were learned: velocity, score and predicted target, by one small linear system.

    network = Learned(interpolant, {Field.VELOCITY: b, Field.NOISE: eta})
    Bridge(network, starts)                               # or likelihood.log_density(flow(network), ...)

Each learned field is one linear equation in E[x0 | x], E[x1 | x] and E[z | x], and a E[x0|x] + b E[x1|x] + g E[z|x] = x is another: enough
of them give the rest. A pair that does not determine velocity is refused by name; without noise in the interpolant there is no score, and
solvers with noise are refused where they are chosen.

Source: spec 30, "Fields"; Albergo, Boffi and Vanden-Eijnden 2023, section 2.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from outthink.core.errors import Incompatible, explain
from outthink.diffusion.interpolants.families import Interpolant, Mix
from outthink.diffusion.interpolants.objectives import Field, Predict
from outthink.diffusion.levels import Level
from outthink.diffusion.network import Condition, FieldNetwork, Fields
from outthink.diffusion.tensors import chosen, scaled, spread, wide
from outthink.numerics.types import BoolArray, FloatArray

_SWAPPED = {Field.BASE: Field.TARGET, Field.TARGET: Field.BASE}
_TURNED = {Field.VELOCITY, Field.TRANSPORT}
_TINY = 1e-6
"""Singular values below this share of the largest say nothing."""


class Learned(FieldNetwork):
    """Trained functions of (x, t) as the network of a bridge. All of them count as one evaluation: they are asked together.

    Args:
        interpolant: that they were trained on. learned: field to function.
        margin: the networks are told times in [margin, 1 - margin] only, since scores are -E[z | x] / g and g is 0 at the ends.
    Attributes:
        asked: samples asked about so far. scored: whether there is a score.
    """

    def __init__(self, interpolant: Interpolant, learned: Mapping[Field, Predict], *, margin: float = 1e-4) -> None:
        self.interpolant, self.learned, self.margin = interpolant, dict(learned), margin
        self.asked = 0
        inside = interpolant.at(np.array([0.3, 0.7]))
        if not self._gives(inside, velocity_row(inside)):
            raise Incompatible(
                explain(
                    f"{', '.join(self.learned) or 'Nothing'} alone does not determine the velocity of this interpolant.",
                    got=", ".join(self.learned) or "no field",
                    expected="velocity, or two fields of which the others follow",
                    remedy="Learn velocity and noise; for a one-sided or mirror interpolant noise alone is enough.",
                )
            )
        noise = np.zeros((2, 3))
        noise[:, 2] = 1.0
        self.scored = bool((inside.noise > 0.0).all()) and self._gives(inside, noise)

    def fields(self, x: torch.Tensor, level: Level, condition: Condition) -> Fields:
        self.asked += len(x)
        time = np.clip(1.0 - level.time, self.margin, 1.0 - self.margin)
        with torch.no_grad():
            return self.at(wide(x), time)

    def at(self, x: torch.Tensor, time: FloatArray) -> Fields:
        """The fields of samples x [n, ...] at times t [n], in the library's clock; gradients pass."""
        mix = self.interpolant.at(time)
        # Most batches stand at one time: the system is solved once for each time there is.
        times, row = np.unique(time, return_inverse=True)
        solution, determined = self._solved(self.interpolant.at(times))
        said = {field: predict(x, spread(time, x).reshape(-1)).to(x.dtype) for field, predict in self.learned.items()}
        means = _means(solution[row], mix, x, said)
        velocity = said.get(Field.VELOCITY)
        if velocity is None:
            velocity = _combined(velocity_row(mix), means)
        score = said.get(Field.SCORE)
        if score is None:
            noise = said.get(Field.NOISE, means[2])
            score = scaled(-1.0 / mix.noise, noise) if self.scored else torch.zeros_like(x)
        # Where nothing is said of the target yet, the sample itself is shown.
        data = chosen(determined[row], means[1], x)
        return Fields(data, -velocity, score)

    def backward(self) -> Learned:
        """The same fields for the way from target to base."""

        def turned(field: Field, predict: Predict) -> Predict:
            sign = -1.0 if field in _TURNED else 1.0
            return lambda x, t: sign * predict(x, 1.0 - t)

        learned = {_SWAPPED.get(field, field): turned(field, predict) for field, predict in self.learned.items()}
        return Learned(self.interpolant.backward(), learned, margin=self.margin)

    def _rows(self, mix: Mix) -> FloatArray:
        """The equations, [n, 1 + fields, 3]: coefficients of E[x0|x], E[x1|x], E[z|x]; the identity first."""
        zero, one = np.zeros_like(mix.base), np.ones_like(mix.base)
        row = {
            Field.VELOCITY: (mix.base_rate, mix.target_rate, mix.noise_rate),
            Field.TRANSPORT: (mix.base_rate, mix.target_rate, zero),
            # Times -g, so that both sides stay finite where g is 0.
            Field.SCORE: (zero, zero, one),
            Field.NOISE: (zero, zero, one),
            Field.TARGET: (zero, one, zero),
            Field.BASE: (one, zero, zero),
        }
        rows = [(mix.base, mix.target, mix.noise), *(row[field] for field in self.learned)]
        return np.stack([np.stack(r, axis=1) for r in rows], axis=1)

    def _gives(self, mix: Mix, wanted: FloatArray) -> bool:
        """Whether the equations determine a combination `wanted` [n, 3] of the three means at each time."""
        rows = self._rows(mix)
        projector = np.linalg.pinv(rows, rcond=_TINY) @ rows
        return bool(np.abs(np.einsum("ni,nij->nj", wanted, projector) - wanted).max() < 1e-6)

    def _solved(self, mix: Mix) -> tuple[FloatArray, BoolArray]:
        """The three means as combinations of x and what was learned, [n, 3, 1 + fields], and whether E[x1 | x] is determined, [n]."""
        rows = self._rows(mix)
        solution = np.linalg.pinv(rows, rcond=_TINY)
        return np.asarray(solution, np.float64), np.asarray((solution @ rows)[:, 1, 1] > 1.0 - 1e-6)


def velocity_row(mix: Mix) -> FloatArray:
    """The velocity as a combination of E[x0|x], E[x1|x], E[z|x]: [n, 3]."""
    return np.stack([mix.base_rate, mix.target_rate, mix.noise_rate], axis=1)


def _combined(row: FloatArray, means: list[torch.Tensor]) -> torch.Tensor:
    return scaled(row[:, 0], means[0]) + scaled(row[:, 1], means[1]) + scaled(row[:, 2], means[2])


def _means(solution: FloatArray, mix: Mix, x: torch.Tensor, said: Mapping[Field, torch.Tensor]) -> list[torch.Tensor]:
    """E[x0 | x], E[x1 | x] and E[z | x], [n, ...] each; of least norm where the equations leave them open."""
    # The score's equation was multiplied by -g.
    known = [x, *(scaled(-mix.noise, one) if field is Field.SCORE else one for field, one in said.items())]
    return [sum((scaled(solution[:, i, j], one) for j, one in enumerate(known)), torch.zeros_like(x)) for i in range(3)]
