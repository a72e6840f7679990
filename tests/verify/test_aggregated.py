"""Step rewards put together, values as outcomes, and who refuses what."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Algorithm,
    Candidate,
    Incompatible,
    LogMap,
    Parts,
    ScoreKind,
    Search,
    Session,
    SettingsError,
    Task,
    Verifier,
)
from outthink.core.verifier import Aggregation
from outthink.search import Beam, BestOfN, Incremental, ParticleFilter
from outthink.testing import FunctionOfContent, TokenChain
from outthink.testing.contracts import VerifierContract
from outthink.verify import Aggregated, Arithmetic, AtEnd, Combined, Exact
from outthink.verify.aggregated import aggregate

STEPS = ("a", "bb", "ccc")
TASK = Task(prompt="q", id="t")


def rewards(**more: object) -> FunctionOfContent:
    """The length of the last step, as far as the text tells: its last letter says which step it is."""
    fields = {"kind": ScoreKind.STEP_REWARD, "low": 0.0, "high": 10.0, **more}
    return FunctionOfContent(lambda text: {"a": 1.0, "b": 2.0, "c": 4.0}.get(text[-1], math.nan), **fields)  # type: ignore[arg-type]


def candidate(*steps: str, final: bool = True) -> Candidate:
    return Candidate(content="".join(steps), final=final, answer="x" if final else None, features={"steps": steps})


@pytest.mark.parametrize(("how", "expected"), [("last", 4.0), ("min", 1.0), ("mean", 7 / 3), ("product", 7.0)])
async def test_the_rewards_of_all_steps(how: Aggregation, expected: float) -> None:
    got = await Aggregated(rewards(), how).score([candidate(*STEPS), candidate("a", final=False)], TASK)
    assert list(got.values) == pytest.approx([expected, 1.0])


def test_products_of_probabilities_and_sums_of_log_weights() -> None:
    assert aggregate(np.array([0.5, 0.5, np.nan]), "product", LogMap.PROBABILITY) == 0.25
    assert aggregate(np.array([-1.0, -2.0]), "product", LogMap.RAW) == -3.0
    assert math.isnan(aggregate(np.array([np.nan]), "min", LogMap.RAW))
    assert math.isnan(aggregate(np.array([]), "last", LogMap.RAW))


async def test_every_prefix_is_rated_once() -> None:
    inner = rewards()
    verifier = Aggregated(inner, "min")
    await verifier.score([candidate("a", final=False), candidate("a", final=False)], TASK)
    grown = await verifier.score([candidate("a", "bb", final=False), candidate("a", "ccc", final=False)], TASK)
    assert inner.seen == ["a", "abb", "accc"]
    assert grown.cost.verifier_calls == 2
    await verifier.score([candidate("a", "bb", final=False)], Task(prompt="another", id="u"))
    assert inner.seen[3:] == ["a", "abb"], "another task's prefixes are its own"


async def test_a_step_that_fails_fails_its_candidates_alone() -> None:
    verifier = Aggregated(rewards(fails=lambda c: c.content.endswith("bb")), "mean")
    got = await verifier.score([candidate(*STEPS), candidate("a", "ccc"), candidate()], TASK)
    assert set(got.failures) == {0}
    assert got.values[1] == 2.5
    assert math.isnan(got.values[2])
    assert got.notes[2] == "no steps to rate"
    short = await Aggregated(rewards(), "mean", max_steps=2).score([candidate(*STEPS), candidate("a")], TASK)
    assert "max_steps" in short.failures[0].message
    assert short.values[1] == 1.0


def test_what_cannot_be_converted_is_refused() -> None:
    with pytest.raises(Incompatible, match="step rewards"):
        Aggregated(Arithmetic(), "min")
    with pytest.raises(Incompatible, match="every step"):
        Aggregated(rewards(wants=frozenset({"hidden"})), "min")
    with pytest.raises(Incompatible, match="outcome"):
        AtEnd(rewards())
    with pytest.raises(SettingsError):
        Aggregated(rewards(), "min", max_steps=0)


def test_conversions_of_specs() -> None:
    step = rewards().spec
    assert step.aggregated("min").kind is ScoreKind.PREFIX_VALUE
    assert (step.aggregated("product").low, step.aggregated("product").high) == (0.0, math.inf)
    value = Arithmetic().spec
    assert (value.at_end().kind, value.at_end().partial) == (ScoreKind.OUTCOME, False)
    with pytest.raises(Incompatible):
        value.aggregated("last")


def test_values_stand_beside_outcomes_at_the_end_only() -> None:
    exact = Exact().build(Parts())
    with pytest.raises(Incompatible, match="kind"):
        Combined((Arithmetic(), exact))
    assert Combined((AtEnd(Arithmetic()), exact)).spec.kind is ScoreKind.OUTCOME


@pytest.mark.parametrize("algorithm", [BestOfN(n=2), Beam(n=4, width=2), ParticleFilter(n=2)])
async def test_methods_refuse_rewards_of_steps(algorithm: BestOfN | Beam | ParticleFilter) -> None:
    with pytest.raises(Incompatible, match="step"):
        await answer(algorithm, rewards())
    assert await answer(algorithm, Aggregated(rewards(), "min")) is not None


async def test_the_filter_takes_rewards_where_its_twist_does() -> None:
    assert await answer(ParticleFilter(n=2, twist=Incremental()), rewards()) is not None


async def answer(algorithm: Algorithm[Any], verifier: Verifier) -> object:
    session = Session.open(seed=1)
    result = await Search(lambda task: TokenChain("abc", length=2), algorithm, verifier).solve(TASK, session)
    session.close()
    return result.answer


class TestContract(VerifierContract):
    @pytest.fixture
    def verifier(self) -> Aggregated:
        return Aggregated(rewards(), "mean", max_steps=3)

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return [candidate(*STEPS), candidate("a"), candidate("bb", "ccc"), candidate(), candidate("a", "a", "a", "a")]
