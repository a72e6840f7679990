from __future__ import annotations

import math
from typing import Any

import numpy as np

from outthink.core import Allowance, Cost, Key
from outthink.testing import GaussianChain, Points

N = 40_000
B = (0.6, -0.4)
CHAIN = GaussianChain(length=3, dimension=2, a=0.7)


def seeds(name: str, n: int = N) -> Any:
    return Key(9).child(name).seeds(n)


async def drawn(chain: GaussianChain = CHAIN, steps: int | None = None) -> tuple[Points, Any]:
    start = await chain.start(seeds("start"))
    got = await chain.advance(start, seeds("advance"), steps=steps, allowance=Allowance())
    return got.states, got.log_ratio


def near(values: Any, exact: float, at_most: float = 0.02) -> bool:
    """Whether the mean of values is the exact one: within 4.5 standard errors, which must be small."""
    error = np.std(values) / math.sqrt(len(values))
    assert error < at_most
    return bool(abs(np.mean(values) - exact) < 4.5 * error)


async def test_every_level_is_standard_normal() -> None:
    for steps in (1, None):
        states, _ = await drawn(steps=steps)
        for d in range(2):
            assert near(states.x[:, d], 0.0)
            assert near(states.x[:, d] ** 2, 1.0)
        assert near(states.x[:, 0] * states.x[:, 1], 0.0)


async def test_the_evidence_and_the_posterior_mean() -> None:
    states, _ = await drawn()
    weight = np.exp(states.x @ np.array(B))
    evidence = math.exp(CHAIN.log_evidence(B))
    assert near(weight / evidence, 1.0)
    for d in range(2):
        assert near(weight / evidence * states.x[:, d], float(CHAIN.posterior(B).mean[d]))
    assert not near(weight / math.exp(CHAIN.log_evidence((0.6, -0.3))), 1.0), "the test must see a wrong evidence"


async def test_the_log_ratio_corrects_a_drifting_proposal() -> None:
    chain = GaussianChain(length=3, a=0.7, drift=0.15)
    states, ratio = await drawn(chain)
    weight = np.exp(ratio)
    assert near(weight, 1.0)
    assert near(weight * states.x[:, 0], 0.0)
    assert near(weight * states.x[:, 0] ** 2, 1.0, 0.03)
    assert not near(states.x[:, 0], 0.0), "without the weights the law is another"


async def test_the_value_is_the_expected_evidence() -> None:
    start = await CHAIN.start(seeds("start"))
    one_start = CHAIN.take(start, np.zeros(N, np.int64))
    got = await CHAIN.advance(one_start, seeds("advance"), steps=None, allowance=Allowance())
    value = math.exp(CHAIN.log_value(one_start.x[:1], 0, B)[0])
    assert near(np.exp(got.states.x @ np.array(B)) / value, 1.0)
    assert np.allclose(CHAIN.log_value(got.states.x, 3, B), got.states.x @ np.array(B))


async def test_rewinding_is_the_chains_own_reversal() -> None:
    states, _ = await drawn()
    back = (await CHAIN.rewind(states, np.full(N, 1), seeds("back"), allowance=Allowance())).states
    assert near(back.x[:, 0], 0.0)
    assert near(back.x[:, 0] ** 2, 1.0)
    assert near(back.x[:, 0] * states.x[:, 0], 0.7**2)
    assert set(back.level.tolist()) == {1}


async def test_perturbing_keeps_the_law() -> None:
    states, _ = await drawn()
    got = await CHAIN.perturb(states, np.full(N, 0.5), seeds("near"), allowance=Allowance())
    assert near(got.states.x[:, 1], 0.0)
    assert near(got.states.x[:, 1] ** 2, 1.0)
    assert near(got.states.x[:, 1] * states.x[:, 1], math.sqrt(0.75))
    fresh = await CHAIN.perturb(states, np.ones(N), seeds("near"), allowance=Allowance())
    assert near(fresh.states.x[:, 0] * states.x[:, 0], 0.0)


async def test_completing_predicts_the_end() -> None:
    states, _ = await drawn(steps=1)
    got = await CHAIN.complete(states, seeds("end"), allowance=Allowance())
    assert np.allclose(got.states.x, 0.7**2 * states.x)
    assert got.done.all()
    assert got.cost == Cost(denoiser_evals=N)
    (shown, *_) = await CHAIN.view(states, frozenset({"predicted", "level"}))
    assert np.allclose(shown.features["predicted"], 0.7**2 * states.x[0])
    assert shown.features["level"] == 1


async def test_answers_are_signs() -> None:
    states, _ = await drawn()
    (shown, *_) = await CHAIN.view(CHAIN.take(states, np.array([0])), frozenset())
    assert shown.answer == "".join("+" if x > 0 else "-" for x in states.x[0])
    assert shown.kind == "tensor"


def test_the_posterior_fades_backwards() -> None:
    assert np.allclose(CHAIN.posterior(B, 0).mean, 0.7**3 * np.array(B))
    assert math.isclose(CHAIN.log_evidence(B), 0.26)
