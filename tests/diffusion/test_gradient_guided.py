"""Steps that lean along a gradient: the weights pay for it exactly, and leaving that out is noticed."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from functools import cache
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Advance, Allowance, Key, SettingsError
from outthink.diffusion import Ancestral, Ddim, DenoisingProcess, Flow, GradientGuided, Grid, Mixture, differentiable
from outthink.search import Difference, ParticleFilter
from outthink.testing.contracts import CompletableContract, PerturbableContract, ProcessContract, RewindableContract
from tests.diffusion.closed_form import MIXTURE, PLANE, begun, denoiser, finished
from tests.diffusion.test_process import DenoisingContract
from tests.laws.law import Average, evidences, runs, solve_seeds, weighted

HEIGHT = differentiable(lambda x: x[:, 0], name="height")
GRID = Grid.on(Flow(), np.linspace(1.0, 0.0, 25))
TILTED, LOG_Z = MIXTURE.tilted(np.ones(1), 1.0)
SEEDS = range(runs(16, 400))


def guided(solver: Any = None, **how: Any) -> GradientGuided:
    settings = {"strength": 1.0, "data_deviation": 1.2, "dtype": torch.float64, **how}
    return GradientGuided(MIXTURE.network(), GRID, solver or Ancestral(), (1,), HEIGHT, **settings)


class Unpaid(GradientGuided):
    """Known to be wrong: leans, and pays nothing."""

    async def advance(self, *given: Any, **how: Any) -> Advance[Any]:
        moved = await super().advance(*given, **how)
        return dataclasses.replace(moved, log_ratio=np.zeros(len(moved.done)))


def unpaid() -> GradientGuided:
    return Unpaid(
        MIXTURE.network(), GRID, Ancestral(), (1,), HEIGHT, strength=1.0, data_deviation=1.2, dtype=torch.float64
    )


class TestLeaning(DenoisingContract, ProcessContract, RewindableContract, PerturbableContract, CompletableContract):
    @pytest.fixture
    def process(self) -> DenoisingProcess:
        return GradientGuided(
            PLANE.network(), Grid.on(Flow(), np.linspace(0.95, 0.0, 7)), Ancestral(), (2,), HEIGHT, dtype=torch.float64
        )


def weighed(make: Any, ess_threshold: float) -> tuple[Average, Average]:
    method = ParticleFilter(n=64, twist=Difference(strength=1.0), ess_threshold=ess_threshold)
    results = solve_seeds(method, make, HEIGHT, SEEDS)
    return Average.of(evidences(results)), Average.of(weighted(results, lambda x: float(x[0])))


@cache
def of_plain_steps() -> tuple[Average, Average]:
    """The means of e^x and x e^x over plain steps, whose law at 24 of them is the target: 2% and 7% below the mixture's."""
    n = 200_000
    process = denoiser(Ancestral(), GRID, MIXTURE)
    states = asyncio.run(process.start(Key(3).child("start").seeds(n)))
    seeds = Key(3).child("steps").seeds(n)
    x = asyncio.run(process.advance(states, seeds, steps=None, allowance=Allowance())).states.x[:, 0].double().numpy()
    return Average.of(np.exp(x)), Average.of(x * np.exp(x))


def agree(one: Average, other: Average) -> bool:
    """Within four standard errors of both."""
    return abs(one.mean - other.mean) <= 4 * math.hypot(one.error, other.error)


@pytest.mark.laws
@pytest.mark.parametrize("ess_threshold", [0.0, 0.9], ids=["weighted", "resampled"])
def test_leaning_reaches_the_tilted_law_of_plain_steps(ess_threshold: float) -> None:
    z, first = weighed(guided, ess_threshold)
    plain_z, plain_first = of_plain_steps()
    assert z.sharp(0.06, plain_z.mean)
    assert agree(z, plain_z)
    assert agree(first, plain_first)


def test_plain_steps_are_near_the_tilted_mixture() -> None:
    z, first = of_plain_steps()
    exact = math.exp(LOG_Z)
    assert z.mean == pytest.approx(exact, rel=0.03)
    assert first.mean == pytest.approx(exact * float(TILTED.mean[0]), rel=0.08)


@pytest.mark.laws
def test_leaning_without_paying_is_rejected() -> None:
    z, _ = weighed(unpaid, 0.0)
    assert not agree(z, of_plain_steps()[0])


def test_weights_are_nearly_even_where_leaning_is_exact() -> None:
    """On a normal law each step leans as the exact law would, but for the grid: log-weights vary 4 nats squared without it."""
    normal = Mixture([1.0], [[0.3]], [1.0])
    plain = denoiser(Ancestral(), GRID, normal)
    leaning = GradientGuided(
        normal.network(), GRID, Ancestral(), (1,), HEIGHT, strength=2.0, longest=50.0, dtype=torch.float64
    )

    def spread(process: DenoisingProcess) -> float:
        states = asyncio.run(process.start(Key(3).child("start").seeds(400)))
        seeds = Key(3).child("steps").seeds(400)
        moved = asyncio.run(process.advance(states, seeds, steps=None, allowance=Allowance()))
        return float((moved.log_ratio + 2.0 * moved.states.x[:, 0].numpy()).var())

    assert spread(plain) > 3.0
    assert spread(leaning) < 0.3


def test_no_strength_and_no_noise_are_plain_steps() -> None:
    plain = denoiser(Ancestral(), GRID, MIXTURE)
    assert torch.equal(finished(guided(strength=0.0), 4), finished(plain, 4))
    assert torch.equal(finished(guided(Ddim()), 4), finished(denoiser(Ddim(), GRID, MIXTURE), 4))
    assert torch.equal(begun(guided(), 4), begun(plain, 4))
    assert float(finished(guided(strength=3.0), 64).mean()) > float(finished(plain, 64).mean()) + 0.3


def test_the_gradient_goes_through_the_decoder() -> None:
    """A decoder that turns the sign turns the leaning too."""
    up = finished(guided(strength=3.0), 64)
    down = finished(guided(strength=3.0, decode=lambda z: -z), 64)
    assert float(down.mean()) < float(up.mean()) - 0.5


@pytest.mark.parametrize("name", ["longest", "data_deviation"])
def test_a_length_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        guided(**{name: 0.0})
