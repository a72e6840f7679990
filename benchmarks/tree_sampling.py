"""Does diffusion tree sampling draw from the tilted law? On a plane of 25 normal modes of which the reward wants two rare ones.

    .venv/bin/python benchmarks/tree_sampling.py [--rare 0.005] [--budgets 2000 8000 32000] [--seeds 8]

The structure is that of the published toys: a mixture in the plane, an exact denoiser, branches at every fifth of the way, widening 2
N^0.8. The two wanted modes have a share `rare` of the samples together, three fifths of it one of them; the reward is -|x - mode|^2 /
0.18 to the nearer one, no less than -12, and the strength is 1. Every method is given the same evaluations and reward calls, each
counted as one. Printed: half the absolute difference between the masses (either mode, and elsewhere) that a method's weighted samples
have and those of the target, the evidence over the target's, and effective samples; means over seeds, and the standard error of the
first. The target is that of 60,000 plain samples of the same solver by their weights.
"""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from outthink.core import Algorithm, Allowance, Budget, Search, Session, Task
from outthink.diffusion import Ancestral, DenoisingProcess, Flow, Grid, Mixture, reward
from outthink.numerics.types import FloatArray
from outthink.search import Boltzmann, Difference, LogMeanExp, ParticleFilter, Tree, Uniform
from outthink.search.selection import AnySelection

STEPS, LEVELS, REFERENCE = 20, (0, 4, 8, 12, 16), 60_000
MODES = np.array([[i, j] for i in range(-2, 3) for j in range(-2, 3)], np.float64)
WANTED, WIDTH, FLOOR = (24, 0), 0.3, -12.0


@dataclass(frozen=True)
class Entrant:
    """How a method is made for a budget. `partial`: whether samples under way are judged."""

    made: Callable[[int], Algorithm[Any]]
    partial: bool = False


def tree(selection: AnySelection) -> Entrant:
    def made(budget: int) -> Tree:
        return Tree(
            n=10**6,
            batch=min(32, budget // 200),
            levels=LEVELS,
            widening=2.0,
            exponent=0.8,
            selection=selection,
            backup=LogMeanExp(),
            strength=1.0,
            choose="sample",
        )

    return Entrant(made)


def filter_of(cost: int, threshold: float, partial: bool) -> Entrant:
    twist = Difference(strength=1.0)
    return Entrant(
        lambda budget: ParticleFilter(n=budget // cost, ess_threshold=threshold, twist=twist, choose="sample"), partial
    )


ENTRANTS = {
    "importance sampling": filter_of(STEPS + 1, 0.0, partial=False),
    "filter, difference": filter_of(2 * STEPS, 0.5, partial=True),
    "tree, Boltzmann (published)": tree(Boltzmann()),
    "tree, uniform": tree(Uniform()),
}


def process(rare: float) -> DenoisingProcess:
    shares = np.full(len(MODES), (1.0 - rare) / (len(MODES) - 2))
    shares[list(WANTED)] = 0.6 * rare, 0.4 * rare
    network = Mixture(list(shares), MODES.tolist(), [0.15] * len(MODES)).network()
    grid = Grid.on(Flow(), np.linspace(1.0, 0.0, STEPS + 1))
    return DenoisingProcess(network, grid, Ancestral(), (2,), dtype=torch.float64)


def nearness(x: torch.Tensor) -> torch.Tensor:
    away = torch.stack([((x - torch.tensor(MODES[k])) ** 2).sum(dim=1) for k in WANTED]).amin(dim=0)
    return (-away / (2.0 * WIDTH**2)).clamp_min(FLOOR)


def masses(x: FloatArray, weights: FloatArray) -> FloatArray:
    """Of either mode and of everything else, [3], for samples [n, 2] by their weights [n]."""
    inside = [float(weights[np.abs(x - MODES[k]).max(axis=1) < 0.5].sum()) for k in WANTED]
    return np.array([*inside, 1.0 - sum(inside)])


async def target(rare: float) -> tuple[FloatArray, float]:
    """The target's masses and log evidence, by the solver's own samples."""
    drawn, seeds = process(rare), np.random.default_rng(1).integers(0, 2**63, REFERENCE, dtype=np.uint64)
    moved = await drawn.advance(await drawn.start(seeds), seeds, steps=None, allowance=Allowance())
    weights = np.exp(nearness(moved.states.x).numpy())
    return masses(moved.states.x.numpy(), weights / weights.sum()), math.log(weights.mean())


async def measured(entrant: Entrant, rare: float, budget: int, seed: int) -> tuple[FloatArray, float, float]:
    """Masses, log evidence and effective samples of one search."""
    judge = reward(nearness, partial=entrant.partial)
    search = Search(lambda task: process(rare), entrant.made(budget), judge, max_steps=10**6)
    # A sample costs its steps and one call, and trees are not told how many they will draw.
    evaluations = budget * STEPS // (STEPS + 1)
    result = await search.solve(Task(), Session.open(seed=seed, budget=Budget(denoiser_evals=evaluations)))
    x = np.array([one.content.numpy() for one in result.candidates])
    weights = np.array(result.weights) / sum(result.weights)
    return masses(x, weights), result.log_evidence or 0.0, float(1.0 / (weights**2).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rare", type=float, default=0.005)
    parser.add_argument("--budgets", type=int, nargs="*", default=[2_000, 8_000, 32_000])
    parser.add_argument("--seeds", type=int, default=8)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    exact, log_evidence = asyncio.run(target(asked.rare))
    print(f"target: masses {np.round(exact, 3).tolist()}, log evidence {log_evidence:.3f}")
    print("| method | budget | masses off by | evidence over the target's | effective samples |")
    print("|---|---|---|---|---|")
    for budget in asked.budgets:
        for name, entrant in ENTRANTS.items():
            found = [asyncio.run(measured(entrant, asked.rare, budget, seed)) for seed in range(asked.seeds)]
            off = np.array([0.5 * np.abs(got - exact).sum() for got, _, _ in found])
            ratio = np.mean([math.exp(log_z - log_evidence) for _, log_z, _ in found])
            effective = np.mean([one for _, _, one in found])
            error = off.std(ddof=1) / math.sqrt(len(off))
            print(
                f"| {name} | {budget:,} | {off.mean():.2f} ± {error:.2f} | {ratio:.2f} | {effective:.0f} |", flush=True
            )


if __name__ == "__main__":
    main()
