"""The denoising process keeps the contract of processes and of its three capabilities, and bills what its network was asked."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import (
    Allowance,
    Budget,
    CheckpointError,
    Cost,
    Incompatible,
    Key,
    Ledger,
    Process,
    Search,
)
from outthink.diffusion import (
    Ancestral,
    Ddim,
    DenoisingProcess,
    DpmSolver,
    Flow,
    FlowSde,
    Grid,
    Guided,
    Heun,
    Mixture,
    Plain,
    Prediction,
    SdeDpmSolver,
    Solver,
    UniPc,
    VariancePreserving,
    reward,
)
from outthink.search import Beam, BestOfN, ParticleFilter, Tree
from outthink.testing.contracts import CompletableContract, PerturbableContract, ProcessContract, RewindableContract
from tests.diffusion.closed_form import PLANE, begun, denoiser, finished, solved

NOISY_TOP, CLEAN = np.linspace(0.95, 0.0, 7), np.linspace(0.95, 0.1, 7)
SOLVERS: list[Solver] = [Ancestral(), FlowSde(), SdeDpmSolver(), UniPc(), Heun()]


class DenoisingContract(ProcessContract, RewindableContract, PerturbableContract, CompletableContract):
    column = "denoiser_evals"

    def same(self, process: Process[Any], left: Any, right: Any) -> bool:
        """Kernels may sum in another order for another batch size: numbers agree to 1e-12, everything else exactly."""
        exact = all(
            np.array_equal(getattr(left, name), getattr(right, name))
            for name in ("asked", "level", "past_level", "known")
        )
        pairs = [(left.x, right.x), (left.data, right.data), (left.past, right.past)]
        return exact and all(a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=1e-12) for a, b in pairs)

    def counters(self, process: Any) -> Cost:
        """What the network itself has counted, and the slots served."""
        network = process.network
        asked = network.asked if not isinstance(network, Guided) else network.network.asked
        return Cost(denoiser_evals=asked, calls=process.calls)


class TestDenoising(DenoisingContract):
    @pytest.fixture(params=SOLVERS, ids=lambda s: s.name())
    def process(self, request: pytest.FixtureRequest) -> DenoisingProcess:
        return denoiser(request.param, Grid.on(Flow(), NOISY_TOP))


class TestDenoisingThatEndsWithNoise(DenoisingContract):
    @pytest.fixture(params=[Ancestral(), Heun()], ids=lambda s: s.name())
    def process(self, request: pytest.FixtureRequest) -> DenoisingProcess:
        return denoiser(request.param, Grid.on(VariancePreserving(), CLEAN))


class TestGuidedDenoisingOfATable(DenoisingContract):
    @pytest.fixture
    def process(self) -> DenoisingProcess:
        at = Grid.on(VariancePreserving(), np.linspace(1.0, 0.0, 7)).levels
        guided = Guided(PLANE.network(), torch.zeros(1), 1.5)
        return denoiser(
            Ancestral(), Grid.of_table(at.alpha, at.sigma, at.model_time), network=guided, condition=torch.ones(1)
        )


class TestShakenDenoising(DenoisingContract):
    @pytest.fixture
    def process(self) -> DenoisingProcess:
        return denoiser(Ancestral(), Grid.on(Flow(), np.linspace(1.0, 0.0, 7)), mutation="shake")


def stepped(process: DenoisingProcess, states: Any, name: str, steps: int | None = 1) -> Any:
    seeds = Key(5).child(name).seeds(len(states))
    return asyncio.run(process.advance(states, seeds, steps=steps, allowance=Allowance()))


def started(process: DenoisingProcess, n: int = 4) -> Any:
    return asyncio.run(process.start(Key(5).child("start").seeds(n)))


# -- history moves with its sample --------------------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [DpmSolver(), UniPc(), SdeDpmSolver()], ids=lambda s: s.name())
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_forks_and_saved_samples_go_on_bit_for_bit(solver: Solver, dtype: torch.dtype) -> None:
    """A dropped, reordered, doubled, saved and joined sample goes the way it would have gone, its history included."""
    process = DenoisingProcess(PLANE.network(), Grid.on(Flow(), NOISY_TOP), solver, (2,), dtype=dtype)
    states = started(process)
    for step in range(3):
        states = stepped(process, states, f"step {step}").states
    assert states.known.tolist() == [1] * 4
    order = np.array([2, 0, 3, 1])
    back = process.load(process.dump(process.take(process.concat([states, states]), order)))
    assert process.dump(back) == process.dump(process.take(states, order))
    assert back.x.dtype == dtype
    seeds = Key(9).seeds(4)
    one = asyncio.run(process.advance(states, seeds, steps=None, allowance=Allowance())).states
    two = asyncio.run(process.advance(back, seeds[order], steps=None, allowance=Allowance())).states
    assert torch.equal(one.x[torch.from_numpy(order)], two.x)
    # The history is not decoration: without it the samples go elsewhere.
    bare = states.at(states.x, states.level)
    assert not torch.equal(asyncio.run(process.advance(bare, seeds, steps=None, allowance=Allowance())).states.x, one.x)


def test_states_of_another_process_are_refused() -> None:
    grid = Grid.on(Flow(), NOISY_TOP)
    saved = denoiser(DpmSolver(), grid).dump(started(denoiser(DpmSolver(), grid)))
    with pytest.raises(CheckpointError, match="remember 1"):
        denoiser(Ancestral(), grid).load(saved)
    with pytest.raises(CheckpointError, match="shape"):
        denoiser(DpmSolver(), grid, Mixture([1.0], [[0.0]], [1.0])).load(saved)


HIGHER = reward(lambda x: x[:, 0] - x[:, 1] ** 2)


@pytest.mark.parametrize(
    "algorithm",
    [ParticleFilter(n=6, ess_threshold=1.0), Beam(n=4, width=2), Tree(n=6, batch=2)],
    ids=lambda a: a.name(),
)
def test_a_search_resumed_after_any_step_is_the_same(algorithm: Any) -> None:
    search = Search(lambda task: denoiser(SdeDpmSolver(), Grid.on(Flow(), NOISY_TOP)), algorithm, HIGHER)

    kept: list[bytes] = []
    whole = solved(search, on_step=lambda snapshot: kept.append(snapshot.dump()))
    assert len(kept) > 3
    for data in kept[:: max(1, len(kept) // 4)]:
        again = solved(search, resume=data)
        assert again.scores == whole.scores
        assert [c.content.tolist() for c in again.candidates] == [c.content.tolist() for c in whole.candidates]


# -- neighbours ---------------------------------------------------------------------------------------------------------


def moved_by(strength: float, level: int, **how: Any) -> float:
    """How far neighbours of 200 samples at this level lie from them, root mean square."""
    process = denoiser(Ancestral(), Grid.on(Flow(), np.linspace(1.0, 0.0, 9)), **how)
    states = started(process, 200)
    if level:
        states = stepped(process, states, "down", level).states
    seeds = Key(8).seeds(200)
    got = asyncio.run(process.perturb(states, np.full(200, strength), seeds, allowance=Allowance()))
    assert got.states.level.tolist() == [level] * 200
    return float((got.states.x - states.x).square().mean().sqrt())


@pytest.mark.parametrize("level", [0, 3, 8], ids=["noise", "under way", "finished"])
def test_strength_says_how_far_a_neighbour_is(level: int) -> None:
    near, middle, far = (moved_by(strength, level) for strength in (0.05, 0.4, 1.0))
    assert 0.0 < near < 0.7 * middle < 0.7 * far


def test_shaking_adds_the_noise_of_the_next_step() -> None:
    """Spec 23: deviation s1 sqrt(1 - e^-2h), from level 3 (t = 5/8) to 4 (t = 1/2) of the flow."""
    deviation = 0.5 * np.sqrt(1 - ((3 / 8) / (5 / 8)) ** 2)
    assert moved_by(1.0, 3, mutation="shake") == pytest.approx(deviation, rel=0.1)
    assert moved_by(0.5, 3, mutation="shake") == pytest.approx(0.5 * deviation, rel=0.1)
    assert moved_by(1.0, 8, mutation="shake") == 0.0


@pytest.mark.laws
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_neighbours_under_way_keep_the_law(strength: float) -> None:
    """Forward by the kernel and back by the solver: moments of the data stay, to the solver's own error."""
    one = Mixture([1.0], [[0.5]], [0.8])
    process = denoiser(Ancestral(), Grid.on(Flow(), np.linspace(1.0, 0.0, 101)), one, shape=(1,))
    states = stepped(process, started(process, 2000), "down", 60).states
    exact = 0.6**2 * 0.8**2 + 0.4**2
    for turn in range(3):
        seeds = Key(turn).child("near").seeds(2000)
        states = asyncio.run(process.perturb(states, np.full(2000, strength), seeds, allowance=Allowance())).states
    assert float(states.x.mean()) == pytest.approx(0.6 * 0.5, abs=4 * np.sqrt(exact / 2000))
    assert float(states.x.var()) == pytest.approx(exact, rel=0.15)


# -- the bill, and what goes wrong --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("solver", "each"), [(Ancestral(), 1), (DpmSolver(), 1), (UniPc(), 1), (Heun(), 2)])
def test_a_whole_sample_costs_what_was_asked(solver: Solver, each: int) -> None:
    """Six steps into clean data: one evaluation a level, two for Heun but in its last step."""
    process = denoiser(solver, Grid.on(Flow(), NOISY_TOP))
    finished(process, 3)
    assert process.network.asked == process.evaluations == 3 * (6 * each - (each - 1))


def test_looking_and_completing_cost_nothing_after_a_step() -> None:
    process = denoiser(Ancestral(), Grid.on(Flow(), NOISY_TOP))
    states = stepped(process, started(process), "one").states
    asked = process.network.asked
    (shown, *_) = asyncio.run(process.view(states, frozenset({"level", "latent"})))
    done = asyncio.run(process.complete(states, Key(1).seeds(4), allowance=Allowance(Ledger(Budget(denoiser_evals=1)))))
    assert process.network.asked == asked
    assert torch.equal(shown.content, states.data[0])
    assert torch.equal(done.states.x, states.data)
    assert shown.features["level"] == 1
    assert torch.equal(shown.features["latent"], states.x[0])


def test_less_than_one_sample_is_named() -> None:
    search = Search(lambda task: denoiser(Ancestral(), Grid.on(Flow(), NOISY_TOP)), BestOfN(n=2), HIGHER)
    result = solved(search, budget=Budget(denoiser_evals=1))
    assert result.limit == "denoiser_evals"
    assert result.chosen is None or not result.candidates[result.chosen].final
    assert result.cost.denoiser_evals <= 1


def test_a_network_of_the_wrong_shape_is_named() -> None:
    learned_variance = Plain(lambda x, time, condition: torch.cat([x, x], dim=1), Prediction.DATA)
    with pytest.raises(Incompatible, match=r"another shape.*\[2, 4\].*\[2, 2\]"):
        finished(denoiser(Ancestral(), Grid.on(Flow(), NOISY_TOP), network=learned_variance), 2)


def test_a_sample_that_is_lost_is_named_and_the_others_go_on() -> None:
    exact = PLANE.network()

    class Breaks(type(exact)):  # type: ignore[misc]
        def data(self, x: torch.Tensor, level: Any, condition: Any) -> torch.Tensor:
            data = super().data(x, level, condition)
            # The third sample of the first four breaks half-way down.
            broken = (level.sigma < 0.5) & (np.arange(len(x)) == 2) & (len(x) == 4)
            data[torch.from_numpy(broken)] = torch.nan
            return data

    process = denoiser(Ancestral(), Grid.on(Flow(), NOISY_TOP), network=Breaks(PLANE))
    states = started(process)
    got = stepped(process, states, "down", None)
    assert list(got.failures) == [2]
    assert "not finite" in got.failures[2].message
    assert "sigma = 0.475" in got.failures[2].message
    assert got.done.tolist() == [True, True, False, True]
    assert torch.equal(got.states.x[2], states.x[2])
    assert torch.isfinite(got.states.x).all()
    assert got.cost.denoiser_evals == process.network.asked
    search = Search(
        lambda task: denoiser(Ancestral(), Grid.on(Flow(), NOISY_TOP), network=Breaks(PLANE)), BestOfN(n=4), HIGHER
    )
    result = solved(search)
    assert sum(c.final for c in result.candidates) == 3
    assert result.chosen is not None


@pytest.mark.parametrize("algorithm", [ParticleFilter(n=4), Beam(n=4, width=2), Tree(n=4)], ids=lambda a: a.name())
def test_branching_needs_noise(algorithm: Any) -> None:
    for solver in (Ddim(), DpmSolver(), FlowSde(scale=0.0)):
        search = Search(lambda task, solver=solver: denoiser(solver, Grid.on(Flow(), NOISY_TOP)), algorithm, HIGHER)
        with pytest.raises(Incompatible, match=r"never part.*'ancestral'"):
            solved(search)
    whole = Search(lambda task: denoiser(Ddim(), Grid.on(Flow(), NOISY_TOP)), BestOfN(n=4), HIGHER)
    assert solved(whole).chosen is not None


def test_what_is_seen_is_decoded() -> None:
    process = denoiser(Ancestral(), Grid.on(Flow(), NOISY_TOP), decode=lambda z: z.sum(dim=1), kind="image")
    (seen, *_) = asyncio.run(process.view(started(process), frozenset()))
    assert seen.content.shape == ()
    assert seen.kind == "image"


def test_samples_start_at_the_scale_of_the_first_level() -> None:
    from outthink.diffusion import VarianceExploding

    wide = denoiser(Ancestral(), Grid.on(VarianceExploding(largest=50.0), np.linspace(1, 0, 5)), shape=(2,))
    assert float(begun(wide, 400).std()) == pytest.approx(50.0, rel=0.1)
    assert torch.equal(begun(wide, 4)[2:], begun(wide, 4)[2:])
