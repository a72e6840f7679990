"""The methods that `benchmarks/steering.py` compares, each sized to a budget of denoiser evaluations and reward calls together.

A sample judged at its end costs 21: 20 steps and a call. One that is judged at every step costs 40, at every second one 30. Settings that
are not a method's default were chosen at budgets of 800 and 3,200 with seeds that do not count (`--chosen-on`), among those in `VARIANTS`.
One choice is not the best of its table: a tree that widens by an exponent of 0.3 is as good there within the noise, but comes back to old
leaves so often that a million selections do not use up 12,800 evaluations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from steering_problems import STEPS, Kind, Problem

from outthink.core.algorithm import Algorithm
from outthink.search import (
    Beam,
    BestOfN,
    Boltzmann,
    Difference,
    Evolve,
    LogMeanExp,
    ParticleFilter,
    Rewind,
    Rollover,
    RunningMax,
    RunningSum,
    Tree,
    Uct,
    ZeroOrder,
)

WHOLE = STEPS + 1
"""What a sample costs that is judged at its end."""

LEVELS = (0, 4, 8, 12, 16)
"""Where trees branch, of 20 steps: every fifth part of the way, as published."""

GENERATIONS = (0, 8, 12, 16)
ENDLESS = 10**6


@dataclass(frozen=True)
class Entrant:
    """A method at one budget. `partial`: whether samples under way are judged."""

    kind: Kind
    algorithm: Algorithm[Any]
    partial: bool


Making = Callable[..., Entrant]
"""(problem, budget, settings) to a method."""

TWISTS = {"difference": Difference, "max": RunningMax, "sum": RunningSum}

CHOSEN: dict[str, dict[str, Any]] = {
    "zero-order": {"strength": 0.5},
    "path-search": {"start": 2, "back": 1, "ahead": 2, "children": 16},
    "feynman-kac-difference": {"strength": 100.0, "every": 1},
    "feynman-kac-max": {"strength": 30.0, "every": 1},
    "feynman-kac-sum": {"strength": 64.0, "every": 1},
    "beam": {"width": 16},
    "rollover": {"n": 2},
    "rollover-preserving": {"n": 2},
    "tree-search": {"c": 0.1, "strength": 16.0, "widening": 1.0, "exponent": 0.5},
    "evolution": {"strength_at_start": 0.3, "tournament": 8},
}
"""What the methods run with."""

VARIANTS: dict[str, list[dict[str, Any]]] = {
    "zero-order": [{"strength": s} for s in (0.2, 0.31, 0.5)],
    "path-search": [
        {"start": 2, "back": 1, "ahead": 2, "children": 2},
        {"start": 2, "back": 1, "ahead": 2, "children": 4},
        {"start": 2, "back": 1, "ahead": 2, "children": 8},
        {"start": 2, "back": 1, "ahead": 2, "children": 16},
        {"start": 18, "back": 15, "ahead": 16, "children": 5},
    ],
    "feynman-kac-difference": [{"strength": s, "every": e} for s in (2.0, 8.0, 30.0, 100.0) for e in (1, 2)],
    "feynman-kac-max": [{"strength": s, "every": 1} for s in (2.0, 8.0, 30.0, 100.0)],
    "feynman-kac-sum": [{"strength": s, "every": 1} for s in (1.0, 4.0, 16.0, 64.0)],
    "beam": [{"width": w} for w in (2, 4, 8, 16)],
    "rollover": [{"n": n} for n in (1, 2, 4)],
    "rollover-preserving": [{"n": n} for n in (1, 2, 4)],
    "tree-search": [
        {"c": 0.5, "strength": 4.0, "widening": 2.0, "exponent": 0.8},
        {"c": 0.5, "strength": 4.0, "widening": 1.0, "exponent": 0.5},
        {"c": 0.1, "strength": 4.0, "widening": 1.0, "exponent": 0.5},
        {"c": 0.1, "strength": 16.0, "widening": 1.0, "exponent": 0.5},
        {"c": 0.1, "strength": 16.0, "widening": 2.0, "exponent": 0.5},
        {"c": 0.1, "strength": 16.0, "widening": 1.0, "exponent": 0.3},
        {"c": 0.1, "strength": 16.0, "widening": 2.0, "exponent": 0.8},
    ],
    "evolution": [{"strength_at_start": s, "tournament": t} for s in (0.3, 0.5) for t in (3, 8)],
}
"""What they were chosen among; `CHOSEN` stands among them where it is not listed."""


def entrant(name: str, problem: Problem, budget: int, how: Mapping[str, Any] | None = None) -> Entrant:
    """One method for one budget; `how`: settings in place of the chosen ones."""
    return ENTRANTS[name](problem, budget, **(CHOSEN.get(name, {}) if how is None else how))


def best_of(kind: Kind) -> Making:
    """Best-of-n over samples of this kind."""
    return lambda problem, budget: Entrant(kind, BestOfN(n=max(1, budget // WHOLE)), False)


def zero_order(problem: Problem, budget: int, *, strength: float) -> Entrant:
    """A climb over the noises that samples start from."""
    return Entrant("even", ZeroOrder(n=max(4, budget // 400), rounds=ENDLESS, strength=strength), False)


def steered(twist: str) -> Making:
    """Feynman-Kac steering towards high rewards."""

    def make(problem: Problem, budget: int, *, strength: float, every: int) -> Entrant:
        steering = TWISTS[twist](strength=strength / problem.unit)
        n = max(1, budget // (STEPS + STEPS // every))
        return Entrant("noisy", ParticleFilter(n=n, every=every, twist=steering), True)

    return make


def beam(problem: Problem, budget: int, *, width: int) -> Entrant:
    """The best n / width samples survive each step; the widest that fits the budget, up to `width`."""
    n = max(1, budget // (2 * STEPS))
    fits = max(w for w in range(1, width + 1) if n % w == 0)
    return Entrant("noisy", Beam(n=n, width=fits), True)


def tree_search(
    problem: Problem, budget: int, *, c: float, strength: float, widening: float, exponent: float
) -> Entrant:
    """DTS*: UCT over soft values, the best sample seen."""
    rule = Uct(c=c * problem.unit)
    return tree(budget, selection=rule, strength=strength / problem.unit, widening=widening, exponent=exponent)


def tree_sampling(problem: Problem, budget: int) -> Entrant:
    """DTS with the widening as published."""
    return tree(budget, selection=Boltzmann(), strength=temper(problem), widening=2.0, exponent=0.8, choose="sample")


def tree(budget: int, **how: Any) -> Entrant:
    """A tree that grows until the budget is used up; few selections are under way together, so that it learns between them."""
    settings = Tree(n=ENDLESS, batch=max(1, min(32, budget // 200)), levels=LEVELS, backup=LogMeanExp(), **how)
    return Entrant("noisy", settings, False)


def evolution(problem: Problem, budget: int, *, strength_at_start: float, tournament: int) -> Entrant:
    """EvoSearch with the proportions as published."""
    # The first generation has twice as many members, and a change under way costs two evaluations: 96 a member of the others.
    n = max(2, budget // (2 * WHOLE + sum(WHOLE - level + 2 * (level > 0) for level in GENERATIONS)))
    settings = Evolve(
        schedule=GENERATIONS,
        sizes=(2 * n, *(n,) * len(GENERATIONS)),
        elites=max(1, n // 5),
        strength_at_start=strength_at_start,
        tournament=min(tournament, 2 * n),
    )
    return Entrant("noisy", settings, False)


def importance_sampling(problem: Problem, budget: int) -> Entrant:
    """Plain samples with weights: best-of-n as a sampler."""
    twist = Difference(strength=temper(problem))
    n = max(1, budget // WHOLE)
    return Entrant("noisy", ParticleFilter(n=n, ess_threshold=0.0, twist=twist, choose="sample"), False)


def sampling(twist: str) -> Making:
    """Feynman-Kac steering as a sampler: the target's own strength, and an answer drawn by weight."""

    def make(problem: Problem, budget: int) -> Entrant:
        steering = TWISTS[twist](strength=temper(problem))
        n = max(1, budget // (2 * STEPS))
        return Entrant("noisy", ParticleFilter(n=n, twist=steering, choose="sample"), True)

    return make


def temper(problem: Problem) -> float:
    """Strength of the law that samplers aim at."""
    if problem.temper is None:
        raise ValueError(f"nobody samples {problem.name!r}: it has no temper.")
    return problem.temper


def path_search(problem: Problem, budget: int, *, start: int, back: int, ahead: int, children: int) -> Entrant:
    """Search over paths. A round asks once where its members have come back to, once a step, and judges each once."""
    rounds, begun = -(-(STEPS - start) // (ahead - back)), start + 2
    n = max(1, budget // (begun + rounds * children * (ahead + 2)))
    children = max(1, (budget // n - begun) // (rounds * (ahead + 2)))
    return Entrant("even", Rewind(n=n, children=children, start=start, back=back, ahead=ahead), True)


def rollover(kind: Kind) -> Making:
    """Rollover budget forcing: a tenth of a line's proposals for the first draws (3 each), the rest in equal quotas (2 each)."""

    def make(problem: Problem, budget: int, *, n: int) -> Entrant:
        lines = max(n, budget // 800 * n)
        of_a_line = budget / lines
        first = max(1, int(0.1 * of_a_line / 3))
        quota = max(1, int(0.9 * of_a_line / 2) // STEPS)
        return Entrant(kind, Rollover(n=lines, first=first, quota=quota, proposals=ENDLESS), True)

    return make


ENTRANTS: dict[str, Making] = {
    "best-of-n": best_of("noisy"),
    "noise-search": best_of("even"),
    "zero-order": zero_order,
    "path-search": path_search,
    "feynman-kac-difference": steered("difference"),
    "feynman-kac-max": steered("max"),
    "feynman-kac-sum": steered("sum"),
    "beam": beam,
    "tree-search": tree_search,
    "evolution": evolution,
    "best-of-n-flow": best_of("flow"),
    "rollover": rollover("flow"),
    "best-of-n-preserving": best_of("preserving"),
    "rollover-preserving": rollover("preserving"),
    "importance-sampling": importance_sampling,
    "feynman-kac-difference-sampling": sampling("difference"),
    "feynman-kac-max-sampling": sampling("max"),
    "feynman-kac-sum-sampling": sampling("sum"),
    "tree-sampling": tree_sampling,
}
"""How each method is made for a problem and a budget."""

SEARCHES = tuple(ENTRANTS)[:14]
"""Methods that compete for the highest reward."""

SAMPLERS = tuple(ENTRANTS)[14:]
"""Methods that aim at p(x) exp(temper * reward)."""
