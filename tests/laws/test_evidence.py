"""Evidence is unbiased against enumeration and closed forms, for every resampler, resampling always, sometimes and never."""

from __future__ import annotations

import functools
import math
import zlib

import numpy as np
import pytest

from outthink.core import LogMap, ScoreKind
from outthink.numerics import RESAMPLERS
from outthink.search import BestOfN, Difference, Incremental, ParticleFilter, RunningMax, RunningSum
from outthink.testing import FunctionOfContent, GaussianChain, TokenChain
from tests.laws.law import Average, evidences, runs, solve_seeds, weighted
from tests.laws.wrong import (
    CountsFinishedAgain,
    DropsWeights,
    ForgetsEvidence,
    IgnoresProposal,
    KeepsWeights,
    LosesRows,
)

pytestmark = pytest.mark.laws

SEEDS = range(runs(300, 3000))


def value(text: str) -> float:
    """A prefix value in nats: what it says along the way differs from what it says at the end."""
    return 0.9 * text.count("b") - 0.4 * text.count("c") + (0.7 if text.endswith("c") else 0.0)


def chain(**settings: float) -> TokenChain:
    return TokenChain("abc", length=4, **settings)  # type: ignore[arg-type]


VALUES = functools.partial(FunctionOfContent, value)
REWARDS = functools.partial(FunctionOfContent, value, kind=ScoreKind.STEP_REWARD)


def evidence_of(algorithm: ParticleFilter, *, rewards: bool = False, **settings: float) -> tuple[Average, float]:
    """The average evidence and the exact one."""
    results = solve_seeds(algorithm, lambda: chain(**settings), REWARDS() if rewards else VALUES(), SEEDS)
    strength = algorithm.twist.strength
    scaled = {"log_potential" if rewards else "log_reward": lambda text: strength * value(text)}
    target = chain(**settings).target(**scaled)
    return Average.of(evidences(results)), math.exp(target.log_evidence)


@pytest.mark.parametrize("ess_threshold", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("scheme", sorted(RESAMPLERS))
def test_evidence_is_unbiased_for_every_resampler(scheme: str, ess_threshold: float) -> None:
    average, exact = evidence_of(ParticleFilter(n=16, resampling=scheme, ess_threshold=ess_threshold))  # type: ignore[arg-type]
    assert average.sharp(0.05, exact)
    assert average.agrees(exact)


@pytest.mark.parametrize(
    "twist", [Difference(), RunningMax(strength=1.0), RunningSum(strength=1.0)], ids=lambda t: t.name()
)
def test_value_twists_aim_at_the_same_target(twist: Difference | RunningMax | RunningSum) -> None:
    average, exact = evidence_of(ParticleFilter(n=32, twist=twist, ess_threshold=0.7))
    assert average.agrees(exact)


@pytest.mark.parametrize("stop", [0.0, 0.35], ids=["equal lengths", "early finishers"])
def test_step_rewards_multiply(stop: float) -> None:
    algorithm = ParticleFilter(n=16, twist=Incremental(strength=0.4), ess_threshold=1.0)
    average, exact = evidence_of(algorithm, rewards=True, stop=stop)
    assert average.sharp(0.05, exact)
    assert average.agrees(exact)


def test_a_proposal_that_differs_from_the_model_is_corrected() -> None:
    average, exact = evidence_of(ParticleFilter(n=16), mix=0.6)
    assert average.agrees(exact)


@pytest.mark.parametrize(
    ("wrong", "rewards", "settings"),
    [
        (DropsWeights(n=16, ess_threshold=0.5), False, {}),
        (ForgetsEvidence(n=16, ess_threshold=1.0), False, {}),
        (KeepsWeights(n=16, ess_threshold=1.0), False, {}),
        (LosesRows(n=16, ess_threshold=1.0), False, {}),
        (IgnoresProposal(n=16), False, {"mix": 0.6}),
        (CountsFinishedAgain(n=16, ess_threshold=1.0, twist=Incremental(strength=0.4)), True, {"stop": 0.35}),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, ParticleFilter) else "",
)
def test_known_wrong_filters_are_rejected(wrong: ParticleFilter, rewards: bool, settings: dict[str, float]) -> None:
    average, exact = evidence_of(wrong, rewards=rewards, **settings)
    assert not average.agrees(exact)


def test_gaussian_chain_has_its_closed_form() -> None:
    b = 1.3
    verifier = FunctionOfContent(lambda x: b * float(x[0]))
    algorithm = ParticleFilter(n=64, ess_threshold=0.9)
    results = solve_seeds(algorithm, lambda: GaussianChain(length=6), verifier, SEEDS)
    exact = math.exp(b * b / 2)
    z, first = Average.of(evidences(results)), Average.of(weighted(results, lambda x: float(x[0])))
    second = Average.of(weighted(results, lambda x: float(x[0]) ** 2))
    assert z.agrees(exact)
    assert first.agrees(exact * b)
    assert second.agrees(exact * (1 + b * b))
    dropped = solve_seeds(DropsWeights(n=64, ess_threshold=0.9), lambda: GaussianChain(length=6), verifier, SEEDS)
    assert not Average.of(weighted(dropped, lambda x: float(x[0]))).agrees(exact * b)


def test_posterior_equals_enumeration() -> None:
    results = solve_seeds(ParticleFilter(n=16), chain, VALUES(), SEEDS)
    target = chain().target(value)
    exact = math.exp(target.log_evidence)
    for last in "abc":
        share = sum(p for text, p in target.posterior.items() if text[-1] == last)
        assert Average.of(weighted(results, lambda text, last=last: float(text[-1] == last))).agrees(exact * share)


# Spec 03, checks 1 to 3: three bits, P(1) = 0.3.

BITS = functools.partial(TokenChain, "01", length=3, initial=[0.7, 0.3], transition=[[0.7, 0.3], [0.7, 0.3]])


def likes_ones(text: str) -> float:
    return 0.8 if text[-1] == "1" else 0.4


@pytest.mark.parametrize(
    ("weight", "exact", "ones"), [("prob", 0.52**3, 6 / 13), ("logit", (5 / 3) ** 3, 0.72)], ids=["prob", "logit"]
)
def test_published_check_of_step_rewards(weight: str, exact: float, ones: float) -> None:
    seeds = range(runs(800, 4000))
    verifier = FunctionOfContent(likes_ones, kind=ScoreKind.STEP_REWARD, log_map=LogMap.PROBABILITY, low=0, high=1)
    algorithm = ParticleFilter(
        n=32,
        ess_threshold=1,
        resampling="multinomial",
        twist=Incremental(),
        weight=weight,  # type: ignore[arg-type]
    )
    results = solve_seeds(algorithm, BITS, verifier, seeds)
    assert Average.of(evidences(results)).sharp(0.02, exact)
    assert Average.of(evidences(results)).agrees(exact)
    for t in range(3):
        assert Average.of(weighted(results, lambda text, t=t: float(text[t] == "1"))).agrees(exact * ones)


def test_published_check_of_prefix_values() -> None:
    """The value along the way changes nothing under `difference`, and much under `incremental`."""

    def guided(text: str) -> float:
        return (1 + text.count("1")) / 4 if len(text) == 3 else 0.9 if text[0] == "0" else 0.2

    verifier = FunctionOfContent(guided, log_map=LogMap.PROBABILITY, low=0, high=1)
    seeds = range(runs(800, 4000))
    ratio = solve_seeds(ParticleFilter(n=32, ess_threshold=1), BITS, verifier, seeds)
    assert Average.of(evidences(ratio)).agrees(0.475)
    for t in range(3):
        assert Average.of(weighted(ratio, lambda text, t=t: float(text[t] == "1"))).agrees(0.475 * 0.41053)
    published = ParticleFilter(n=32, ess_threshold=1, twist=Incremental(accept_values=True))
    as_rewards = solve_seeds(published, BITS, verifier, seeds)
    assert Average.of(evidences(as_rewards)).agrees(0.2346)
    assert Average.of(weighted(as_rewards, lambda text: float(text[0] == "1"))).agrees(0.2346 * 0.03325)
    assert not Average.of(evidences(as_rewards)).agrees(0.475)


def test_constant_scores_give_the_evidence_exactly() -> None:
    verifier = FunctionOfContent(lambda text: 0.25, kind=ScoreKind.STEP_REWARD, log_map=LogMap.PROBABILITY)
    for result in solve_seeds(ParticleFilter(n=8, ess_threshold=1, twist=Incremental()), BITS, verifier, range(3)):
        assert result.log_evidence == pytest.approx(3 * math.log(0.25), abs=1e-12)


def test_rewards_of_60_nats_and_beyond_stay_finite() -> None:
    """exp(60) squared is beyond single precision, exp(900) beyond double: the weights never leave log space."""
    for nats in (60.0, 900.0):
        verifier = FunctionOfContent(lambda text, nats=nats: nats + value(text))
        results = solve_seeds(ParticleFilter(n=16), chain, verifier, SEEDS)
        target = chain().target(value)
        scaled = Average.of([math.exp((r.log_evidence or 0.0) - nats - target.log_evidence) for r in results])
        assert scaled.agrees(1.0)
        wide = FunctionOfContent(lambda text, nats=nats: nats * text.count("b"))
        for result in solve_seeds(ParticleFilter(n=16), chain, wide, range(20)):
            assert result.log_evidence is not None
            assert math.isfinite(result.log_evidence)
            assert sum(result.weights) == pytest.approx(1.0)


def test_filter_beats_best_of_n_on_the_fatal_chain() -> None:
    """Spec 03, check 7: ten steps, each right with probability 0.8, one error is fatal; a noisy score at each step."""
    # Four right symbols, so that every sample is a text of its own and has noise of its own.
    steps = functools.partial(TokenChain, "abcdw", length=10, initial=[0.2] * 5, transition=[[0.2] * 5] * 5)

    def noisy(text: str) -> float:
        # The noise belongs to the text, as a verifier's error would.
        noise = np.random.default_rng(zlib.crc32(text.encode())).normal()
        return (1.5 if "w" not in text else -1.5) + float(noise)

    verifier = FunctionOfContent(noisy, kind=ScoreKind.PREFIX_VALUE)
    for n in (4, 16):
        seeds = range(runs(200, 2000))
        pf = ParticleFilter(n=n, ess_threshold=1, resampling="multinomial", twist=Incremental(accept_values=True))
        right = [sum("w" not in str(r.answer) for r in solve_seeds(a, steps, verifier, seeds)) / len(seeds)
                 for a in (pf, BestOfN(n=n))]  # fmt: skip
        assert right[0] > right[1] + 0.2
