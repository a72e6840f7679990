"""Conversions between what networks predict are exact, and agree with the closed form and with derivatives; paths say what they are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Incompatible, SettingsError
from outthink.diffusion import (
    Flow,
    Grid,
    Guided,
    Level,
    OnPath,
    Path,
    Plain,
    Prediction,
    Thresholded,
    Trigonometric,
    VarianceExploding,
    VariancePreserving,
    preconditioned,
)
from outthink.diffusion.conversions import from_data, noise_from_data, score_from_data, to_data, velocity_from_data
from outthink.diffusion.tensors import scaled
from tests.diffusion.closed_form import PLANE, level, samples

PATHS = [Flow(), VariancePreserving(), VarianceExploding(largest=100.0), Trigonometric()]
paths = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.name())
TIMES = (0.05, 0.3, 0.7, 0.95)


@paths
def test_every_round_trip_is_exact(path: Path) -> None:
    """README of the sheets: under 1e-12 in float64, between any two kinds."""
    x, where = samples(PLANE, 40), level(path, *np.repeat(TIMES, 10))
    data = PLANE.network().data(x, where, None)
    for one, other in itertools.product(Prediction, repeat=2):
        said = from_data(one, data, x, where)
        again = from_data(other, to_data(one, said, x, where), x, where)
        assert (again - from_data(other, data, x, where)).abs().max() < 1e-12 * max(1.0, float(again.abs().max()))


@paths
def test_the_score_is_the_gradient_of_the_log_density(path: Path) -> None:
    x = samples(PLANE, 12).requires_grad_()
    for time in TIMES:
        where = level(path, *[time] * len(x))
        alpha, sigma = float(where.alpha[0]), float(where.sigma[0])
        means, variances = torch.from_numpy(PLANE.means), torch.from_numpy(PLANE.variances)
        total = alpha**2 * variances + sigma**2
        squares = ((x[:, None] - alpha * means) ** 2).sum(dim=2)
        log_density = torch.logsumexp(
            torch.from_numpy(PLANE.log_weights) - 0.5 * squares / total - torch.log(2 * torch.pi * total), dim=1
        )
        assert np.allclose(
            log_density.detach().numpy(), PLANE.log_density(x.detach().numpy(), alpha, sigma), atol=1e-12
        )
        (gradient,) = torch.autograd.grad(log_density.sum(), x)
        score = score_from_data(PLANE.network().data(x.detach(), where, None), x.detach(), where)
        assert (score - gradient).abs().max() < 1e-10 * max(1.0, float(gradient.abs().max()))


@paths
def test_rates_are_derivatives_and_the_clock_has_an_inverse(path: Path) -> None:
    t, h = np.array(TIMES), 1e-6
    point, above, below = path.at(t), path.at(t + h), path.at(t - h)
    for name in ("alpha", "sigma"):
        slope = (getattr(above, name) - getattr(below, name)) / (2 * h)
        assert np.allclose(getattr(point, f"{name}_rate"), slope, rtol=1e-7, atol=1e-7)
    assert np.allclose(path.time_of(np.log(point.alpha / point.sigma)), t, rtol=0, atol=1e-13)
    assert path.time_of(np.array([np.inf])) == 0.0


@paths
def test_velocity_moves_samples_along_the_flow_of_the_law(path: Path) -> None:
    """The continuity equation of one Gaussian: the mean of x_t moves as its velocity says, and so does its deviation."""
    where = level(path, *TIMES)
    x = samples(PLANE, 4)
    data = PLANE.network().data(x, where, None)
    e = noise_from_data(data, x, where)
    assert (scaled(where.alpha, data) + scaled(where.sigma, e) - x).abs().max() < 1e-12
    velocity = velocity_from_data(data, x, where)
    assert (velocity - scaled(where.alpha_rate, data) - scaled(where.sigma_rate, e)).abs().max() < 1e-12


def test_identities_of_the_sheets() -> None:
    """Spec 20, check 3: a x0 = x + b^2 s; for a flow x0 = x - t u and s = -((1 - t) u + x) / t; for the trigonometric path b = pi/2 v."""
    x = samples(PLANE, 4)
    for path in PATHS:
        where = level(path, *TIMES)
        data = PLANE.network().data(x, where, None)
        score = score_from_data(data, x, where)
        assert (scaled(where.alpha, data) - x - scaled(where.sigma**2, score)).abs().max() < 1e-12
    where = level(Flow(), *TIMES)
    data, t = PLANE.network().data(x, where, None), np.array(TIMES)
    u = velocity_from_data(data, x, where)
    assert (x - scaled(t, u) - data).abs().max() < 1e-12
    assert (score_from_data(data, x, where) + scaled(1 / t, scaled(1 - t, u) + x)).abs().max() < 1e-12
    assert (u - from_data(Prediction.FLOW, data, x, where)).abs().max() < 1e-12
    where = level(Trigonometric(), *TIMES)
    v = from_data(Prediction.V, data, x, where)
    assert (velocity_from_data(data, x, where) - 0.5 * np.pi * v).abs().max() < 1e-12


def test_the_top_of_the_trigonometric_path_holds_nothing_of_the_data() -> None:
    top = level(Trigonometric(), 1.0)
    assert top.alpha.tolist() == [0.0]
    assert top.half_log_snr.tolist() == [-np.inf]


@pytest.mark.parametrize("kind", list(Prediction))
def test_without_signal_some_networks_say_nothing(kind: Prediction) -> None:
    """Spec README: at alpha = 0 only v, velocity and data are usable; a rounding error is no signal either."""
    x = samples(PLANE, 1)
    barely = Level.of_table(np.array([6e-17]), np.array([1.0]), np.array([1.0]))
    for top in (level(Flow(), 1.0), barely):
        if kind in (Prediction.NOISE, Prediction.SCORE):
            with pytest.raises(Incompatible, match=f"predicts {kind.value} says nothing.*alpha"):
                to_data(kind, x, x, top)
        elif kind is not Prediction.VELOCITY or not np.isnan(top.alpha_rate[0]):
            said = from_data(kind, 2.0 * x, x, top)
            assert torch.allclose(to_data(kind, said, x, top), 2.0 * x, rtol=0, atol=1e-12)


def test_noise_is_refused_where_there_is_none_and_velocity_where_there_is_no_clock() -> None:
    x = samples(PLANE, 2)
    clean = Grid.on(Flow(), np.array([0.5, 0.0])).at(np.array([0, 1]))
    with pytest.raises(Incompatible, match="sigma = 0 for sample 1"):
        noise_from_data(x, x, clean)
    table = Level.of_table(np.array([0.5, 0.6]), np.array([0.5, 0.4]), np.array([5.0, 4.0]))
    with pytest.raises(Incompatible, match="come from a table and have no rates"):
        velocity_from_data(x, x, table)


def test_a_changed_path_has_its_own_velocity_exactly() -> None:
    """Spec 20, check 1: a flow model sampled on the variance-preserving path, against that path's own velocity; under 1e-10."""
    times = np.array([0.05, 0.3, 0.7, 0.95])
    where, x = level(VariancePreserving(), *times), samples(PLANE, 4)
    exact = PLANE.network()

    def flow_model(x: torch.Tensor, time: torch.Tensor, condition: object) -> torch.Tensor:
        there = level(Flow(), *time.tolist())
        return velocity_from_data(exact.data(x, there, None), x, there)

    changed = OnPath(Plain(flow_model, Prediction.FLOW), Flow())
    wanted = velocity_from_data(exact.data(x, where, None), x, where)
    got = velocity_from_data(changed.data(x, where, None), x, where)
    assert (got - wanted).abs().max() < 1e-10
    # The network must be asked at (x / c, t), not at (x, r): the mistake that the sheet names.
    wrong = velocity_from_data(Plain(flow_model, Prediction.FLOW).data(x, where, None), x, where)
    assert (wrong - wanted).abs().max() > 0.1


@pytest.mark.parametrize(("trained", "sampled"), list(itertools.permutations(PATHS, 2)), ids=lambda p: p.name())
def test_any_path_can_stand_for_any_other(trained: Path, sampled: Path) -> None:
    where, x = level(sampled, *TIMES), samples(PLANE, 4)
    told = []
    changed = OnPath(PLANE.network(), trained, told=lambda time: told.append(time) or 1000.0 * time)
    assert (changed.data(x, where, None) - PLANE.network().data(x, where, None)).abs().max() < 1e-10
    assert told


def test_a_network_is_never_asked_beyond_what_it_was_trained_on() -> None:
    """The noisiest level of a variance-preserving model has some signal left: pure noise is shown to it as that level."""
    seen: list[float] = []

    def call(x: torch.Tensor, time: torch.Tensor, condition: object) -> torch.Tensor:
        seen.extend(time.tolist())
        return x

    x = samples(PLANE, 1)
    assert torch.isfinite(
        OnPath(Plain(call, Prediction.NOISE), VariancePreserving()).data(x, level(Flow(), 1.0), None)
    ).all()
    assert seen == [1.0]


def test_guidance_is_linear_and_costs_two() -> None:
    x, where = samples(PLANE, 3), level(Flow(), 0.3, 0.5, 0.9)
    calls: list[int] = []

    def call(x: torch.Tensor, time: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        calls.append(len(x))
        return condition.reshape(-1, 1) * torch.ones_like(x)

    network = Plain(call, Prediction.DATA)
    condition = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    guided = Guided(network, torch.zeros(1, dtype=torch.float64), 2.5)
    assert guided.evaluations == 2
    assert guided.data(x, where, condition)[:, 0].tolist() == [2.5, 5.0, 7.5]
    assert calls == [6]
    assert Thresholded(guided, 4.0).data(x, where, condition)[:, 0].tolist() == [2.5, 4.0, 4.0]
    assert Thresholded(guided).evaluations == 2


def test_edm_networks_are_preconditioned() -> None:
    """F = 0 leaves c_skip x; F as it should be gives the data back. The skip is the posterior mean of Gaussian data."""
    x, sigma = samples(PLANE, 3), torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
    denoise = preconditioned(lambda x, time, condition: torch.zeros_like(x), deviation=0.5)
    share = 0.25 / (0.25 + sigma**2)
    assert torch.allclose(denoise(x, sigma, None), share[:, None] * x)
    asked: list[torch.Tensor] = []
    preconditioned(lambda x, time, condition: asked.append(time) or x, deviation=0.5)(x, sigma, None)
    assert torch.allclose(asked[0], sigma.log() / 4)


def test_large_batches_are_asked_in_parts() -> None:
    sizes: list[tuple[int, int]] = []

    def call(x: torch.Tensor, time: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        sizes.append((len(x), len(condition)))
        return x + time[:, None] + condition

    x, where = samples(PLANE, 5), level(Flow(), 0.1, 0.2, 0.3, 0.4, 0.5)
    condition = torch.arange(5.0, dtype=torch.float64)[:, None]
    parts = Plain(call, Prediction.DATA, at_once=2).data(x, where, condition)
    assert sizes == [(2, 2), (2, 2), (1, 1)]
    assert torch.equal(parts, Plain(call, Prediction.DATA).data(x, where, condition))


@paths
def test_levels_in_between_lie_on_the_path(path: Path) -> None:
    grid = Grid.on(path, np.linspace(1.0, 0.0, 6), model_time=lambda t: 1000.0 * t)
    levels, shares = np.array([1, 3, 5, 2]), np.array([0.25, 0.5, 0.75, 1.0])
    middle = grid.between(levels, shares)
    times = grid.levels.time[levels] + shares * (grid.levels.time[levels - 1] - grid.levels.time[levels])
    point = path.at(times)
    assert np.array_equal(middle.alpha, point.alpha)
    assert np.array_equal(middle.sigma, point.sigma)
    assert np.array_equal(middle.model_time, 1000.0 * times)
    for share, same in ((0.0, levels), (1.0, levels - 1)):
        ends = grid.between(levels, np.full(4, share))
        assert np.allclose(ends.sigma, grid.at(same).sigma, rtol=0, atol=1e-12)


@pytest.mark.parametrize("law", ["preserving", "flow", "exploding", "other"])
def test_levels_in_between_of_a_table_keep_its_scale(law: str) -> None:
    ratio = np.array([8.0, 2.0, 0.5, 0.1, 0.0])
    alpha = {
        "preserving": 1 / np.sqrt(1 + ratio**2),
        "flow": 1 / (1 + ratio),
        "exploding": np.ones(5),
        "other": np.array([0.3, 0.8, 0.9, 1.0, 1.1]),
    }[law]
    grid = Grid.of_table(alpha, ratio * alpha, np.array([900.0, 600.0, 300.0, 100.0, 0.0]))
    levels = np.repeat([1, 2, 3, 4], 3)
    middle = grid.between(levels, np.tile([0.1, 0.5, 0.9], 4))
    kept = {
        "preserving": middle.alpha**2 + middle.sigma**2,
        "flow": middle.alpha + middle.sigma,
        "exploding": middle.alpha,
        "other": np.ones(12),
    }[law]
    assert np.allclose(kept, 1.0, rtol=0, atol=1e-12)
    assert (middle.half_log_snr < grid.at(levels).half_log_snr).all()
    assert (middle.half_log_snr > grid.at(levels - 1).half_log_snr).all()
    assert (np.diff(middle.sigma.reshape(4, 3)) > 0).all()


def test_a_fine_table_says_what_the_network_is_told_in_between() -> None:
    ratio = np.geomspace(10.0, 0.01, 1000)
    fine = Level.of_table(1 / np.sqrt(1 + ratio**2), ratio / np.sqrt(1 + ratio**2), np.arange(1000.0)[::-1])
    rows = np.array([0, 400, 900])
    grid = Grid.of_table(fine.alpha[rows], fine.sigma[rows], fine.model_time[rows], fine=fine)
    middle = grid.between(np.array([1, 2]), np.array([0.5, 0.25]))
    nearest = [int(np.argmin(np.abs(fine.angle - angle))) for angle in middle.angle]
    assert np.allclose(middle.model_time, fine.model_time[nearest], rtol=0, atol=1.0)


@pytest.mark.parametrize("times", [[1.0], [0.0, 1.0], [1.0, 0.5, 0.5, 0.0]], ids=str)
def test_levels_must_fall(times: list[float]) -> None:
    with pytest.raises(SettingsError, match="do not go from noise to data"):
        Grid.on(Flow(), np.array(times))
