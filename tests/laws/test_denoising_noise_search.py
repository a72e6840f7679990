"""Laws of searching a denoiser's noise: the closed forms of spec 19 for random and zero-order search, on a deterministic sampler."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Algorithm, Allowance, Key
from outthink.diffusion import Ddim, DenoisingProcess, Grid, Mixture, Trigonometric, reward
from outthink.search import BestOfN, ZeroOrder
from tests.diffusion.closed_form import denoiser
from tests.laws.law import Average, runs, solve_seeds

pytestmark = pytest.mark.laws

STEPS = 6
SHRUNK = math.cos(0.5 * math.pi / STEPS) ** STEPS
"""N(0, I) data on the trigonometric path: a deterministic step multiplies by the cosine of its angle, so a sample is its noise, shrunk."""


def normal(dimensions: int) -> DenoisingProcess:
    data = Mixture([1.0], [[0.0] * dimensions], [1.0])
    return denoiser(Ddim(), Grid.on(Trigonometric(), np.linspace(1.0, 0.0, STEPS + 1)), data)


def best(algorithm: Algorithm[object], dimensions: int, seeds: int) -> Average:
    judge = reward(lambda x: x[:, 0] / SHRUNK, partial=False)
    results = solve_seeds(algorithm, lambda: normal(dimensions), judge, range(seeds))
    return Average.of([r.scores[r.chosen or 0] for r in results])


@pytest.mark.parametrize(("n", "exact"), [(4, 1.0294), (16, 1.7660), (64, 2.3437)])
def test_random_search_finds_the_largest_of_n_normals(n: int, exact: float) -> None:
    """Spec 19, check 2."""
    found = best(BestOfN(n=n), 1, runs(150, 1000))
    assert found.error < 0.08
    assert found.agrees(exact)


def test_zero_order_search_climbs() -> None:
    """Spec 19, check 3: d = 64, n = 4, cosine 0.95: 5.14 after 129 samples where random search has 2.57; 2.19 after 33."""
    strength = math.sqrt(1 - 0.95**2)
    far = best(ZeroOrder(n=4, rounds=32, strength=strength), 64, runs(10, 60))
    near = best(ZeroOrder(n=4, rounds=8, strength=strength), 64, runs(30, 200))
    random = best(BestOfN(n=129), 64, runs(30, 200))
    assert far.mean > 4.9 - 2 * far.error
    assert random.agrees(2.57)
    assert abs(near.mean - 2.19) < 0.04 + 4 * near.error
    assert far.mean > random.mean + 1.5


@pytest.mark.parametrize("cosine", [0.0, 0.9, 0.95])
async def test_neighbours_of_noises_keep_the_normal_law(cosine: float) -> None:
    """Spec 19, check 1, in law: variance 1 and the cosine to the pivot, after ten rounds as after one."""
    process, n = normal(64), 400
    states = pivots = await process.start(Key(3).seeds(n))
    strength = np.full(n, math.sqrt(1 - cosine**2))
    for turn in range(10):
        pivots = states
        states = (
            await process.perturb(states, strength, Key(4).child(str(turn)).seeds(n), allowance=Allowance())
        ).states
    assert float(states.x.var()) == pytest.approx(1.0, abs=0.03)
    assert float(torch.cosine_similarity(states.x, pivots.x).mean()) == pytest.approx(cosine, abs=0.02)
    again = await process.perturb(states, np.zeros(n), Key(5).seeds(n), allowance=Allowance())
    assert torch.equal(again.states.x, states.x)
