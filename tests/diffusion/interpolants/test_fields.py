"""The closed form is the truth it claims to be, and every pair of learned fields gives the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Incompatible
from outthink.diffusion import Flow
from outthink.diffusion.interpolants import (
    EncodingDecoding,
    Field,
    Interpolant,
    Learned,
    LinearInterpolant,
    Mirror,
    MixturePair,
    Noiseless,
    OneSided,
)
from outthink.diffusion.interpolants.objectives import Predict
from outthink.diffusion.levels import on_path
from outthink.diffusion.tensors import scaled
from tests.diffusion.interpolants.shared import ALL, LEFT, RIGHT, label, times

X = torch.from_numpy(np.random.default_rng(3).normal(0.5, 1.5, (40, 2)))
TIME = np.linspace(0.03, 0.97, 40)


def pair(interpolant: Interpolant) -> MixturePair:
    return MixturePair(LEFT, RIGHT, interpolant)


def exact(network: MixturePair, *names: Field) -> Mapping[Field, Predict]:
    """The exact fields as functions of (x, t)."""

    def at(name: Field) -> Predict:
        def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            time = t.numpy()
            mix, means = network.interpolant.at(time), network.means(x, time)
            found = {
                Field.VELOCITY: lambda: network.velocity(x, time),
                Field.TRANSPORT: lambda: mix.drift(means.base, means.target),
                Field.SCORE: lambda: network.score(x, time),
                Field.NOISE: lambda: means.noise,
                Field.TARGET: lambda: means.target,
                Field.BASE: lambda: means.base,
            }
            return found[name]()

        return predict

    return {name: at(name) for name in names}


@pytest.mark.parametrize("interpolant", ALL, ids=label)
def test_identity_of_the_three_denoisers(interpolant: Interpolant) -> None:
    """Spec 30, check 4: a E[x0|x] + b E[x1|x] + g E[z|x] = x, and b = v - g g' s."""
    network, mix = pair(interpolant), interpolant.at(TIME)
    means = network.means(X, TIME)
    assert (mix.mix(means.base, means.target, means.noise) - X).abs().max() < 1e-10
    v, s = mix.drift(means.base, means.target), network.score(X, TIME)
    b = network.velocity(X, TIME)
    assert (b - (v - scaled(mix.noise_product, s))).abs().max() < 1e-10
    # The printed relation with the sign of the released code's denoiser does not hold.
    if (mix.noise_product != 0).any():
        assert (b - (v + scaled(mix.noise_product, s))).abs().max() > 1e-2


@pytest.mark.parametrize("interpolant", ALL, ids=label)
def test_score_is_the_gradient_of_the_log_density(interpolant: Interpolant) -> None:
    network = pair(interpolant)
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network.log_density(x, TIME).sum(), x)
    assert (gradient - network.score(X, TIME)).abs().max() < 1e-9


@pytest.mark.parametrize("interpolant", ALL, ids=label)
def test_velocity_carries_the_density(interpolant: Interpolant) -> None:
    """d rho / dt + div(b rho) = 0, that is d log rho / dt = -div b - b . s; a velocity 1% too fast is noticed."""
    network = pair(interpolant)
    step = 1e-5
    rate = (network.log_density(X, TIME + step) - network.log_density(X, TIME - step)) / (2 * step)
    x = X.clone().requires_grad_()
    b = network.velocity(x, TIME)
    spread = sum(torch.autograd.grad(b[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(2))
    flux = spread + (b * network.score(X, TIME)).sum(dim=1)
    scale = 1.0 + flux.detach().abs()
    assert ((rate + flux).abs() / scale).max() < 1e-5
    assert ((rate + 1.01 * flux).abs() / scale).max() > 1e-3


PAIRS = [
    (LinearInterpolant(), (Field.VELOCITY, Field.NOISE)),
    (LinearInterpolant(), (Field.VELOCITY, Field.SCORE)),
    (LinearInterpolant(), (Field.TRANSPORT, Field.NOISE)),
    (LinearInterpolant(), (Field.TRANSPORT, Field.SCORE)),
    (LinearInterpolant(), (Field.TARGET, Field.NOISE)),
    (LinearInterpolant(), (Field.TARGET, Field.BASE)),
    (OneSided(), (Field.NOISE,)),
    (OneSided(), (Field.VELOCITY,)),
    (OneSided(), (Field.TARGET,)),
    (Mirror(), (Field.NOISE,)),
    (Mirror(), (Field.SCORE,)),
    (EncodingDecoding(), (Field.VELOCITY, Field.NOISE)),
]


@pytest.mark.parametrize(
    ("interpolant", "names"), PAIRS, ids=lambda p: label(p) if isinstance(p, Interpolant) else "-".join(p)
)
def test_the_learned_ones_give_the_others(interpolant: Interpolant, names: tuple[Field, ...]) -> None:
    network = pair(interpolant)
    level = on_path(Flow(), 1.0 - TIME, np.asarray)
    told, truth = Learned(interpolant, exact(network, *names)).fields(X, level, None), network.fields(X, level, None)
    assert (told.velocity - truth.velocity).abs().max() < 1e-8
    assert (told.score - truth.score).abs().max() < 1e-8
    known = slice(None)
    if isinstance(interpolant, EncodingDecoding):
        # Before the middle nothing is said of the target, and the sample itself is shown.
        known = slice(20, None)
        assert torch.equal(told.data[:20], X[:20])
    assert (told.data[known] - truth.data[known]).abs().max() < 1e-8


def test_backward_fields_are_those_of_the_backward_pair() -> None:
    """And with the sign of the velocity forgotten they are not."""
    network = pair(LinearInterpolant())
    learned = Learned(LinearInterpolant(), exact(network, Field.VELOCITY, Field.NOISE)).backward()
    level = on_path(Flow(), 1.0 - TIME, np.asarray)
    told = learned.fields(X, level, None)
    truth = MixturePair(RIGHT, LEFT, LinearInterpolant().backward()).fields(X, level, None)
    for name in ("velocity", "score", "data"):
        assert (getattr(told, name) - getattr(truth, name)).abs().max() < 1e-8
    assert (told.velocity + truth.velocity).abs().max() > 0.1


def test_fields_that_say_too_little_are_refused() -> None:
    network = pair(LinearInterpolant())
    for names in ((Field.NOISE,), (Field.TARGET,), ()):
        with pytest.raises(Incompatible, match="does not determine the velocity"):
            Learned(LinearInterpolant(), exact(network, *names))
    assert not Learned(LinearInterpolant(), exact(network, Field.VELOCITY)).scored
    assert not Learned(LinearInterpolant(gamma=Noiseless()), exact(network, Field.VELOCITY)).scored
    assert Learned(OneSided(), exact(network, Field.VELOCITY)).scored


def test_times_at_the_ends_are_told_inside() -> None:
    """g is 0 at the ends: the networks are told a time a little inside, and nothing is divided by 0."""
    seen: list[float] = []

    def predict(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        seen.extend(t.tolist())
        return torch.ones_like(x)

    network = Learned(LinearInterpolant(), {Field.VELOCITY: predict, Field.NOISE: predict}, margin=1e-3)
    fields = network.fields(X[:2], on_path(Flow(), times(0.0, 1.0), np.asarray), None)
    assert torch.isfinite(fields.score).all()
    assert min(seen) == pytest.approx(1e-3)
    assert max(seen) == pytest.approx(1.0 - 1e-3)
