"""Laws of the Feynman-Kac correctors: annealed densities, products and guidance on mixtures, in mean, variance, mode weights and evidence.

Plain guidance, the same steps of the same seeds without their weights, must be rejected by the same tests.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from tests.needs import need

need("torch")

import torch

from outthink.core import Result
from outthink.diffusion import Grid, Level, Mixture, Network, VarianceExploding, reward
from outthink.diffusion.correctors import (
    Combination,
    CorrectedProcess,
    Corrector,
    GeometricGuidance,
    Indifferent,
    Product,
    annealed,
)
from outthink.diffusion.network import Condition
from outthink.diffusion.spacings import by_ratio
from outthink.numerics.types import FloatArray
from outthink.search import Difference, ParticleFilter
from tests.laws.law import Average, evidences, runs, solve_seeds, weighted
from tests.laws.wrong import DropsWeights, ForgetsEvidence, IgnoresProposal

pytestmark = pytest.mark.laws

PATH = VarianceExploding()


class Chosen(Network):
    """Conditional where its condition is 1, unconditional where it is 0."""

    def __init__(self, conditional: Mixture, unconditional: Mixture) -> None:
        self.both = unconditional.network(), conditional.network()

    def data(self, x: torch.Tensor, level: Level, condition: Condition) -> torch.Tensor:
        return torch.where(condition[:, None] > 0, *(network.data(x, level, None) for network in self.both[::-1]))


@dataclass(frozen=True)
class Case:
    """A combination of one-dimensional mixtures: the network, and the experts and exponents that give its density."""

    combination: Callable[[], Combination]
    experts: Sequence[Mixture]
    exponents: Sequence[float]

    @functools.cached_property
    def exact(self) -> dict[str, float]:
        """By quadrature: the integral, and the integrals of x, x^2 and of the part left of 0."""
        x = np.linspace(-25.0, 25.0, 20001)
        p = np.exp(sum(b * q.log_density(x[:, None]) for b, q in zip(self.exponents, self.experts, strict=True)))
        step = float(x[1] - x[0])
        return {name: float((p * of(x)).sum() * step) for name, of in STATISTICS.items()}


STATISTICS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "evidence": np.ones_like,
    "mean": lambda x: x,
    "second moment": lambda x: x**2,
    "left mass": lambda x: np.asarray(x < 0.0, np.float64),
}


def guided(unconditional: Mixture, conditional: Mixture, scale: float) -> Case:
    return Case(
        lambda: GeometricGuidance(Chosen(conditional, unconditional), torch.zeros(1), scale),
        (unconditional, conditional),
        (1.0 - scale, scale),
    )


def normal(mean: float, deviation: float = 1.0) -> Mixture:
    return Mixture([1.0], [[mean]], [deviation])


TWO = Mixture([0.5, 0.5], [[-2.0], [2.0]], [0.4, 1.2])
LEFT, RIGHT, BROAD = normal(-1.0), normal(2.0, 2.0), normal(1.0, 3.0)
WIDE, PAIR = normal(0.0, 2.0), Mixture([0.5, 0.5], [[-2.0], [2.0]], [0.4, 1.0])

CASES = {
    "sharpened mixture": Case(lambda: annealed(TWO.network(), 2.0), (TWO,), (2.0,)),
    "product": Case(lambda: Product([LEFT.network(), RIGHT.network()]), (LEFT, RIGHT), (1.0, 1.0)),
    "guided mixture": guided(WIDE, PAIR, 2.0),
    "sharpened guidance times another": Case(
        lambda: Product([guided(WIDE, PAIR, 2.0).combination(), BROAD.network()], [1.5, 0.5]),
        (WIDE, PAIR, BROAD),
        (-1.5, 3.0, 0.5),
    ),
}


def sampled(
    case: Case, grid: Grid, filter_: ParticleFilter, seeds: int, corrector: Corrector, tilt: float = 0.0
) -> list[Result]:
    def process() -> CorrectedProcess:
        return CorrectedProcess(case.combination(), grid, corrector, (1,), condition=torch.ones(1), dtype=torch.float64)

    verifier = reward(lambda x: x[:, 0], partial=False) if tilt else Indifferent()
    return solve_seeds(filter_, process, verifier, range(seeds))


def found(results: list[Result]) -> dict[str, Average]:
    """Each statistic's integral under the unnormalised target, over seeds."""
    return {
        name: Average.of(weighted(results, lambda x, of=of: float(of(np.array(float(x[0]))))))
        for name, of in STATISTICS.items()
    }


def missed(averages: dict[str, Average], exact: dict[str, float], own: float) -> set[str]:
    """The statistics that are off by more than four standard errors and the steps' `own` error, a share of the scale."""
    scale = {**exact, "mean": math.sqrt(exact["second moment"] * exact["evidence"])}
    return {
        name
        for name, average in averages.items()
        if abs(average.mean - exact[name]) > 4.0 * average.error + own * abs(scale[name])
    }


# -- normal laws of one deviation: nothing is approximated ------------------------------------------------------------------

FEW = Grid.on(PATH, np.array([4.0, 2.0, 1.2, 0.6, 0.0]) / PATH.largest)
ENDS = {
    "product": Case(lambda: Product([LEFT.network(), normal(1.0).network()]), (LEFT, normal(1.0)), (1.0, 1.0)),
    "sharpened": Case(lambda: annealed(normal(0.5).network(), 2.0), (normal(0.5),), (2.0,)),
    "guidance": guided(normal(0.0), normal(0.7), 2.0),
    "difference": guided(normal(0.0), normal(0.7), 0.5),
}
ALL = ParticleFilter(n=64, ess_threshold=0.95)
WRONG = {
    "weights dropped": DropsWeights(n=64, ess_threshold=0.95),
    "weights ignored": IgnoresProposal(n=64, ess_threshold=0.95),
    "evidence forgotten": ForgetsEvidence(n=64, ess_threshold=0.95),
}


EXACT_FOR_NORMALS, PUBLISHED = Corrector(deviation=1.0), Corrector(deviation=None)


@functools.cache
def few_steps(name: str, filter_: ParticleFilter = ALL, corrector: Corrector = EXACT_FOR_NORMALS) -> dict[str, Average]:
    return found(sampled(ENDS[name], FEW, filter_, runs(40, 400), corrector))


@pytest.mark.parametrize("name", ENDS)
def test_combinations_of_normal_laws_are_exact_at_four_steps(name: str) -> None:
    """Four steps, four standard errors, nothing else: evidence, mean, second moment and mass on the left."""
    exact = ENDS[name].exact
    averages = few_steps(name)
    assert averages["evidence"].sharp(0.05, exact["evidence"])
    assert missed(averages, exact, own=0.0) == set()


@pytest.mark.parametrize("wrong", WRONG)
def test_known_wrong_filters_are_rejected(wrong: str) -> None:
    assert missed(few_steps("product", WRONG[wrong]), ENDS["product"].exact, own=0.02)


def test_the_ledger_is_exact_without_resampling_and_the_filter_had_to_resample() -> None:
    """Check 5: weights alone are right as well; the filters above did something else."""
    never = ParticleFilter(n=64, ess_threshold=0.0)
    assert missed(few_steps("product", never), ENDS["product"].exact, own=0.0) == set()
    one, other = (sampled(ENDS["product"], FEW, f, 3, EXACT_FOR_NORMALS) for f in (ALL, never))
    assert all(a.log_evidence != b.log_evidence for a, b in zip(one, other, strict=True))


def test_steps_and_weights_as_published_need_more_steps() -> None:
    """The Euler-Maruyama weight is right only as steps go to nothing: four of them are rejected."""
    assert "evidence" in missed(few_steps("guidance", ALL, PUBLISHED), ENDS["guidance"].exact, own=0.02)


# -- mixtures: exact as steps grow ---------------------------------------------------------------------------------------

STEPS = runs(48, 400)
OWN = 0.05 if STEPS < 100 else 0.02
"""The steps' own error, a share of each statistic's scale; twice as much for the evidence. It falls as 1 / STEPS."""

GRID = Grid.on(PATH, by_ratio(PATH, STEPS, 0.05, 10.0))
ADAPTIVE = ParticleFilter(n=256, every=2, ess_threshold=0.7)
ACROSS = Corrector(deviation=2.0)
"""The mixtures' deviation is about 2."""


def shares(results: list[Result], exact: dict[str, float]) -> dict[str, Average]:
    """Each statistic of the weighted members, over seeds, times the exact integral."""
    values: dict[str, list[float]] = {name: [] for name in STATISTICS}
    for result in results:
        x, w = np.array([float(c.content[0]) for c in result.candidates]), np.array(result.weights)
        for name, of in STATISTICS.items():
            values[name].append(exact["evidence"] * float(w @ of(x)))
    return {name: Average.of(values[name]) for name in STATISTICS if name != "evidence"}


@pytest.mark.parametrize("name", CASES)
def test_corrected_samples_reach_the_exact_target_and_plain_guidance_does_not(name: str) -> None:
    """Spec 22, checks 1 to 3, and combinations: quadrature gives the target."""
    case, seeds = CASES[name], runs(7, 100)
    results = sampled(case, GRID, ADAPTIVE, seeds, ACROSS)
    assert missed(shares(results, case.exact), case.exact, OWN) == set()
    z = Average.of(evidences(results))
    assert abs(z.mean - case.exact["evidence"]) <= 4.0 * z.error + 2.0 * OWN * case.exact["evidence"]
    plain = sampled(case, GRID, IgnoresProposal(n=128, every=4, ess_threshold=0.0), seeds, ACROSS)
    assert missed(shares(plain, case.exact), case.exact, OWN)


def test_a_reward_tilts_a_corrected_target() -> None:
    """Sharpening N(0.5, 1) to its square and tilting by x: N(1, 1/2); the filter does both, and nothing is approximated."""
    twice = ParticleFilter(n=64, twist=Difference(strength=1.0), ess_threshold=0.95)
    results = sampled(ENDS["sharpened"], FEW, twice, runs(40, 400), EXACT_FOR_NORMALS, tilt=1.0)
    square = ENDS["sharpened"].exact["evidence"]
    exact = square * math.exp(0.5 + 0.25)
    z, mean = Average.of(evidences(results)), Average.of(weighted(results, lambda x: float(x[0])))
    assert z.agrees(exact)
    assert z.sharp(0.06, exact)
    assert mean.agrees(exact * 1.0)
    assert not z.agrees(square)


def test_rewards_of_sixty_nats_and_high_powers_stay_finite() -> None:
    """60 nats of reward on a corrected target, and the 20th power of a density."""
    sharp = Case(lambda: annealed(TWO.network(), 20.0), (TWO,), (20.0,))
    steep = ParticleFilter(n=16, twist=Difference(strength=60.0))
    for case in (CASES["guided mixture"], sharp):
        for result in sampled(case, FEW, steep, 3, ACROSS, tilt=1.0):
            assert result.log_evidence is not None
            assert math.isfinite(result.log_evidence)
            assert np.isfinite(result.weights).all()
            assert sum(result.weights) == pytest.approx(1.0)
