"""A sweep of particle Gibbs, and one of parallel tempering with its exchange, leaves the target unchanged; the published codes do not."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from outthink.core import Key, ScoreKind
from outthink.search import Difference, Incremental, ParallelTempering, ParticleFilter, ParticleGibbs, RunningSum
from outthink.testing import FunctionOfContent, TokenChain
from tests.laws.conditional import chi_square, counted, drawn, swept
from tests.laws.law import Average, runs, solve_seeds
from tests.laws.wrong_gibbs import (
    AlwaysExchanges,
    FinalScore,
    ForgetsTheTemperatures,
    FreesTheReference,
    KeepsTheBetter,
    Many,
    ManyLadders,
    OneStepAhead,
    ResamplesAtTheEnd,
)

pytestmark = pytest.mark.laws

BITS = functools.partial(TokenChain, "01", length=3, initial=[0.7, 0.3], transition=[[0.7, 0.3], [0.7, 0.3]])
# Chi-square at p = 0.001, by degrees of freedom.
BOUND = {7: 24.32, 13: 34.53}
REPEATS = runs(5000, 40_000)
BATCH = 5000


def table(length: int, seed: int = 1) -> dict[str, float]:
    """Spec 03, check 4: the logarithm of a fixed random potential in [0.2, 5] for each prefix."""
    rng = np.random.default_rng(seed)
    return {format(i, f"0{t}b"): math.log(rng.uniform(0.2, 5.0)) for t in range(1, length + 1) for i in range(2**t)}


POTENTIALS = table(3)
REWARDS = functools.partial(FunctionOfContent, POTENTIALS.__getitem__, kind=ScoreKind.STEP_REWARD)
VALUES = functools.partial(FunctionOfContent, POTENTIALS.__getitem__)


def statistic(kind: type[Many], chain: TokenChain, exact: dict[str, float], verifier: Any, **settings: Any) -> float:
    """How far what is kept after a sweep is from the law that the references came from."""
    counts = np.zeros(len(exact), np.int64)
    for part in range(REPEATS // BATCH):
        algorithm = kind(sweeps=2, chains=BATCH, **settings)
        given = drawn(exact, BATCH, Key(5).child("given", part))
        counts += counted(swept(algorithm, chain, verifier, given, seed=part), exact)
    return chi_square(counts, np.array(list(exact.values())))


def published(kind: type[Many], **settings: Any) -> float:
    """The sheet's own check: four members, multinomial resampling at every step."""
    exact = BITS().target(log_potential=POTENTIALS.__getitem__).posterior
    return statistic(kind, BITS(), exact, REWARDS(), n=4, twist=Incremental(), **settings)


@pytest.mark.parametrize("ess_threshold", [1.0, 0.6])
def test_a_sweep_leaves_the_target_unchanged(ess_threshold: float) -> None:
    """Spec 03, check 4."""
    assert published(Many, ess_threshold=ess_threshold) < BOUND[7]


@pytest.mark.parametrize(
    "kind", [OneStepAhead, FinalScore, ResamplesAtTheEnd, FreesTheReference], ids=lambda k: k.__name__
)
def test_the_published_variants_change_it(kind: type[Many]) -> None:
    assert published(kind) > BOUND[7]


def test_a_sweep_of_two_members_leaves_it_unchanged() -> None:
    exact = BITS().target(log_potential=POTENTIALS.__getitem__).posterior
    assert statistic(Many, BITS(), exact, REWARDS(), n=2, twist=Incremental()) < BOUND[7]


@pytest.mark.parametrize("twist", [Difference(), RunningSum(strength=0.5)], ids=lambda t: t.name())
def test_prefix_values_and_texts_of_many_lengths(twist: Difference | RunningSum) -> None:
    """Members and references that end early wait; a proposal other than the model is corrected."""
    chain = TokenChain("01", length=3, stop=[0.2, 0.5], mix=0.3)
    exact = chain.target(lambda text: twist.strength * POTENTIALS[text]).posterior
    assert len(exact) == 14
    assert statistic(Many, chain, exact, VALUES(), n=4, twist=twist) < BOUND[13]


def test_sweeps_take_the_bias_of_few_members_away() -> None:
    """From a plain filter of three members on: wrong after one sweep, right after six."""
    exact = BITS().target(log_potential=POTENTIALS.__getitem__).posterior
    found = {}
    for sweeps in (1, 6):
        algorithm = Many(n=3, sweeps=sweeps, twist=Incremental(), keep="last", chains=3000)
        counts = counted(swept(algorithm, BITS(), REWARDS(), [], seed=3), exact)
        found[sweeps] = chi_square(counts, np.array(list(exact.values())))
    assert found[1] > BOUND[7]
    assert found[6] < BOUND[7]


def test_the_first_sweep_is_a_particle_filter() -> None:
    """The same seeds, the same members and the same evidence, whatever comes after."""
    settings: dict[str, Any] = {"n": 6, "twist": Incremental(), "ess_threshold": 1.0}
    seeds = range(8)
    filtered = solve_seeds(ParticleFilter(resampling="multinomial", **settings), BITS, REWARDS(), seeds)
    once = solve_seeds(ParticleGibbs(sweeps=1, **settings), BITS, REWARDS(), seeds)
    assert [r.candidates for r in once] == [r.candidates for r in filtered]
    assert [r.log_evidence for r in once] == pytest.approx([r.log_evidence for r in filtered])
    more = solve_seeds(ParticleGibbs(sweeps=3, **settings), BITS, REWARDS(), seeds)
    assert [r.log_evidence for r in more] == [r.log_evidence for r in once]
    exact = math.exp(BITS().target(log_potential=POTENTIALS.__getitem__).log_evidence)
    wide = solve_seeds(ParticleGibbs(n=8, sweeps=1, twist=Incremental()), BITS, REWARDS(), range(runs(400)))
    assert Average.of([math.exp(r.log_evidence or 0.0) for r in wide]).agrees(exact)


# -- parallel tempering -----------------------------------------------------------------------------------------------

TEMPERATURES = (3.0, 1.5, 0.75)
LADDERS = 1500


def rungs(kind: type[ManyLadders]) -> list[float]:
    """The statistic of each rung after a sweep and the exchange, references drawn exactly at each temperature."""
    laws = [
        BITS().target(log_potential=lambda text, heat=heat: POTENTIALS[text] / heat).posterior  # type: ignore[misc]
        for heat in TEMPERATURES
    ]
    counts = [np.zeros(len(laws[0]), np.int64) for _ in laws]
    m = len(TEMPERATURES)
    for part in range(runs(1, 8)):
        given = [""] * (m * LADDERS)
        for k, law in enumerate(laws):
            given[k::m] = drawn(law, LADDERS, Key(7).child("given", part, k))
        algorithm = kind(n=4, sweeps=2, twist=Incremental(), temperatures=TEMPERATURES, ladders=LADDERS)
        kept = swept(algorithm, BITS(), REWARDS(), given, seed=part)
        for k, law in enumerate(laws):
            counts[k] += counted(kept[k::m], law)
    return [chi_square(c, np.array(list(law.values()))) for c, law in zip(counts, laws, strict=True)]


def test_an_exchange_leaves_every_temperature_unchanged() -> None:
    assert max(rungs(ManyLadders)) < BOUND[7]


@pytest.mark.parametrize("kind", [AlwaysExchanges, KeepsTheBetter, ForgetsTheTemperatures], ids=lambda k: k.__name__)
def test_wrong_exchanges_are_rejected(kind: type[ManyLadders]) -> None:
    assert max(rungs(kind)) > BOUND[7]


def test_the_published_table_of_exchanges() -> None:
    """Spec 03, check 6."""
    ladder = ParallelTempering(temperatures=(4.0, 1.0))
    assert math.exp(ladder.log_acceptance(0, 2.0, 0.0)) == 1.0
    assert math.exp(ladder.log_acceptance(0, 0.0, 2.0)) == pytest.approx(0.22313, abs=1e-5)
