"""Laws of steering a denoiser with the methods that search texts: exact tilted laws and evidence on mixtures, and what each is for."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Result
from outthink.diffusion import DenoisingProcess, Flow, FlowSde, Grid, Mixture, reward
from outthink.recipes.registry import find
from outthink.search import (
    Beam,
    BestOfN,
    Boltzmann,
    Difference,
    LogMeanExp,
    ParticleFilter,
    Rollover,
    RunningMax,
    RunningSum,
    StepBestOfN,
    Tree,
)
from outthink.testing import FunctionOfContent, TokenChain
from tests.diffusion.closed_form import MIXTURE, denoiser
from tests.laws.law import Average, evidences, runs, solve_seeds, weighted
from tests.laws.wrong import DropsWeights

pytestmark = pytest.mark.laws

STEPS = 24
OWN_ERROR = 0.015
"""The sampler's own error at so many steps, a share of the evidence: 80,000 plain samples, tilted, give 2.113 for 2.131."""

HEIGHT = functools.partial(reward, lambda x: x[:, 0])
STRENGTH = 1.0
TILTED, LOG_Z = MIXTURE.tilted(np.ones(1), STRENGTH)
SEEDS = range(runs(40, 400))


def mixture() -> DenoisingProcess:
    return denoiser(FlowSde(), Grid.on(Flow(), np.linspace(1.0, 0.0, STEPS + 1)), MIXTURE)


def reaches(average: Average, exact: float) -> bool:
    """Within four standard errors, and the sampler's own error."""
    return abs(average.mean - exact) <= 4 * average.error + OWN_ERROR * abs(exact)


def first(x: Any) -> float:
    return float(x[0])


@functools.cache
def steered(algorithm: ParticleFilter, seeds: range = SEEDS) -> list[Result]:
    return solve_seeds(algorithm, mixture, HEIGHT(), seeds)


FILTERS = {
    "difference": ParticleFilter(n=64, twist=Difference(strength=STRENGTH), ess_threshold=0.9),
    # These multiply every step's reward and take it back at the end, so they steer a few times on the way.
    "max": ParticleFilter(n=64, twist=RunningMax(strength=STRENGTH), every=8, ess_threshold=0.7),
    "sum": ParticleFilter(n=64, twist=RunningSum(strength=STRENGTH), every=8, ess_threshold=0.7),
}


@pytest.mark.parametrize("name", FILTERS)
def test_steering_reaches_the_exact_tilted_law_and_its_evidence(name: str) -> None:
    """Feynman-Kac steering, adaptive resampling on and the weights kept."""
    results = steered(FILTERS[name])
    exact, mean = math.exp(LOG_Z), float(TILTED.mean[0])
    z = Average.of(evidences(results))
    assert z.sharp(0.06, exact)
    assert reaches(z, exact)
    assert reaches(Average.of(weighted(results, first)), exact * mean)
    second = float(TILTED.variance[0]) + mean**2
    assert reaches(Average.of(weighted(results, lambda x: first(x) ** 2)), exact * second)


@pytest.mark.parametrize("name", FILTERS)
def test_the_filters_had_to_resample(name: str) -> None:
    """Plain samples that are weighted at the end would be right as well, and no test of steering."""
    right = FILTERS[name]
    plain = steered(ParticleFilter(n=64, twist=right.twist, every=right.every, ess_threshold=0.0), range(5))
    assert not any(one.scores == other.scores for one, other in zip(steered(right)[:5], plain, strict=True))


@pytest.mark.parametrize("name", FILTERS)
def test_dropped_weights_are_rejected(name: str) -> None:
    """The published code forgets the weights whenever it does not resample (spec 22)."""
    right = FILTERS[name]
    wrong = DropsWeights(n=64, twist=right.twist, every=right.every, ess_threshold=right.ess_threshold)
    results = steered(wrong)
    exact = math.exp(LOG_Z)
    assert not (
        reaches(Average.of(evidences(results)), exact)
        and reaches(Average.of(weighted(results, first)), exact * float(TILTED.mean[0]))
    )


@pytest.mark.parametrize("twist", [Difference, RunningMax, RunningSum], ids=lambda t: t.__name__)
def test_rewards_of_sixty_nats_stay_finite(twist: Any) -> None:
    for result in solve_seeds(ParticleFilter(n=16, twist=twist(strength=60.0)), mixture, HEIGHT(), range(3)):
        assert result.log_evidence is not None
        assert math.isfinite(result.log_evidence)
        assert np.isfinite(result.weights).all()
        assert sum(result.weights) == pytest.approx(1.0)
        assert result.chosen is not None
        assert first(result.candidates[result.chosen].content) > 1.0


# -- trees ------------------------------------------------------------------------------------------------------------

NORMAL = Mixture([1.0], [[0.0]], [1.0])


def tree_sampled(n: int, seeds: int, strength: float) -> tuple[float, float]:
    """Mean and variance under the law of a tree's answers, over seeds; r = -(x - 1.5)^2 / 2."""

    def normal() -> DenoisingProcess:
        return denoiser(FlowSde(), Grid.on(Flow(), np.linspace(1.0, 0.0, 21)), NORMAL)

    sampler = Tree(
        n=n,
        batch=16,
        levels=(0, 4, 8, 12, 16),
        widening=1.0,
        exponent=0.8,
        selection=Boltzmann(),
        backup=LogMeanExp(),
        strength=strength,
        choose="sample",
    )
    judge = reward(lambda x: -0.5 * (x[:, 0] - 1.5) ** 2, partial=False)
    found = []
    for result in solve_seeds(sampler, normal, judge, range(seeds)):
        x = np.array([first(c.content) for c in result.candidates])
        mean = float(np.dot(result.weights, x))
        found.append((mean, float(np.dot(result.weights, (x - mean) ** 2))))
    means, variances = np.mean(found, axis=0)
    return float(means), float(variances)


def test_tree_sampling_comes_near_the_tilted_law() -> None:
    """Spec 21, check 3, on a denoiser of N(0, 1): lambda = 2, exact mean 1 and variance 1/3; finite trees are biased low (0.86 to 0.92)."""
    mean, variance = tree_sampled(runs(300, 1000), runs(6, 40), 2.0)
    assert 0.8 < mean < 1.05
    assert 0.2 < variance < 0.5
    flat, wide = tree_sampled(300, 3, 1e-3)
    assert abs(flat) < 0.25
    assert wide > 0.7


# -- methods that want the best ------------------------------------------------------------------------------------------


def test_the_best_of_each_step_beats_the_best_of_as_many_samples() -> None:
    """Spec 20, check 5: 16-d Gaussian data, 20 levels, reward -||x0 - c||, 400 evaluations."""
    goal = torch.full((16,), 0.75, dtype=torch.float64)
    judge = reward(lambda x: -(x - goal).norm(dim=1))
    data = Mixture([1.0], [[0.0] * 16], [1.0])

    def process() -> DenoisingProcess:
        return denoiser(FlowSde(), Grid.on(Flow(), np.linspace(1.0, 0.0, 21)), data)

    found = {}
    rolled = Rollover(n=1, first=20, quota=20, proposals=400)
    for method in (BestOfN(n=20), StepBestOfN(n=20), Beam(n=20, width=5), rolled):
        results = solve_seeds(method, process, judge, range(runs(12, 60)))
        assert max(r.cost.denoiser_evals for r in results) <= 21 * 20 + 20
        found[method.name()] = Average.of([r.scores[r.chosen or 0] for r in results])
    for greedy in ("step-best-of-n", "beam", "rollover"):
        assert found[greedy].mean > found["best-of-n"].mean + 0.4 + 4 * found["best-of-n"].error


@pytest.mark.parametrize(
    "algorithm", [BestOfN(n=4), ParticleFilter(n=4), Tree(n=4), Beam(n=4), StepBestOfN(n=4), Rollover()]
)
def test_the_same_classes_search_texts(algorithm: Any) -> None:
    """One class, one instance, found in recipes by its one name: it searches texts and samples alike."""
    assert find("algorithm", algorithm.name()) is type(algorithm)
    text = FunctionOfContent(lambda text: text.count("b") / 4, low=0, high=1)
    (on_text,) = solve_seeds(algorithm, lambda: TokenChain("ab", length=4), text, [1])
    (on_samples,) = solve_seeds(algorithm, mixture, HEIGHT(), [1])
    assert isinstance(on_text.candidates[0].content, str)
    assert isinstance(on_samples.candidates[0].content, torch.Tensor)
