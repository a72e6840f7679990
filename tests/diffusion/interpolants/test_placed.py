"""Tables of coefficients get a clock and rates, so that the SDE form of a flow runs on them; Heun along that clock is of second order."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Incompatible
from outthink.diffusion import Flow, FlowEuler, FlowHeun, FlowSde, Grid, LinearSignal, Solver, VarianceExploding
from outthink.diffusion.paths import Path, Trigonometric, VariancePreserving
from outthink.diffusion.spacings import by_ratio
from outthink.numerics.types import FloatArray
from tests.diffusion.closed_form import MIXTURE, denoiser, finished, many
from tests.diffusion.interpolants.shared import distance


def table(path: Path, times: FloatArray) -> Grid:
    """The path's coefficients as a table tells them, with model times of its own."""
    point = path.at(times)
    return Grid.of_table(point.alpha, point.sigma, 1000.0 * times)


EVEN = np.linspace(1.0, 0.0, 201)
TABLES = {
    "variance-preserving": table(VariancePreserving(), EVEN),
    "flow": table(Flow(), EVEN),
    "variance-exploding": table(
        VarianceExploding(largest=20.0), by_ratio(VarianceExploding(largest=20.0), 200, 0.01, 20.0)
    ),
}


@pytest.mark.laws
@pytest.mark.parametrize("name", TABLES)
def test_the_sde_of_a_table_keeps_the_law(name: str) -> None:
    """Spec 30, check 2, on tables of schedulers: the law does not depend on the noise, and it is refused on the bare table."""
    power = 2.0 if name != "variance-exploding" else 1.0
    for solver in (FlowSde(scale=0.0), FlowSde(scale=1.0, power=power), FlowSde(scale=2.0, power=power)):
        scale = 20.0 if name == "variance-exploding" else 1.0
        run = FlowSde(scale=solver.scale * scale**0.5, power=power)
        assert distance(many(run, TABLES[name].placed(), 8000), MIXTURE) < 0.03
    with pytest.raises(Incompatible, match=r"grid\.placed"):
        many(FlowSde(), TABLES[name], 8)


@pytest.mark.parametrize("name", TABLES)
def test_what_the_network_is_told_stays(name: str) -> None:
    bare, placed = TABLES[name], TABLES[name].placed()
    assert np.array_equal(placed.levels.model_time, bare.levels.model_time)
    assert np.array_equal(placed.levels.alpha, bare.levels.alpha)
    assert placed.placed() is placed
    middle = placed.between(np.array([40]), np.array([0.5]))
    low, high = bare.levels.model_time[[40, 39]]
    assert low < middle.model_time[0] < high


def test_a_table_on_no_known_path_is_refused() -> None:
    times = np.linspace(0.9, 0.1, 5)
    with pytest.raises(Incompatible, match="no path that is known"):
        Grid.of_table(1.0 - times, 0.5 * times, times).placed()


@functools.cache
def ends(solver: Solver, path: Path, steps: int) -> torch.Tensor:
    return finished(denoiser(solver, Grid.on(path, np.linspace(0.98, 0.05, steps + 1))), 32)


@pytest.mark.parametrize("path", [Flow(), Trigonometric(), LinearSignal()], ids=lambda p: p.name())
def test_heun_along_the_clock_is_of_second_order(path: Path) -> None:
    def error(solver: Solver, steps: int) -> float:
        return float((ends(solver, path, steps) - ends(FlowHeun(), path, 640)).square().mean().sqrt())

    assert 1.7 < np.log2(error(FlowHeun(), 40) / error(FlowHeun(), 80)) < 2.4
    assert 0.7 < np.log2(error(FlowEuler(), 40) / error(FlowEuler(), 80)) < 1.4


def test_the_signal_of_a_linear_signal_grows_evenly_and_its_clock_comes_back() -> None:
    path, time = LinearSignal(), np.array([1e-6, 0.2, 0.7, 1.0])
    point = path.at(time)
    assert np.allclose(point.alpha**2 + point.sigma**2, 1.0, atol=1e-12)
    with np.errstate(divide="ignore"):
        assert np.allclose(path.time_of(np.log(point.alpha) - np.log(point.sigma)), time, rtol=1e-9)
    step = 1e-7
    assert np.allclose(
        (path.at(time[1:3] + step).sigma - path.at(time[1:3] - step).sigma) / (2 * step), point.sigma_rate[1:3]
    )
