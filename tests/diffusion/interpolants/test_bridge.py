"""A bridge keeps the contract of processes, starts from data, and refuses by name what it cannot do."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Allowance, Budget, Cost, Incompatible, Key, Process, Search, SettingsError
from outthink.diffusion import Ancestral, DenoisingProcess, Flow, FlowEuler, FlowHeun, FlowSde, Grid, Solver, reward
from outthink.diffusion.interpolants import (
    Bridge,
    Field,
    Learned,
    LinearInterpolant,
    MixturePair,
    Noiseless,
    OneSided,
)
from outthink.diffusion.spacings import even
from outthink.search import BestOfN, Difference, ParticleFilter, ZeroOrder
from outthink.testing.contracts import CompletableContract, ProcessContract
from tests.diffusion.closed_form import PLANE, begun, denoiser, finished, solved
from tests.diffusion.interpolants.shared import LEFT, RIGHT, carried

TIMES = np.linspace(0.0, 1.0, 7)
STARTS = torch.from_numpy(LEFT.sample(50, np.random.default_rng(2)))
NOISY = FlowSde(scale=2.0, power=0.5, start=0.5)


def bridge(solver: Solver, starts: torch.Tensor = STARTS, **how: Any) -> Bridge:
    network = how.pop("network", None) or MixturePair(LEFT, RIGHT, LinearInterpolant())
    return Bridge(network, starts, how.pop("times", TIMES), solver, dtype=torch.float64, **how)


class TestBridge(ProcessContract, CompletableContract):
    column = "denoiser_evals"

    @pytest.fixture(params=[NOISY, FlowEuler(), FlowHeun()], ids=lambda s: s.name())
    def process(self, request: pytest.FixtureRequest) -> Bridge:
        return bridge(request.param)

    def same(self, process: Process[Any], left: Any, right: Any) -> bool:
        """As of denoising processes; velocity and score included."""
        exact = all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("asked", "level", "known"))
        pairs = [(left.x, right.x), (left.data, right.data), (left.slopes, right.slopes)]
        return exact and all(a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in pairs)

    def counters(self, process: Any) -> Cost:
        return Cost(denoiser_evals=process.network.asked, calls=process.calls)


def test_it_starts_from_the_data_each_member_from_its_own_seed() -> None:
    states = asyncio.run(bridge(NOISY).start(Key(1).seeds(200)))
    rows = {tuple(row) for row in STARTS.tolist()}
    begun_at = [tuple(row) for row in states.x.tolist()]
    assert set(begun_at) <= rows
    assert len(set(begun_at)) > 40
    again = asyncio.run(bridge(NOISY).start(Key(1).seeds(200)[[5, 3]]))
    assert torch.equal(again.x, states.x[[5, 3]])


def test_versions_of_one_sample_part_by_noise_alone() -> None:
    for solver, part in ((NOISY, True), (FlowHeun(), False)):
        process = bridge(solver, STARTS[:1])
        states = asyncio.run(process.start(Key(1).seeds(3)))
        seeds = Key(2).seeds(3)
        ends = asyncio.run(process.advance(states, seeds, steps=None, allowance=Allowance())).states.x
        assert torch.equal(states.x[0], states.x[2])
        assert torch.allclose(ends[0], ends[2]) is not part
        assert process.forks_part is part


def test_the_ode_there_and_back_is_the_identity() -> None:
    """And with noise it is not."""
    fine = np.linspace(0.0, 1.0, 101)
    network = MixturePair(LEFT, RIGHT, LinearInterpolant())
    back = MixturePair(RIGHT, LEFT, LinearInterpolant().backward())
    there = carried(network, STARTS, fine, FlowHeun())
    assert (carried(back, there, fine, FlowHeun()) - STARTS).abs().max() < 2e-3
    assert (carried(back, carried(network, STARTS, fine, NOISY), fine, NOISY) - STARTS).abs().max() > 0.5


def test_steering_a_bridge_raises_the_reward_within_the_budget() -> None:
    """Search moves a bridge like any process: the filter's answers score higher than plain samples, and the budget holds."""
    judge = reward(lambda x: 2.0 * x[:, 1])
    times = np.linspace(0.0, 1.0, 21)

    def mean(algorithm: Any) -> float:
        found = []
        for seed in range(6):
            budget = Budget(denoiser_evals=16 * 20)
            result = solved(Search(lambda task: bridge(NOISY, times=times), algorithm, judge), seed, budget)
            assert result.cost.denoiser_evals <= 16 * 20
            found += [float(np.average(result.scores, weights=np.maximum(result.weights, 1e-12)))]
        return float(np.mean(found))

    plain = mean(ParticleFilter(n=16, twist=Difference(strength=1e-6)))
    assert mean(ParticleFilter(n=16, twist=Difference(strength=1.0))) > plain + 0.5


def test_neither_rewinding_nor_mutation_is_claimed() -> None:
    with pytest.raises(Incompatible, match="Perturbable"):
        solved(Search(lambda task: bridge(FlowHeun()), ZeroOrder(), reward(lambda x: x[:, 0])))
    assert solved(Search(lambda task: bridge(FlowHeun()), BestOfN(n=2), reward(lambda x: x[:, 0]))).candidates


def test_what_cannot_be_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(Incompatible, match="leads out of noise"):
        bridge(Ancestral())
    with pytest.raises(SettingsError, match="has to start somewhere"):
        bridge(NOISY, STARTS[:0])
    with pytest.raises(SettingsError, match="do not go from noise to data"):
        bridge(NOISY, times=TIMES[::-1])
    only = Learned(LinearInterpolant(gamma=Noiseless()), {Field.VELOCITY: lambda x, t: x})
    with pytest.raises(Incompatible, match="no score for a solver with noise"):
        bridge(NOISY, network=only)
    assert not bridge(FlowHeun(), network=only).forks_part


def test_a_field_that_is_not_finite_loses_its_sample_alone() -> None:
    def broken(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return torch.where(x[:, :1] > 0.0, torch.full_like(x, torch.nan), x)

    network = Learned(LinearInterpolant(), {Field.VELOCITY: lambda x, t: x, Field.NOISE: broken})
    process = bridge(NOISY, torch.tensor([[1.0, 1.0], [-1.0, 1.0]], dtype=torch.float64), network=network)
    moved = asyncio.run(process.advance(process.begun(process.starts), Key(1).seeds(2), steps=1, allowance=Allowance()))
    assert list(moved.failures) == [0]
    assert torch.isfinite(moved.states.x).all()


def test_a_one_sided_interpolant_is_a_denoising_process() -> None:
    """Spec 30, check 4: the same samples bit for bit up to rounding, with noise and without, from one learned field."""
    exact = MixturePair(PLANE, PLANE, OneSided())

    def eta(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return exact.means(x, t.numpy()).noise

    # Where there is no signal the noise says nothing about data; both begin a little below.
    grid = Grid.on(Flow(), np.linspace(0.98, 0.0, 21))
    learned = Learned(OneSided(), {Field.NOISE: eta}, margin=1e-6)
    for solver in (FlowEuler(), FlowSde()):
        process = DenoisingProcess(learned, grid, solver, (2,), dtype=torch.float64)
        assert torch.equal(begun(process, 16), begun(denoiser(solver, grid, PLANE), 16))
        assert (finished(process, 16) - finished(denoiser(solver, grid, PLANE), 16)).abs().max() < 1e-9


def test_the_denoiser_step_of_a_linear_one_sided_path_is_the_euler_step() -> None:
    """Spec 30, check 4: X_u = (b_u / b_t) X_t + (a_u - a_t b_u / b_t) E[z | x], to 1e-12."""
    network, x = MixturePair(PLANE, PLANE, OneSided()), STARTS
    now, then = np.full(50, 0.4), np.full(50, 0.47)
    eta, b = network.means(x, now).noise, network.velocity(x, now)
    step = (0.47 / 0.4) * x + (0.53 - 0.6 * 0.47 / 0.4) * eta
    assert (step - (x + 0.07 * b)).abs().max() < 1e-12
    assert (then - now).max() == pytest.approx(0.07)
    assert even(2).tolist() == [1.0, 0.5, 0.0]
