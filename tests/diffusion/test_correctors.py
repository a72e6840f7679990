"""Feynman-Kac correctors: the contract of processes, the formulas against the published ones, limits where nothing is to be corrected."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Allowance, Cost, Incompatible, Key, Search, SettingsError
from outthink.diffusion import Flow, Grid, Level, Mixture, Network, VarianceExploding
from outthink.diffusion.correctors import (
    Combination,
    CorrectedProcess,
    Corrector,
    GeometricGuidance,
    Given,
    Indifferent,
    Product,
    annealed,
)
from outthink.diffusion.network import Condition
from outthink.diffusion.solvers import Here, Past
from outthink.numerics.resampling import systematic
from outthink.search import ParticleFilter, ZeroOrder
from outthink.testing.contracts import CompletableContract, ProcessContract
from tests.diffusion.closed_form import PLANE, samples, solved

OTHER = Mixture([0.6, 0.4], [[0.5, -0.5], [-1.0, -1.0]], [0.7, 0.4])
FALLING = Grid.on(Flow(), np.linspace(0.95, 0.0, 7))
EXPLODING = Grid.on(VarianceExploding(), np.array([10.0, 5.0, 2.0, 0.8, 0.2, 0.02]) / 80.0)


class Switched(Network):
    """PLANE where the condition is 1, OTHER where it is 0."""

    def __init__(self) -> None:
        self.plane, self.other = PLANE.network(), OTHER.network()

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        both = self.plane.data(x, level, None), self.other.data(x, level, None)
        return torch.where(condition[:, None] > 0.5, *both)

    @property
    def asked(self) -> int:
        return self.plane.asked


def corrected(combination: Combination, grid: Grid = FALLING, corrector: Corrector | None = None) -> CorrectedProcess:
    return CorrectedProcess(
        combination, grid, corrector or Corrector(), (2,), condition=torch.ones(1), dtype=torch.float64
    )


class CorrectedContract(ProcessContract, CompletableContract):
    column = "denoiser_evals"

    def same(self, process: Any, left: Any, right: Any) -> bool:
        """Kernels may sum in another order for another batch size: numbers agree to 1e-12, everything else exactly."""
        exact = all(np.array_equal(getattr(left, name), getattr(right, name)) for name in ("asked", "level"))
        pairs = [(left.x, right.x), (left.data, right.data), (left.slopes, right.slopes)]
        return exact and all(a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in pairs)

    def counters(self, process: Any) -> Cost:
        networks = (
            process.network.networks if isinstance(process.network, Product) else [process.network.guided.network]
        )
        return Cost(denoiser_evals=sum(network.asked for network in networks), calls=process.calls)


class TestProducts(CorrectedContract):
    @pytest.fixture
    def process(self) -> CorrectedProcess:
        return corrected(Product([PLANE.network(), OTHER.network()], [1.5, -0.3]))


class TestAnnealing(CorrectedContract):
    @pytest.fixture
    def process(self) -> CorrectedProcess:
        return corrected(annealed(PLANE.network(), 2.0))


class TestGuidance(CorrectedContract):
    @pytest.fixture
    def process(self) -> CorrectedProcess:
        return corrected(GeometricGuidance(Switched(), torch.zeros(1), 2.0))


# -- formulas ----------------------------------------------------------------------------------------------------------------


def step(combination: Combination, corrector: Corrector, at: int = 1, n: int = 50) -> tuple[Any, dict[str, Any]]:
    """One step's move from random places, and what the published formulas need: scores, and the integral of sigma^2."""
    bound = msgspec.structs.replace(corrector, exponents=combination.exponents)
    x = samples(PLANE, n) * 3.0
    level, below = EXPLODING.at(np.full(n, at)), EXPLODING.at(np.full(n, at + 1))
    each = combination.predictions(x, level, torch.ones(n))
    data = combination.together(each)
    move = bound.move(Here(x, data, level, below, Past((), (), np.zeros(n, np.int64)), lambda x, where: x, slopes=each))
    k, k1 = float(level.sigma[0]), float(below.sigma[0])
    return move, {"x": x, "s": ((each - x[:, None]) / k**2).numpy(), "length": k**2 - k1**2}


def squared(s: Any) -> Any:
    return (s**2).sum(axis=-1)


@pytest.mark.parametrize("exponents", [(1.0, 1.0), (0.7, 0.7), (2.0, -0.5), (-1.0, 2.0)], ids=str)
def test_steps_and_weights_are_the_published_ones_without_a_deviation(exponents: tuple[float, float]) -> None:
    """dx = S D + sqrt(D) xi, dw = (|S|^2 - sum b_i |s_i|^2) D / 2 (spec 22, general product; VE, where f = 0)."""
    product = Product([PLANE.network(), OTHER.network()], exponents)
    move, of = step(product, Corrector(deviation=None))
    total = np.einsum("i,nid->nd", exponents, of["s"])
    expected = 0.5 * of["length"] * (squared(total) - squared(of["s"]) @ np.array(exponents))
    assert np.allclose(move.log_ratio, expected, rtol=1e-12, atol=1e-12)
    assert np.allclose(move.mean.numpy(), of["x"].numpy() + of["length"] * total, rtol=1e-12)
    assert np.allclose(move.deviation, math.sqrt(of["length"]))


@pytest.mark.parametrize("deviation", [None, 1.0])
def test_guidance_is_the_product_with_one_minus_w_and_w(deviation: float | None) -> None:
    """Check 4, to 1e-12, and the formula of its own: D w (w - 1) |s_u - s_c|^2 / 2, positive for w > 1."""
    scale, how = 2.5, Corrector(deviation=deviation)
    guidance, of = step(GeometricGuidance(Switched(), torch.zeros(1), scale), how)
    product, _ = step(Product([OTHER.network(), PLANE.network()], [1.0 - scale, scale]), how)
    told, _ = step(Product([Given(Switched(), torch.zeros(1)), Switched()], [1.0 - scale, scale]), how)
    for other in (product, told):
        assert np.allclose(guidance.log_ratio, other.log_ratio, rtol=1e-12)
        assert torch.allclose(guidance.mean, other.mean, rtol=1e-12)
    if deviation is None:
        apart = squared(of["s"][:, 0] - of["s"][:, 1])
        assert np.allclose(guidance.log_ratio, 0.5 * of["length"] * scale * (scale - 1.0) * apart, rtol=1e-12)
    assert (guidance.log_ratio > 0).all()


@pytest.mark.parametrize("beta", [2.0, 0.5])
def test_target_score_and_tempered_noise_carry_the_same_weights(beta: float) -> None:
    """Check 4: a = 0 is noise 1, a = 1/2 is noise 1 / sqrt(beta) with drift (beta + 1) / 2 sigma^2 s."""
    cold = Corrector(deviation=None, noise=1.0 / math.sqrt(beta))
    (target, of), (tempered, _) = (
        step(annealed(PLANE.network(), beta), how) for how in (Corrector(deviation=None), cold)
    )
    assert np.array_equal(target.log_ratio, tempered.log_ratio)
    drift = of["length"] * of["s"][:, 0]
    assert np.allclose(target.mean.numpy(), of["x"].numpy() + beta * drift)
    assert np.allclose(tempered.mean.numpy(), of["x"].numpy() + 0.5 * (beta + 1.0) * drift)
    assert np.allclose(tempered.deviation, target.deviation / math.sqrt(beta))
    expected = 0.5 * of["length"] * beta * (beta - 1.0) * squared(of["s"][:, 0])
    assert np.allclose(target.log_ratio, expected, rtol=1e-12)


def test_exponents_of_nested_combinations_multiply() -> None:
    inner = Product([PLANE.network(), OTHER.network()], [0.5, 1.5])
    outer = Product([inner, PLANE.network()], [2.0, 0.25])
    assert outer.exponents == (1.0, 3.0, 0.25)
    assert outer.sharpness == pytest.approx(4.25)
    assert outer.evaluations == 3


# -- limits ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "one",
    [
        lambda: annealed(PLANE.network(), 1.0),
        lambda: GeometricGuidance(Switched(), torch.zeros(1), 0.0),
        lambda: GeometricGuidance(Switched(), torch.zeros(1), 1.0),
        lambda: Product([PLANE.network(), OTHER.network()], [1.0, 0.0]),
    ],
    ids=["annealed by 1", "guided by 0", "guided by 1", "one expert"],
)
def test_one_network_as_it_is_needs_no_weights(one: Any) -> None:
    """Check 4: every increment is exactly 0 and resampling never fires."""
    result = solved(Search(lambda task: corrected(one()), ParticleFilter(n=8, ess_threshold=0.999), Indifferent()))
    assert one().is_one_network
    assert result.log_evidence == 0.0
    assert result.weights == pytest.approx([1.0 / 8.0] * 8, abs=0.0)
    assert result.cost.denoiser_evals == 8 * FALLING.steps
    assert result.cost.verifier_calls == 0


def test_many_steps_in_one_call_weigh_what_single_steps_weigh() -> None:
    process = corrected(Product([PLANE.network(), OTHER.network()]))
    states, seeds = asyncio.run(process.start(Key(1).seeds(6))), Key(2).seeds(6)
    whole = asyncio.run(process.advance(states, seeds, steps=3, allowance=Allowance()))
    first = asyncio.run(process.advance(states, seeds, steps=1, allowance=Allowance()))
    assert (whole.log_ratio != first.log_ratio).all()
    assert np.isfinite(whole.log_ratio).all()


def test_a_constant_added_to_all_weights_changes_nobody() -> None:
    """Check 6, and check 5's counts: within 1 of K p."""
    rng = np.random.default_rng(3)
    log_w = 5.0 * rng.standard_normal(40)
    for shift in (0.0, 700.0, -700.0):
        p = np.exp(log_w + shift - (log_w + shift).max())
        p /= p.sum()
        ancestors = systematic(p, 40, np.random.default_rng(9))
        counts = np.bincount(ancestors, minlength=40)
        assert (np.abs(counts - 40 * p) < 1.0 + 1e-9).all()
        assert shift != 0.0 or (first := ancestors) is not None
        assert np.array_equal(ancestors, first)


def test_weights_are_frozen_outside_their_window() -> None:
    process = corrected(annealed(PLANE.network(), 2.0), EXPLODING, Corrector(least=0.5, most=4.0))
    states, moved = asyncio.run(process.start(Key(1).seeds(5))), []
    for number in range(EXPLODING.steps):
        advance = asyncio.run(process.advance(states, Key(number).seeds(5), steps=1, allowance=Allowance()))
        states = advance.states
        moved.append(bool(advance.log_ratio.any()))
    assert moved == [4.0 >= k >= 0.5 for k in EXPLODING.levels.sigma[:-1].round(6).tolist()]


# -- what is refused -----------------------------------------------------------------------------------------------------------


def test_what_cannot_be_normalised_is_refused_or_named() -> None:
    with pytest.raises(SettingsError, match="cannot be normalised"):
        Product([PLANE.network(), OTHER.network()], [1.0, -1.0])
    wide, narrow = Mixture([1.0], [[0.0, 0.0]], [5.0]).network(), Mixture([1.0], [[0.0, 0.0]], [0.05]).network()
    runaway = corrected(Product([wide, narrow], [5.0, -4.0]), EXPLODING)
    states = asyncio.run(runaway.start(Key(1).seeds(4)))
    failures = asyncio.run(runaway.advance(states, Key(2).seeds(4), steps=None, allowance=Allowance())).failures
    assert failures
    assert {failure.kind for failure in failures.values()} == {"Diverged"}


def test_pure_noise_and_going_back_are_refused() -> None:
    with pytest.raises(Incompatible, match="alpha = 0"):
        corrected(annealed(PLANE.network(), 2.0), Grid.on(Flow(), np.linspace(1.0, 0.0, 5)))
    with pytest.raises(Incompatible, match="Perturbable"):
        solved(Search(lambda task: corrected(annealed(PLANE.network(), 2.0)), ZeroOrder(), Indifferent()))
    with pytest.raises(SettingsError, match="one exponent"):
        Product([PLANE.network()], [1.0, 2.0])
