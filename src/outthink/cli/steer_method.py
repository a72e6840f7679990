"""A method for images from what was typed: its own defaults, those that suit a denoiser, and as many members as the budget pays for.

Presets of methods are made for texts, so a bare name means the method itself here. A recipe in a file is taken as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from outthink.core.cost import Budget
from outthink.recipes.recipe import from_tables
from outthink.recipes.registry import find, registry
from outthink.search.rewind import Rewind

if TYPE_CHECKING:
    from outthink.core.algorithm import Algorithm
    from outthink.core.solver import ProcessFor
    from outthink.core.verifier import Verifier
    from outthink.recipes.plan import Plan

BRANCHINGS = 5
"""How often a tree's path can branch, where nothing else is said."""

WITH_NOISE = ("evolve",)
"""Methods of whole samples that do better with a solver that draws noise."""

WITHOUT_NOISE = ("rewind",)
"""Methods of steps that draw all the noise they need when they go back."""

CHILDREN = 5
"""How many ways a search over paths tries from each place, where the budget pays for more lines as well."""

SIZES = {f"algorithm.{setting}" for setting in ("n", "rounds", "children", "sizes")}
"""Settings that say how large a search is: whoever says one of them says how large."""

LOOKS = 8
"""How often members are compared on their way, by methods that would do so at every step."""


def planned(
    method: str,
    process: ProcessFor,
    verifier: Verifier,
    *,
    budget: Budget,
    n: int | None,
    changes: Sequence[str],
    steps: int,
    sample: int,
) -> Plan:
    """What to run.

    Args:
        method: a method's name, or a recipe's path. n, changes: as of `outthink run`.
        steps: of the grid. sample: evaluations that one whole sample costs.
    """
    from outthink.recipes.load import load
    from outthink.recipes.override import override
    from outthink.recipes.plan import plan

    if method in registry().tags("algorithm"):
        looks = verifier.spec.partial
        recipe = from_tables({"algorithm": {"type": method, **suited(method, steps, looks)}}, f"The method {method!r}")
        said = {change.partition("=")[0].strip() for change in changes}
        if n is None and budget.denoiser_evals is not None and not said & SIZES:
            asked = override(recipe, changes, where=f"The method {method!r}")
            changes = [*_sized(asked.algorithm, budget.denoiser_evals // sample, steps), *changes]
    else:
        recipe = load(method)
    how: dict[str, Any] = {"process": process, "verifier": verifier, "answer": "none"}
    return plan(recipe=recipe, budget=budget, n=n, changes=changes, **how)


def solver_for(method: str) -> str:
    """The solver where none is said: without noise for methods that never branch, with noise for all others."""
    if method not in registry().tags("algorithm") or method in WITH_NOISE:
        return "ancestral"
    if method in WITHOUT_NOISE:
        return "dpm-solver"
    whole = cast("type[Algorithm[Any]]", find("algorithm", method)).whole_samples
    return "dpm-solver" if whole else "ancestral"


def suited(method: str, steps: int, looks: bool) -> dict[str, Any]:
    """Settings of a method that suit a denoiser of so many steps better than its defaults, which suit texts.

    `looks`: whether images are judged on the way. A search over paths gains a step a round then; else it goes nearly all the way back each
    time, as published (spec 19), and judges what the model foretells.
    """
    if method == "particle-filter":
        return {"every": max(1, steps // LOOKS)}
    if method == "tree":
        return {"levels": sorted({steps * i // BRANCHINGS for i in range(BRANCHINGS)}), "n": 10 * steps}
    if method == "rollover":
        return {"every": max(1, 2 * steps // LOOKS), "proposals": 1000}
    if method in ("beam", "step-best-of-n"):
        return {"rounds": steps}
    if method == "evolve":
        return {"schedule": sorted({0, 2 * steps // 5, 3 * steps // 5, 4 * steps // 5})}
    if method == "rewind" and not looks:
        start = max(2, min(steps - 1, round(0.89 * steps)))
        back = max(1, min(start - 1, round(0.78 * steps)))
        return {"start": start, "back": back, "ahead": back + max(1, round(0.03 * steps)), "evaluate": "answer"}
    return {}


def _sized(algorithm: Algorithm[Any], samples: int, steps: int) -> list[str]:
    """As many members as the budget pays whole samples for; other methods go on until it ends."""
    name, most = algorithm.name(), max(1, samples)
    if name == "beam":
        width = min(4, most)
        return [f"algorithm.n={most // width * width}", f"algorithm.width={width}"]
    if name in ("best-of-n", "particle-filter", "step-best-of-n"):
        return [f"algorithm.n={most}"]
    if name == "rollover":
        # One line: so many proposals at every step are as many steps as that many images take.
        return ["algorithm.n=1", f"algorithm.first={max(1, most - 1)}", f"algorithm.quota={max(1, most - 1)}"]
    if name == "evolve":
        # Twice n from the start, and n from each level of the schedule, of which most lie further on.
        n = max(1, most // 5)
        sizes = [f"algorithm.n={n}", f"algorithm.elites={min(2, n // 3)}", f"algorithm.tournament={min(3, 2 * n)}"]
        return sizes if most >= 10 else [*sizes, "algorithm.batch=1"]
    if isinstance(algorithm, Rewind):
        # In evaluations: the first stretch, and each child asks once where it comes back to and once a step.
        first = algorithm.start + 1
        rounds = math.ceil(max(0, steps - algorithm.start) / (algorithm.ahead - algorithm.back))
        a_child, total = max(1, rounds * (algorithm.ahead + 1)), most * steps
        n = max(1, total // (first + CHILDREN * a_child))
        return [
            f"algorithm.n={n}",
            f"algorithm.children={max(1, (total // n - first) // a_child)}",
            f"algorithm.rounds={max(1, rounds)}",
        ]
    if name == "zero-order":
        return [f"algorithm.rounds={max(1, (most - 1) // 4)}", "algorithm.n=4"]
    return []
