"""Look-ahead: what it costs, what it counts, and what becomes of the provisional step."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from outthink.core import Batch, Budget, Cost, Result, ScoreKind, Search, Session, SettingsError, Stop, Task
from outthink.core.events import Advanced, Resampled, Warned
from outthink.search import Difference, Incremental, LookAhead, ParticleFilter
from outthink.search.look_ahead import Ahead, first_stage
from outthink.testing import FunctionOfContent, TokenChain


def score(text: str) -> float:
    return 1.2 * text.count("b")


async def solve(
    algorithm: ParticleFilter, seed: int = 0, *, budget: Budget | None = None, kind: Any = None, **chain: Any
) -> tuple[Result, Session, TokenChain, FunctionOfContent]:
    process = TokenChain("abc", **{"length": 5, **chain})
    verifier = FunctionOfContent(score, kind=kind or ScoreKind.PREFIX_VALUE)
    session = Session.open(seed=seed, budget=budget)
    result = await Search(lambda task: process, algorithm, verifier).solve(Task(), session)
    session.close()
    return result, session, process, verifier


def advances(session: Session, kind: str) -> list[Advanced]:
    return [e for e in session.trace.events if isinstance(e, Advanced) and e.kind == kind]


@pytest.mark.parametrize("stop", [0.0, 0.3], ids=["equal lengths", "early finishers"])
@pytest.mark.parametrize("ess_threshold", [1.0, 0.6])
async def test_it_costs_one_step_and_one_score_for_each_unfinished_member_at_each_resampling(
    stop: float, ess_threshold: float
) -> None:
    """Spec 02, check 7."""
    for seed in range(5):
        algorithm = ParticleFilter(n=6, ess_threshold=ess_threshold, look_ahead=LookAhead())
        _, session, process, verifier = await solve(algorithm, seed, stop=stop)
        resampled = [e for e in session.trace.events if isinstance(e, Resampled)]
        looks, steps = advances(session, "look-ahead"), advances(session, "step")
        assert len(looks) == len(resampled)
        taken = [len(e.nodes) for e in steps]
        # Looks come before steps that were resampled for; unfinished are those that move in the step before and did not end.
        for look in looks:
            before = [e for e in session.trace.events if isinstance(e, Advanced)]
            last = before[before.index(look) - 1]
            assert len(look.nodes) == sum(not done for done in last.done)
        assert process.counters.output_tokens == sum(taken) + sum(len(e.nodes) for e in looks)
        assert verifier.counters.verifier_calls == process.counters.output_tokens


async def test_reuse_saves_a_step_for_each_parent() -> None:
    fresh, reuse = (LookAhead(), LookAhead(reuse=True))
    for seed in range(5):
        costs = []
        for look in (fresh, reuse):
            algorithm = ParticleFilter(n=6, ess_threshold=1, look_ahead=look, exact=False)
            _, session, process, _ = await solve(algorithm, seed)
            parents = sum(len(set(e.ancestors)) for e in session.trace.events if isinstance(e, Resampled))
            costs.append((process.counters.output_tokens, parents))
        assert costs[0][0] == 6 * 5 + 6 * 4
        assert costs[1][0] == 6 * 5 + 6 * 4 - costs[1][1]


async def test_reuse_gives_the_first_copy_its_provisional_step() -> None:
    algorithm = ParticleFilter(n=6, ess_threshold=1, look_ahead=LookAhead(reuse=True), exact=False)
    result, session, process, _ = await solve(algorithm, 3)
    looked = {node for e in advances(session, "look-ahead") for node in e.nodes}
    assert looked & {candidate.id for candidate in result.candidates}
    assert all(len(candidate.content) == 5 for candidate in result.candidates)
    assert result.stop is Stop.DONE
    assert result.cost == process.counters + Cost(verifier_calls=process.counters.output_tokens)


async def test_fresh_steps_are_never_the_provisional_ones() -> None:
    result, session, _, _ = await solve(ParticleFilter(n=6, ess_threshold=1, look_ahead=LookAhead()), 3)
    looked = {node for e in advances(session, "look-ahead") for node in e.nodes}
    parents = {node for e in advances(session, "step") for node in e.parents}
    assert looked
    assert not looked & parents
    assert not looked & {candidate.id for candidate in result.candidates}


async def test_the_last_step_is_not_looked_at() -> None:
    _, session, _, _ = await solve(ParticleFilter(n=4, ess_threshold=1, look_ahead=LookAhead()), 0, length=1)
    assert advances(session, "look-ahead") == []


async def test_without_strength_it_changes_nothing_but_the_bill() -> None:
    said = []
    for look in (None, LookAhead(strength=0.0)):
        _, session, process, _ = await solve(ParticleFilter(n=6, ess_threshold=1, look_ahead=look), 1)
        said.append(next(e for e in session.trace.events if isinstance(e, Resampled)))
    assert said[0].effective == said[1].effective
    assert process.counters.output_tokens == 6 * 5 + 6 * 4


def test_first_stage_weights_are_the_sheets() -> None:
    """Values: the future one replaces the present one. Rewards: the next one is added. A rejected look is no rejection."""
    s, ahead_s = np.array([0.4, -1.0, 0.2]), np.array([1.0, 0.5, -np.inf])
    gain = {"difference": ahead_s - s, "incremental": ahead_s}
    for name, add in gain.items():
        found = first_stage(s, _ahead(add), 1.0)
        assert found[:2].tolist() == pytest.approx((s + add)[:2].tolist()), name
        assert np.isfinite(found).all()
        assert found[2] < found[:2].min()
    assert first_stage(np.array([-np.inf, 0.0]), _ahead(np.zeros(2)), 1.0)[0] == -np.inf


def _ahead(gain: Any) -> Ahead:
    n = len(gain)
    chain = TokenChain("a", length=1)
    flags, zeros = np.zeros(n, bool), np.zeros(n)
    batch = Batch(chain, None, np.arange(n), np.zeros(n, np.int64), flags, flags)
    return Ahead(batch, zeros, zeros, zeros, zeros, gain, np.ones(n, bool))


@pytest.mark.parametrize("twist", [Difference(), Incremental()], ids=lambda t: t.name())
async def test_a_budget_that_ends_after_a_look_uses_what_was_looked_at(twist: Any) -> None:
    """Until it is dropped a provisional step is a step: with nothing resampled in between, the population is a valid one."""
    kind = ScoreKind.PREFIX_VALUE if isinstance(twist, Difference) else ScoreKind.STEP_REWARD
    algorithm = ParticleFilter(n=4, ess_threshold=1, look_ahead=LookAhead(), twist=twist)
    result, session, _, _ = await solve(algorithm, 2, budget=Budget(output_tokens=8), kind=kind, length=2)
    assert (result.stop, result.limit) == (Stop.BUDGET, "output_tokens")
    assert result.answer is not None
    assert {c.id for c in result.candidates} == set(advances(session, "look-ahead")[0].nodes)
    log_z = np.log(
        np.mean(
            [
                math.exp(score(c.content) + (score(c.content[:1]) if kind is ScoreKind.STEP_REWARD else 0))
                for c in result.candidates
            ]
        )
    )
    assert result.log_evidence == pytest.approx(log_z)


async def test_a_deterministic_generator_is_noticed() -> None:
    stubborn = TokenChain("ab", length=12, initial=[0.5, 0.5], transition=[[1.0, 0.0], [0.0, 1.0]])
    session = Session.open(seed=0)
    algorithm = ParticleFilter(n=8, ess_threshold=1, resampling="multinomial")
    await Search(lambda task: stubborn, algorithm, FunctionOfContent(score)).solve(Task(), session)
    said = [e.message for e in session.trace.events if isinstance(e, Warned) and "deterministic" in e.message]
    assert len(said) == 1
    _, lively, _, _ = await solve(ParticleFilter(n=8, ess_threshold=1), length=12)
    assert not [e for e in lively.trace.events if isinstance(e, Warned) and "deterministic" in e.message]


def test_a_kept_step_cannot_be_exact() -> None:
    with pytest.raises(SettingsError, match="exact = false"):
        ParticleFilter(look_ahead=LookAhead(reuse=True))
    assert ParticleFilter(look_ahead=LookAhead(reuse=True), exact=False).look_ahead is not None
