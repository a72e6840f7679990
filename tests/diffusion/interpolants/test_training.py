"""Training is the same for the same key, and what it learns carries one data set over to the other, whatever the noise."""

from __future__ import annotations

import asyncio
import functools

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Allowance, Incompatible, Key, SettingsError
from outthink.diffusion import (
    DenoisingProcess,
    Flow,
    FlowHeun,
    FlowSde,
    Grid,
    Mixture,
    Plain,
    Prediction,
    Solver,
    VariancePreserving,
)
from outthink.diffusion.interpolants import (
    Bridge,
    BrownianBridge,
    Ends,
    Field,
    Fit,
    Learned,
    LinearInterpolant,
    Noiseless,
    OneSided,
    Perceptron,
    fit,
    flow_of,
    log_density,
    losses,
    path_flow,
    standard_normal,
)
from outthink.diffusion.spacings import even
from tests.diffusion.interpolants.shared import TWO, distance

BASE = Mixture([1.0], [[1.0]], [0.5])
RNG = np.random.default_rng(1)
DATA = Ends(*(torch.from_numpy(m.sample(20_000, RNG)).float() for m in (BASE, TWO)))
TRAINING = Fit(steps=600, batch=512, rate=5e-3)


def networks(*fields: Field, seed: int = 3) -> dict[Field, Perceptron]:
    return {field: Perceptron(1, width=32, depth=2, key=Key(seed).child(field)) for field in fields}


@functools.cache
def trained() -> Learned:
    learned = networks(Field.VELOCITY, Field.NOISE)
    fit(learned, LinearInterpolant(), DATA, TRAINING, Key(5))
    return Learned(LinearInterpolant(), learned, margin=1e-3)


def carried(network: Learned, solver: Solver, n: int = 4000) -> np.ndarray:
    starts = torch.from_numpy(BASE.sample(n, np.random.default_rng(8))).float()
    process = Bridge(network, starts, np.linspace(0.0, 1.0, 61), solver)
    moved = process.advance(process.begun(starts), Key(4).seeds(n), steps=None, allowance=Allowance())
    return np.asarray(asyncio.run(moved).states.x[:, 0].double().numpy())


def test_a_trained_bridge_leads_from_one_data_set_to_the_other() -> None:
    """With and without noise; an untrained one does not, and neither do the starts themselves."""
    for solver in (FlowHeun(), FlowSde(scale=2.0, power=0.5, start=0.5)):
        assert distance(carried(trained(), solver), TWO) < 0.1
    untrained = Learned(LinearInterpolant(), networks(Field.VELOCITY, Field.NOISE), margin=1e-3)
    assert distance(carried(untrained, FlowHeun()), TWO) > 0.3


def test_the_wrong_sign_of_the_denoiser_is_noticed() -> None:
    """The released code's denoiser learns -E[z | x]: taken for E[z | x], samples with noise spread."""
    right = trained().learned
    wrong = Learned(LinearInterpolant(), {**right, Field.NOISE: lambda x, t: -right[Field.NOISE](x, t)}, margin=1e-3)
    assert distance(carried(wrong, FlowSde(scale=2.0, power=0.5, start=0.5)), TWO) > 0.15


def test_the_likelihood_of_a_trained_bridge() -> None:
    """Near the exact one on average over the target's own samples: a fit of seconds is off by a quarter of a nat."""
    x = torch.from_numpy(TWO.sample(300, np.random.default_rng(6))).float()

    def base(y: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(BASE.log_density(y.double().numpy())).float()

    found = log_density(flow_of(trained()), x, base, np.linspace(0.0, 1.0, 81)).log_density
    exact = float(TWO.log_density(x.double().numpy()).mean())
    assert float(found.mean()) == pytest.approx(exact, abs=0.35)
    untrained = Learned(LinearInterpolant(), networks(Field.VELOCITY))
    far = log_density(flow_of(untrained), x, base, np.linspace(0.0, 1.0, 81)).log_density
    assert float(far.mean()) < exact - 2.0


def test_one_field_is_enough_for_generation() -> None:
    """A one-sided interpolant with its denoiser alone runs as a denoising process, its own network or a plain one that predicts noise."""
    learned = networks(Field.NOISE)
    fit(learned, OneSided(), Ends.one_sided(DATA.target), TRAINING, Key(5))

    def call(x: torch.Tensor, clock: torch.Tensor, condition: object) -> torch.Tensor:
        return learned[Field.NOISE](x, 1.0 - clock)

    for network in (Learned(OneSided(), learned, margin=0.01), Plain(call, Prediction.NOISE)):
        process = DenoisingProcess(
            network, Grid.on(Flow(), np.linspace(0.99, 0.0, 61)), FlowSde(scale=1.0, power=1.0), (1,)
        )
        states = asyncio.run(process.start(Key(2).seeds(3000)))
        moved = asyncio.run(process.advance(states, Key(4).seeds(3000), steps=None, allowance=Allowance()))
        assert distance(np.asarray(moved.states.x[:, 0].double().numpy()), TWO) < 0.08


def test_training_repeats_itself() -> None:
    short = Fit(steps=5, batch=16)
    one, two, other = networks(Field.VELOCITY), networks(Field.VELOCITY), networks(Field.VELOCITY, seed=4)
    before = torch.random.get_rng_state()
    histories = [fit(n, LinearInterpolant(), DATA, short, Key(7)).history for n in (one, two, other)]
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(histories[0][Field.VELOCITY], histories[1][Field.VELOCITY])
    assert not np.array_equal(histories[0][Field.VELOCITY], histories[2][Field.VELOCITY])
    for mine, yours in zip(one[Field.VELOCITY].parameters(), two[Field.VELOCITY].parameters(), strict=True):
        assert torch.equal(mine, yours)


def test_pairs_are_kept_together() -> None:
    paired = Ends(DATA.base, DATA.base + 10.0, paired=True)
    base, target = paired.draw(100, np.random.default_rng(1))
    assert torch.equal(target, base + 10.0)
    base, target = Ends(DATA.base, DATA.base + 10.0).draw(100, np.random.default_rng(1))
    assert not torch.equal(target, base + 10.0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match="do not fit together"):
        Ends(torch.zeros(4, 1), torch.zeros(4, 2))
    with pytest.raises(SettingsError, match="do not fit together"):
        Ends(torch.zeros(4, 1), torch.zeros(3, 1), paired=True)
    x = torch.zeros(2, 1)
    with pytest.raises(Incompatible, match="no noise"):
        losses(Field.SCORE, lambda x, t: x, LinearInterpolant(gamma=Noiseless()), x, x, np.full(2, 0.5), x)
    with pytest.raises(Incompatible, match="no noise"):
        losses(Field.SCORE, lambda x, t: x, LinearInterpolant(gamma=BrownianBridge()), x, x, np.zeros(2), x)
    with pytest.raises(SettingsError, match="need a key"):
        log_density(lambda x, t: x, x, standard_normal, np.linspace(0, 1, 3), probes=2)
    with pytest.raises(SettingsError, match="do not rise"):
        log_density(lambda x, t: x, x, standard_normal, np.linspace(1, 0, 3))


@pytest.mark.parametrize("path", [Flow(), VariancePreserving()], ids=lambda p: p.name())
def test_any_denoiser_has_a_likelihood(path: Flow | VariancePreserving) -> None:
    """One Gaussian on any denoising path, through a plain network that is run without gradients: N(0.5, 0.8^2), within 0.02."""
    one = Mixture([1.0], [[0.5]], [0.8])
    exact = one.network()

    def call(x: torch.Tensor, told: torch.Tensor, condition: object) -> torch.Tensor:
        level = Grid.on(path, np.array([1.0, 0.0])).between(np.ones(len(x), np.int64), told.numpy())
        return exact.data(x, level, condition)

    network = Plain(call, Prediction.DATA)
    x = torch.linspace(-1.0, 2.0, 7, dtype=torch.float64)[:, None]
    # Finer towards the data, where the variance-preserving clock moves fast.
    times = 1.0 - even(300) ** 2
    found = log_density(path_flow(network, path), x, standard_normal, times).log_density
    assert (found - torch.from_numpy(one.log_density(x.numpy()))).abs().max() < 0.02
