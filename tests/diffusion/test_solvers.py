"""Every solver's error falls at its order on the closed form; solvers with noise keep the law; limits in which they are one another."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Incompatible, Key
from outthink.diffusion import (
    Ancestral,
    Ddim,
    DpmSolver,
    Euler,
    Flow,
    FlowEuler,
    FlowSde,
    Grid,
    Heun,
    Mixture,
    OnPath,
    Path,
    Plain,
    Prediction,
    SdeDpmSolver,
    Solver,
    UniPc,
    VarianceExploding,
    VariancePreserving,
)
from outthink.diffusion.conversions import from_data
from outthink.diffusion.latents import Latents
from outthink.diffusion.moves import noised
from outthink.diffusion.solvers import Here, Move
from outthink.numerics.types import FloatArray
from tests.diffusion.closed_form import MIXTURE, Apart, begun, denoiser, finished, level, many
from tests.laws.law import runs

FLOW, PRESERVING = Flow(), VariancePreserving()


def error(solver: Solver, path: Path, steps: int, end: float = 0.0) -> float:
    """Root mean square distance of 64 samples' ends from those of a fine second-order run on the same noise.

    Heun in 640 steps is itself checked against one Gaussian's closed form below.
    """
    return float((ends(solver, path, steps, end) - ends(Heun(), path, 640, end)).square().mean().sqrt())


@functools.cache
def ends(solver: Solver, path: Path, steps: int, end: float) -> torch.Tensor:
    return finished(denoiser(solver, Grid.on(path, np.linspace(0.98, end, steps + 1))), 64)


def order(solver: Solver, path: Path, steps: int) -> float:
    """log2 of how much smaller the error is for twice the steps."""
    return float(np.log2(error(solver, path, steps, 0.05) / error(solver, path, 2 * steps, 0.05)))


@pytest.mark.parametrize("path", [FLOW, PRESERVING], ids=lambda p: p.name())
@pytest.mark.parametrize("solver", [Ddim(), Euler(), FlowEuler()], ids=lambda s: s.name())
def test_first_order(solver: Solver, path: Path) -> None:
    assert 0.8 < order(solver, path, 40) < 1.3


@pytest.mark.parametrize("path", [FLOW, PRESERVING], ids=lambda p: p.name())
@pytest.mark.parametrize("solver", [Heun(), DpmSolver(), UniPc()], ids=lambda s: s.name())
def test_second_order(solver: Solver, path: Path) -> None:
    # UniPC's corrector is of one order more than its predictor.
    assert 1.7 < order(solver, path, 40) < (3.3 if isinstance(solver, UniPc) else 2.6)
    assert error(solver, path, 40, 0.05) < 0.3 * error(Ddim(), path, 40, 0.05)


@pytest.mark.parametrize("path", [FLOW, PRESERVING, VarianceExploding(largest=10.0)], ids=lambda p: p.name())
@pytest.mark.parametrize("solver", [Heun(), DpmSolver(), UniPc()], ids=lambda s: s.name())
def test_one_gaussian_ends_where_the_closed_form_says(solver: Solver, path: Path) -> None:
    """x(t) = x(T) sqrt((a^2 d^2 + s^2) / (a_T^2 d^2 + s_T^2)), down to clean data."""
    one = Mixture([1.0], [[0.0, 0.0]], [0.7])
    times = np.linspace(0.99, 0.0, 201)
    grid = Grid.on(path, times**2 if isinstance(path, VarianceExploding) else times)
    process = denoiser(solver, grid, one)
    first, start = grid.levels, begun(process, 8)
    factor = float(np.sqrt(0.7**2 / (first.alpha[0] ** 2 * 0.7**2 + first.sigma[0] ** 2)))
    assert (finished(process, 8) - factor * start).abs().max() < 2e-3 * factor * float(start.abs().max())


def test_ddim_of_a_flow_is_its_euler_step() -> None:
    grid = Grid.on(FLOW, np.linspace(1.0, 0.0, 12))
    one, other = (finished(denoiser(solver, grid), 16) for solver in (Ddim(), FlowEuler()))
    assert (one - other).abs().max() < 1e-12
    below = Grid.on(PRESERVING, np.linspace(1.0, 0.0, 12))
    one, other = (finished(denoiser(solver, below), 16) for solver in (Ddim(), Euler()))
    assert (one - other).abs().max() < 1e-10


def test_no_diffusion_is_the_euler_ode_bit_for_bit() -> None:
    """Spec 20, check 3."""
    for path in (FLOW, PRESERVING):
        grid = Grid.on(path, np.linspace(1.0, 0.0, 12))
        assert torch.equal(*(finished(denoiser(s, grid), 16) for s in (FlowSde(scale=0.0), FlowEuler())))
        assert not FlowSde(scale=0.0).stochastic
        assert not torch.allclose(*(finished(denoiser(s, grid), 16) for s in (FlowSde(scale=0.1), FlowEuler())))


def test_all_of_the_noise_is_ancestral() -> None:
    grid = Grid.on(FLOW, np.linspace(1.0, 0.0, 12))
    assert torch.equal(*(finished(denoiser(s, grid), 16) for s in (Ddim(eta=1.0), Ancestral())))
    assert torch.equal(*(finished(denoiser(s, grid), 16) for s in (Ddim(eta=0.0), Ddim())))


def test_steps_along_sigma_over_alpha_cannot_begin_in_pure_noise() -> None:
    grid = Grid.on(FLOW, np.linspace(1.0, 0.0, 5))
    for solver in (Euler(), Heun()):
        with pytest.raises(Incompatible, match="cannot begin in pure noise"):
            finished(denoiser(solver, grid), 2)


def test_rates_are_needed_along_a_clock() -> None:
    at = Grid.on(FLOW, np.linspace(0.9, 0.0, 5)).levels
    table = Grid.of_table(at.alpha, at.sigma, at.model_time)
    with pytest.raises(Incompatible, match="have no rates"):
        finished(denoiser(FlowSde(), table), 2)
    assert torch.equal(
        finished(denoiser(DpmSolver(), table), 2), finished(denoiser(DpmSolver(), Grid.on(FLOW, at.time)), 2)
    )


# -- the law ----------------------------------------------------------------------------------------------------------

N = runs(20_000, 40_000)
STEPS = runs(250, 1000)


def moments(x: FloatArray) -> tuple[float, float, float]:
    """Mean, variance and the mass on the left of -0.2."""
    return float(x.mean()), float(x.var()), float((x < -0.2).mean())


def is_the_mixture(x: FloatArray) -> bool:
    """Spec 20, check 2: mean 0.25 +- 0.03, variance 1.45 +- 0.04, left mass 0.300 +- 0.010."""
    mean, variance, left = moments(x)
    return abs(mean - 0.25) < 0.03 and abs(variance - 1.4515) < 0.04 and abs(left - 0.3) < 0.01


@pytest.mark.laws
@pytest.mark.parametrize("path", [FLOW, PRESERVING], ids=lambda p: p.name())
@pytest.mark.parametrize(
    "solver",
    [FlowSde(scale=0.0), FlowSde(), Ancestral(), SdeDpmSolver(), Ddim(eta=0.5)],
    ids=["ode", "flow-sde", "ancestral", "sde-dpm-solver", "ddim"],
)
def test_solvers_with_noise_keep_the_law(solver: Solver, path: Path) -> None:
    assert is_the_mixture(many(solver, Grid.on(path, np.linspace(1.0, 0.0, STEPS + 1)), N))


class HalfTheScore(FlowSde):
    """The noise of the SDE without the half in front of the score: g^2 in place of g^2 / 2."""

    def move(self, here: Here) -> Move:
        right, ode = super().move(here), FlowSde(scale=0.0).move(here)
        return Move(right.mean + (right.mean - ode.mean), right.deviation)


class NoScore(FlowSde):
    """Noise added to the ODE, and nothing taken back."""

    def move(self, here: Here) -> Move:
        return Move(FlowSde(scale=0.0).move(here).mean, super().move(here).deviation)


@pytest.mark.laws
@pytest.mark.parametrize("wrong", [HalfTheScore(), NoScore()], ids=lambda s: type(s).__name__)
def test_known_wrong_sdes_are_rejected(wrong: Solver) -> None:
    for path in (FLOW, PRESERVING):
        assert not is_the_mixture(many(wrong, Grid.on(path, np.linspace(1.0, 0.0, STEPS + 1)), N))


@pytest.mark.laws
def test_a_changed_path_keeps_the_law() -> None:
    """A flow model, sampled on the variance-preserving path with noise."""

    def flow_model(x: torch.Tensor, time: torch.Tensor, condition: object) -> torch.Tensor:
        where = level(FLOW, *time.tolist())
        return from_data(Prediction.FLOW, Apart(MIXTURE).data(x, where, None), x, where)

    changed = OnPath(Plain(flow_model, Prediction.FLOW), FLOW)
    process = denoiser(
        Ancestral(), Grid.on(PRESERVING, np.linspace(1.0, 0.0, STEPS + 1)), network=changed, shape=(N // 4,)
    )
    assert is_the_mixture(finished(process, 4).reshape(-1).numpy())


@pytest.mark.laws
def test_noise_from_the_forward_kernel_keeps_the_marginal() -> None:
    """Spec 19, check 4: linear flow, data N(0, 1), 0.11 to 0.89: variance 0.8042, and 0.791915 given where it came from."""
    rng = np.random.default_rng(5)
    n = 200
    x = torch.from_numpy(np.sqrt(0.89**2 + 0.11**2) * rng.standard_normal((n, 1000)))
    states, seeds = Latents.fresh(x, 0), Key(3).seeds(n)
    grid = Grid.on(FLOW, np.array([0.89, 0.11]))
    after = noised(states, grid.at(np.ones(n, np.int64)), grid.at(np.zeros(n, np.int64)), seeds)
    assert float(after.var()) == pytest.approx(0.8042, abs=0.01)
    assert float((after - 0.11 / 0.89 * x).var()) == pytest.approx(0.791915, abs=0.01)
