"""Is a method better than a baseline that may spend as much? The difference at matched total cost, with an interval over questions.

    difference_at_cost(vote, cost=tokens, value=right, rng=rng)      # vote: a `Curve` over its sizes

A method at one size costs what it costs. The baseline's curve is read at that very cost, linearly in the logarithm of cost between the two
sizes around it: what one gets who tosses a coin between them. Questions are resampled in pairs, costs and values of both sides together, so
that the noise of the cost is in the interval too. Where the baseline was never run that cheaply or that dearly, its nearest size is taken
and `inside` is False: then costs are not matched, and whoever reports the difference must say so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outthink.numerics import checks
from outthink.numerics.cost_ratio import Curve
from outthink.numerics.intervals import DEFAULT_LEVEL, DEFAULT_RESAMPLES, Interval
from outthink.numerics.paired import PairCounts, difference_interval
from outthink.numerics.resampled import percentile_ends, resample_counts
from outthink.numerics.types import FloatArray


@dataclass(frozen=True)
class Matched:
    """A method less a baseline of the same cost.

    Attributes:
        difference: mean value of the method minus that of the baseline at the method's cost.
        interval: of the difference, over questions.
        baseline: the baseline's mean value there. cost: the method's mean cost, and the baseline's where `inside`.
        baseline_cost: the cost that the baseline was read at.
        inside: whether the baseline was run at sizes both below and above that cost, or at it.
    """

    difference: float
    interval: Interval
    baseline: float
    cost: float
    baseline_cost: float
    inside: bool

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out 0."""
        return 0.0 not in self.interval


def difference_at_cost(
    baseline: Curve,
    cost: FloatArray,
    value: FloatArray,
    rng: np.random.Generator,
    *,
    level: float = DEFAULT_LEVEL,
    resamples: int = DEFAULT_RESAMPLES,
) -> Matched:
    """The method's mean value less the baseline's at the same mean cost.

    Args:
        baseline: over the same questions. cost, value: of the method, [questions], finite; means over seeds are welcome.
    Raises ValueError: other numbers of questions, fewer than 2, or a method without cost.
    """
    costs, values = checks.finite_vector(cost, "cost"), checks.finite_vector(value, "value")
    n = checks.size(len(values), "the number of questions", least=2)
    if len(baseline) != n or len(costs) != n:
        raise ValueError(
            f"got {len(costs)} costs, {n} values and a baseline of {len(baseline)}, expected the same questions."
        )
    if not costs.mean() > 0.0:
        raise ValueError("the method costs nothing on average, expected a positive cost: its logarithm is taken.")
    order = np.argsort(np.asarray(baseline.cost, float).mean(axis=0), kind="stable")
    base_cost, base_value = np.asarray(baseline.cost, float)[:, order], np.asarray(baseline.value, float)[:, order]
    weights = np.concatenate([np.full((1, n), 1.0), resample_counts(n, resamples, rng)]) / n
    paid, solved = weights @ base_cost, weights @ base_value
    own_cost, own_value = weights @ costs, weights @ values
    # A resample may hold only questions that cost nothing; its logarithm is then that of the smallest positive number.
    read = [
        np.interp(np.log(max(c, TINY)), np.log(np.maximum(p, TINY)), s)
        for c, p, s in zip(own_cost, np.maximum.accumulate(paid, axis=1), solved, strict=True)
    ]
    differences = own_value - np.array(read)
    differences[np.abs(differences) < TINY] = 0.0  # two ways of adding the same numbers
    low, high = (float(end) for end in percentile_ends(differences[1:], n, level))
    interval = Interval(low, high, level)
    if low == high == 0.0:  # nobody ever differed, which is no proof that nobody can
        interval = difference_interval(PairCounts(0, 0, n), level)
    slack = 1e-9 * float(own_cost[0])
    inside = bool(paid[0, 0] - slack <= own_cost[0] <= paid[0, -1] + slack)
    at = float(np.clip(own_cost[0], paid[0, 0], paid[0, -1]))
    return Matched(float(differences[0]), interval, float(read[0]), float(own_cost[0]), at, inside)


TINY = 1e-12
