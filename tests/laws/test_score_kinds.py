"""The same numbers as rewards of steps or as values of prefixes aim at different targets; the one conversion between them is exact.

On the token chain both targets are known. Every law here also rejects the other reading of the same numbers, with the same seeds.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest

from outthink.core import Incompatible, LogMap, ScoreKind
from outthink.search import Difference, Incremental, ParticleFilter
from outthink.testing import FunctionOfContent, TokenChain
from outthink.verify import Aggregated, Combined
from tests.laws.law import Average, evidences, runs, solve_seeds, weighted

pytestmark = pytest.mark.laws

SEEDS = range(runs(200, 3000))
CHAIN = functools.partial(TokenChain, "abc", length=4)


def number(text: str) -> float:
    """The number in question, nats: about the last symbol alone."""
    return {"a": -0.3, "b": 0.9, "c": -0.6}[text[-1]]


def taste(text: str) -> float:
    """A value of the whole prefix, nats."""
    return 0.5 * float(text.count("b") > 1) - 0.2 * text.count("c")


REWARD = functools.partial(FunctionOfContent, number, kind=ScoreKind.STEP_REWARD)
VALUE = functools.partial(FunctionOfContent, number, kind=ScoreKind.PREFIX_VALUE)
FILTER = ParticleFilter(n=16, ess_threshold=1.0)
AS_REWARDS, AS_VALUES = CHAIN().target(log_potential=number), CHAIN().target(number)


def shares(target: object, first: str) -> float:
    posterior: dict[str, float] = target.posterior  # type: ignore[attr-defined]
    return sum(p for text, p in posterior.items() if text[0] == first)


def test_the_two_readings_have_different_targets() -> None:
    rewards = solve_seeds(FILTER.__class__(n=16, ess_threshold=1.0, twist=Incremental()), CHAIN, REWARD(), SEEDS)
    values = solve_seeds(FILTER, CHAIN, VALUE(), SEEDS)
    for results, own, other in ((rewards, AS_REWARDS, AS_VALUES), (values, AS_VALUES, AS_REWARDS)):
        average, exact = Average.of(evidences(results)), math.exp(own.log_evidence)
        assert average.sharp(0.05, exact)
        assert average.agrees(exact)
        assert not average.agrees(math.exp(other.log_evidence))
        first = Average.of(weighted(results, lambda text: float(text[0] == "b")))
        assert first.agrees(exact * shares(own, "b"))
        assert not first.agrees(exact * shares(other, "b"))


def test_rewards_put_together_by_their_product_aim_where_rewards_aim() -> None:
    """And the other aggregations, which are values too, aim elsewhere."""
    exact = math.exp(AS_REWARDS.log_evidence)
    product = Average.of(evidences(solve_seeds(FILTER, CHAIN, Aggregated(REWARD(), "product"), SEEDS)))
    assert product.sharp(0.05, exact)
    assert product.agrees(exact)
    last = Average.of(evidences(solve_seeds(FILTER, CHAIN, Aggregated(REWARD(), "last"), SEEDS)))
    assert last.agrees(math.exp(AS_VALUES.log_evidence))
    assert not last.agrees(exact)
    minimum = Average.of(evidences(solve_seeds(FILTER, CHAIN, Aggregated(REWARD(), "min"), SEEDS)))
    lowest = CHAIN().target(lambda text: min(number(text[: k + 1]) for k in range(len(text))))
    assert minimum.agrees(math.exp(lowest.log_evidence))
    assert not minimum.agrees(exact)


def test_mixing_the_kinds_hits_neither_target() -> None:
    """The intended target of a reward and a value together: p(x) * prod exp(r_t) * exp(v_T)."""
    intended = CHAIN().target(lambda text: sum(number(text[: k + 1]) for k in range(len(text))) + taste(text))
    exact = math.exp(intended.log_evidence)
    tasting = FunctionOfContent(taste)
    converted = Combined((Aggregated(REWARD(), "product"), tasting))
    average = Average.of(evidences(solve_seeds(FILTER, CHAIN, converted, SEEDS)))
    assert average.sharp(0.05, exact)
    assert average.agrees(exact)
    # The sum of the raw numbers, as if they rated the same thing, under either reading.
    for twist, kind in ((Difference(), ScoreKind.PREFIX_VALUE), (Incremental(), ScoreKind.STEP_REWARD)):
        mixed = FunctionOfContent(lambda text: number(text) + taste(text), kind=kind)
        wrong = ParticleFilter(n=16, ess_threshold=1.0, twist=twist)
        assert not Average.of(evidences(solve_seeds(wrong, CHAIN, mixed, SEEDS))).agrees(exact)
    with pytest.raises(Incompatible, match="kind"):
        Combined((REWARD(), tasting))


def test_probabilities_of_steps_multiply() -> None:
    """Spec 03: bits with P(1) = 0.3, r = 0.8 or 0.4: Z = 0.52^3, by the twist of rewards and by the product as a value."""
    bits = functools.partial(TokenChain, "01", length=3, initial=[0.7, 0.3], transition=[[0.7, 0.3], [0.7, 0.3]])
    likes = FunctionOfContent(
        lambda text: 0.8 if text[-1] == "1" else 0.4,
        kind=ScoreKind.STEP_REWARD,
        log_map=LogMap.PROBABILITY,
        low=0.0,
        high=1.0,
    )
    product = Aggregated(likes, "product")
    assert (product.spec.low, product.spec.high, product.spec.log_map) == (0.0, 1.0, LogMap.PROBABILITY)
    average = Average.of(evidences(solve_seeds(ParticleFilter(n=32, ess_threshold=1.0), bits, product, SEEDS)))
    assert average.agrees(0.52**3)
    mean = Average.of(
        evidences(solve_seeds(ParticleFilter(n=32, ess_threshold=1.0), bits, Aggregated(likes, "mean"), SEEDS))
    )
    assert mean.agrees(np.mean([0.52, 0.52, 0.52]))
    assert not mean.agrees(0.52**3)
