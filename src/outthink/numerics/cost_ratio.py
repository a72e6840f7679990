"""How many times less a method costs than a baseline, to reach the same level.

    ratio_at_levels(baseline, method, rng)      # one `Ratio` for each quarter of the baseline's range

A method's *curve* is its mean value (accuracy, reward) against its mean cost, at several sizes. It is made monotone, since nobody who
has solved more at a smaller size pays for a larger one, and read linearly in the logarithm of cost. "k times less" is the cost at which
the baseline reaches a level, divided by the cost at which the method does. All levels are reported, not the most flattering one, and a
level that is never reached is a value, not a gap: the method's ratio is then 0, the baseline's infinite.

Tasks are the unit: a bootstrap draws them in pairs, so that what makes a task hard or dear for both stays out of the ratio's interval.

Source: the comparison follows scaling studies that quote compute at matched accuracy; the percentile bootstrap is that of Efron and
Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 13.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outthink.numerics import checks
from outthink.numerics.intervals import DEFAULT_LEVEL, DEFAULT_RESAMPLES, Interval
from outthink.numerics.types import FloatArray, IntArray

QUARTERS = (0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Curve:
    """One method at several sizes.

    Attributes:
        cost: what each task cost at each size, [tasks, sizes], in tokens or evaluations, positive on average.
        value: what each task gave, [tasks, sizes]: 1 for right and 0 for wrong, or a reward; means over seeds are welcome.
    Raises ValueError: unequal shapes, no task, no size, or a value that is not finite.
    """

    cost: FloatArray
    value: FloatArray

    def __post_init__(self) -> None:
        cost, value = np.asarray(self.cost, float), np.asarray(self.value, float)
        if cost.ndim != 2 or cost.shape != value.shape or 0 in cost.shape:
            raise ValueError(f"got costs {cost.shape} and values {value.shape}, expected [tasks, sizes] for both.")
        if not (np.isfinite(cost).all() and np.isfinite(value).all()):
            raise ValueError("a cost or a value is not finite; leave the task out, or count a failure as wrong.")
        if (cost.mean(axis=0) <= 0).any():
            raise ValueError("a size costs nothing on average, expected positive costs: their logarithm is taken.")

    def __len__(self) -> int:
        return len(self.cost)

    def mean(self, tasks: IntArray | None = None) -> tuple[FloatArray, FloatArray]:
        """Mean cost and best mean value so far, [sizes] each, cheapest first; over the tasks at `tasks`, [m], or all."""
        cost, value = (self.cost, self.value) if tasks is None else (self.cost[tasks], self.value[tasks])
        mean_cost, mean_value = cost.mean(axis=0), value.mean(axis=0)
        order = np.argsort(mean_cost, kind="stable")
        return mean_cost[order], np.maximum.accumulate(mean_value[order])


@dataclass(frozen=True)
class Ratio:
    """How the costs compare at one level.

    Attributes:
        level: the mean value to be reached.
        baseline_cost, method_cost: what reaching it costs, on average a task; inf where it is never reached.
        ratio: baseline_cost / method_cost; 0 where the method never reaches it, nan where neither does.
        interval: of the ratio, over tasks; its high end is inf where the baseline often fails to reach the level.
        at_most: the method reaches the level at its smallest size already, so that its true cost may be lower.
    """

    level: float
    baseline_cost: float
    method_cost: float
    ratio: float
    interval: Interval
    at_most: bool


def cost_to_reach(cost: FloatArray, value: FloatArray, level: float) -> float:
    """Cost at which a monotone curve first reaches `level`, linear in log cost between the points; inf where it never does.

    Args:
        cost, value: [sizes], ascending both.
    """
    reached = np.flatnonzero(value >= level - 1e-12)
    if len(reached) == 0:
        return float("inf")
    at = int(reached[0])
    if at == 0:
        return float(cost[0])
    share = (level - value[at - 1]) / (value[at] - value[at - 1])
    below, above = np.log(cost[at - 1]), np.log(cost[at])
    return float(np.exp(below + min(1.0, share) * (above - below)))


def ratio_at_levels(
    baseline: Curve,
    method: Curve,
    rng: np.random.Generator,
    *,
    quarters: tuple[float, ...] = QUARTERS,
    level: float = DEFAULT_LEVEL,
    resamples: int = DEFAULT_RESAMPLES,
) -> list[Ratio]:
    """One `Ratio` for each share in `quarters` of the baseline's range of mean values, with a paired bootstrap over tasks.

    The levels are those of the full data; each resample reads both curves anew at them. Resamples in which neither side reaches the
    level say nothing and are left out.
    Raises ValueError: curves over different numbers of tasks, fewer than 2 tasks.
    """
    if len(baseline) != len(method):
        raise ValueError(
            f"got {len(baseline)} tasks of the baseline and {len(method)} of the method, expected the same."
        )
    n = checks.size(len(baseline), "the number of tasks", least=2)
    checks.open_unit(level, "level")
    ours, theirs = method.mean(), baseline.mean()
    low, high = float(theirs[1][0]), float(theirs[1][-1])
    levels = [low + share * (high - low) for share in quarters]
    drawn = np.full((resamples, len(levels)), np.nan)
    for i in range(resamples):
        tasks = rng.integers(0, n, size=n)
        base, new = baseline.mean(tasks), method.mean(tasks)
        drawn[i] = [_ratio(cost_to_reach(*base, a), cost_to_reach(*new, a)) for a in levels]
    ratios = []
    for at, a in enumerate(levels):
        paid, pays = cost_to_reach(*theirs, a), cost_to_reach(*ours, a)
        ratios.append(
            Ratio(a, paid, pays, _ratio(paid, pays), _interval(drawn[:, at], level), bool(ours[1][0] >= a - 1e-12))
        )
    return ratios


def _ratio(baseline: float, method: float) -> float:
    if np.isinf(method):
        return float("nan") if np.isinf(baseline) else 0.0
    return baseline / method


def _interval(drawn: FloatArray, level: float) -> Interval:
    known = np.sort(drawn[~np.isnan(drawn)])
    if len(known) == 0:
        return Interval(float("nan"), float("nan"), level)
    # Order statistics and not interpolated quantiles, which would be nan beside an infinite ratio.
    tail = 0.5 - 0.5 * level
    low, high = int(np.floor(tail * (len(known) - 1))), int(np.ceil((1.0 - tail) * (len(known) - 1)))
    return Interval(float(known[low]), float(known[high]), level)
