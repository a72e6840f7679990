"""Laws of evolution on a denoiser (spec 23): its evaluations, its mutations, and that it beats best-of-n at the same cost."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Algorithm, Allowance, Key, Search, Session, Task
from outthink.core.events import Adapted, Resampled
from outthink.diffusion import Ancestral, Ddim, DenoisingProcess, Flow, Grid, Level, Network, reward
from outthink.diffusion.tensors import spread
from outthink.search import BestOfN, Evolve
from tests.diffusion.closed_form import MIXTURE, denoiser
from tests.laws.law import Average, runs, solve_seeds

pytestmark = pytest.mark.laws


def test_five_thousand_evaluations() -> None:
    """Spec 23, check 1, the published setting. The predictions of elites are kept with their states, and not asked for again: 3 times 5."""
    method = Evolve(schedule=(0, 20, 30, 40), sizes=(42, 26, 26, 26, 30), elites=5)
    network = MIXTURE.network()
    grid = Grid.on(Flow(), np.linspace(1.0, 0.0, 51))
    process = denoiser(Ancestral(), grid, MIXTURE, network=network, mutation="shake")
    (result,) = solve_seeds(method, lambda: process, reward(lambda x: x[:, 0], partial=False), [1])
    formula = 42 * 50 + 26 * 50 + 26 * 30 + 26 * 20 + 30 * 10
    assert formula == 5000
    assert network.asked == result.cost.denoiser_evals == formula - 3 * 5
    assert result.cost.verifier_calls == len(result.candidates) == 42 + 3 * 26 + 30


async def test_mutated_noises_keep_their_law() -> None:
    """Spec 23, check 2: beta = 0.3, variance 1, correlation 0.954; 0 copies and 1 is independent. Added noise leaves the law."""
    process = denoiser(Ddim(), Grid.on(Flow(), np.linspace(1.0, 0.0, 5)), shape=(50_000,))
    parents = await process.start(Key(1).seeds(4))
    for strength, correlation in ((0.3, 0.954), (0.0, 1.0), (1.0, 0.0)):
        moved = await process.perturb(parents, np.full(4, strength), Key(2).seeds(4), allowance=Allowance())
        both = torch.stack([parents.x.flatten(), moved.states.x.flatten()])
        assert float(both[1].var()) == pytest.approx(1.0, abs=0.01)
        assert float(torch.corrcoef(both)[0, 1]) == pytest.approx(correlation, abs=0.01 if strength == 1.0 else 0.003)
    fresh = (await process.start(Key(3).seeds(4))).x
    assert float((parents.x + 0.3 * fresh).var()) > 1.05


class Uneven(Network):
    """The exact denoiser of N(0, diag(d^2))."""

    def __init__(self, deviations: torch.Tensor) -> None:
        self.variance = deviations**2

    def data(self, x: torch.Tensor, level: Level, condition: Any) -> torch.Tensor:
        alpha, sigma = spread(level.alpha, x), spread(level.sigma, x)
        return alpha * self.variance / (alpha**2 * self.variance + sigma**2) * x


SIZE = 16
STEPS = 20
NEAR = torch.full((SIZE,), 0.6, dtype=torch.float64)


def sixteen() -> DenoisingProcess:
    network = Uneven(torch.linspace(0.3, 1.7, SIZE, dtype=torch.float64))
    return denoiser(Ancestral(), Grid.on(Flow(), np.linspace(1.0, 0.0, STEPS + 1)), network=network, shape=(SIZE,))


def best(algorithm: Algorithm[Any], seeds: int) -> tuple[Average, float]:
    judge = reward(lambda x: -torch.linalg.vector_norm(x - NEAR, dim=1), partial=False)
    results = solve_seeds(algorithm, sixteen, judge, range(seeds))
    cost = float(np.mean([r.cost.denoiser_evals for r in results]))
    return Average.of([r.scores[r.chosen or 0] for r in results]), cost


def test_evolution_beats_best_of_n_at_two_thousand_evaluations() -> None:
    """Spec 23, check 5: schedule (0, 8, 14), sizes (2k, k, k, k), two elites, beta 0.3, tournaments of 30 %."""
    k, seeds = 25, runs(60, 200)
    evolved, cost = best(Evolve(schedule=(0, 8, 14), sizes=(2 * k, k, k, k), elites=2, tournament=15), seeds)
    drawn, spent = best(BestOfN(n=round(cost / STEPS)), seeds)
    assert abs(cost - 2000) < 100
    assert abs(spent - cost) <= STEPS / 2
    assert evolved.mean > drawn.mean + 3 * math.hypot(evolved.error, drawn.error)


async def test_without_noise_elites_make_room() -> None:
    """A deterministic solver brings an elite to the same end again: neighbours take its place, and that is told."""
    session = Session.open(seed=2)
    process = denoiser(Ddim(), Grid.on(Flow(), np.linspace(1.0, 0.0, 9)))
    search = Search(lambda task: process, Evolve(n=4, schedule=(0, 4)), reward(lambda x: x[:, 0], partial=False))
    result = await search.solve(Task(), session)
    session.close()
    events = session.trace.events
    assert any(isinstance(e, Adapted) and "elites" in e.what for e in events)
    assert all(len(e.ancestors) == 4 for e in events if isinstance(e, Resampled))
    points = {tuple(np.asarray(c.content).tolist()) for c in result.candidates}
    assert len(points) == len(result.candidates) == 16
