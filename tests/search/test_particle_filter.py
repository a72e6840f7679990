"""The particle filter's own behaviour: resampling policy, choice of the answer, hard zeros, warnings."""

from __future__ import annotations

import math

import numpy as np
import pytest

from outthink.core import Incompatible, LogMap, Result, ScoreKind, Search, Session, SettingsError, Stop, Task
from outthink.core.events import Resampled, Warned
from outthink.search import Difference, Incremental, ParticleFilter, RunningMax
from outthink.search.particle_filter import increments
from outthink.search.twists import Twisted
from outthink.testing import FunctionOfAnswer, FunctionOfContent, TokenChain


async def solve(
    algorithm: ParticleFilter, verifier: FunctionOfContent, seed: int = 0, **chain: float
) -> tuple[Result, Session]:
    session = Session.open(seed=seed)
    search = Search(lambda task: TokenChain("abc", length=4, **chain), algorithm, verifier, FunctionOfAnswer(len))  # type: ignore[arg-type]
    result = await search.solve(Task(), session)
    session.close()
    return result, session


def resamplings(session: Session) -> list[Resampled]:
    return [e for e in session.trace.events if isinstance(e, Resampled)]


async def test_resampling_happens_before_each_step_but_the_first_and_never_after_the_last() -> None:
    verifier = FunctionOfContent(lambda text: float(text.count("b")))
    _, always = await solve(ParticleFilter(n=8, ess_threshold=1), verifier)
    assert [e.step for e in resamplings(always)] == [1, 2, 3]
    _, never = await solve(ParticleFilter(n=8, ess_threshold=0), verifier)
    assert resamplings(never) == []


async def test_even_weights_are_not_resampled_under_a_threshold() -> None:
    _, session = await solve(ParticleFilter(n=8, ess_threshold=0.9), FunctionOfContent(lambda text: 0.0))
    assert resamplings(session) == []


async def test_finished_members_keep_their_weight_while_others_go_on() -> None:
    verifier = FunctionOfContent(lambda text: 0.5 * len(text), kind=ScoreKind.STEP_REWARD)
    result, _ = await solve(ParticleFilter(n=64, ess_threshold=0, twist=Incremental()), verifier, stop=0.5)
    log_w = {len(c.content): math.log(w) for c, w in zip(result.candidates, result.weights, strict=True)}
    assert len(log_w) == 4
    for length in (1, 2, 3):
        assert log_w[length + 1] - log_w[length] == pytest.approx(0.5 * (length + 1))


async def test_choose_says_who_the_answer_is() -> None:
    verifier = FunctionOfContent(lambda text: 0.3 * text.count("b") + 0.01 * text.count("c"))
    picks = {}
    for choose in ("score", "weight", "vote", "sample"):
        result, _ = await solve(ParticleFilter(n=32, choose=choose, ess_threshold=0), verifier, stop=0.4)  # type: ignore[arg-type]
        assert result.chosen is not None
        picks[choose] = result
    scores = [s for s in picks["score"].scores if s is not None]
    assert picks["score"].scores[picks["score"].chosen or 0] == max(scores)
    weights = picks["weight"].weights
    assert weights[picks["weight"].chosen or 0] == max(weights)
    by_length: dict[int, float] = {}
    for candidate, weight in zip(picks["vote"].candidates, picks["vote"].weights, strict=True):
        by_length[len(candidate.content)] = by_length.get(len(candidate.content), 0.0) + weight
    assert len(picks["vote"].answer) == max(by_length, key=lambda k: by_length[k])
    assert picks["vote"].agreement == pytest.approx(max(by_length.values()))


async def test_choose_sample_follows_the_weights() -> None:
    verifier = FunctionOfContent(lambda text: 1.5 * text.count("b"))
    counts = 0
    expected = 0.0
    for seed in range(300):
        result, _ = await solve(ParticleFilter(n=4, choose="sample", ess_threshold=0), verifier, seed)
        heavy = int(np.argmax(result.weights))
        counts += result.chosen == heavy
        expected += result.weights[heavy]
    assert abs(counts - expected) < 4 * math.sqrt(300 * 0.25)


async def test_hard_zeros_are_never_the_answer() -> None:
    verifier = FunctionOfContent(lambda text: -math.inf if "b" in text else 0.0)
    for seed in range(10):
        result, _ = await solve(ParticleFilter(n=16, ess_threshold=0.5), verifier, seed)
        assert result.answer is not None
        assert "b" not in result.answer
        assert all(w == 0 for c, w in zip(result.candidates, result.weights, strict=True) if "b" in c.content)


async def test_when_everyone_is_rejected_it_says_so_and_gives_no_answer() -> None:
    result, session = await solve(ParticleFilter(n=4), FunctionOfContent(lambda text: -math.inf))
    assert result.answer is None
    assert sum(result.weights) == 0
    assert any(isinstance(e, Warned) and "rejected at step 1" in e.message for e in session.trace.events)


async def test_long_collapse_is_reported_once() -> None:
    verifier = FunctionOfContent(lambda text: 30.0 * text.count("b"))
    session = Session.open(seed=1)
    search = Search(lambda task: TokenChain("abc", length=12), ParticleFilter(n=64, ess_threshold=0), verifier)
    await search.solve(Task(), session)
    said = [e.message for e in session.trace.events if isinstance(e, Warned)]
    assert len([m for m in said if "effective sample size" in m]) == 1


async def test_clipped_probabilities_are_counted_and_told() -> None:
    verifier = FunctionOfContent(lambda text: float("c" in text), log_map=LogMap.PROBABILITY, low=0, high=1)
    result, session = await solve(ParticleFilter(n=8), verifier)
    assert math.isfinite(result.log_evidence or math.nan)
    assert any(isinstance(e, Warned) and "clipped" in e.message for e in session.trace.events)


async def test_a_verifier_of_finished_answers_leaves_the_weights_alone_until_the_end() -> None:
    final_only = FunctionOfContent(lambda text: float(text.count("b")), partial=False, kind=ScoreKind.OUTCOME)
    result, session = await solve(ParticleFilter(n=8, ess_threshold=0.5), final_only)
    assert resamplings(session) == []
    assert result.stop is Stop.DONE
    assert all(len(text) == 4 for text in final_only.seen)


async def test_step_rewards_and_values_are_not_taken_for_each_other() -> None:
    rewards = FunctionOfContent(len, kind=ScoreKind.STEP_REWARD)
    values = FunctionOfContent(len)
    with pytest.raises(Incompatible, match="incremental"):
        await solve(ParticleFilter(), rewards)
    with pytest.raises(Incompatible, match="difference"):
        await solve(ParticleFilter(twist=Incremental()), values)
    result, _ = await solve(ParticleFilter(twist=Incremental(accept_values=True)), values)
    assert result.answer is not None
    assert rewards.seen == []


async def test_a_score_that_is_no_probability_is_named() -> None:
    with pytest.raises(Exception, match="raw"):
        await solve(ParticleFilter(weight="prob"), FunctionOfContent(lambda text: 1.5))


def test_settings_are_checked() -> None:
    for bad in ({"n": 0}, {"ess_threshold": 1.5}, {"resampling": "roulette"}, {"twist": 3}, {"m": 4}):
        with pytest.raises(SettingsError):
            ParticleFilter(**bad)


def test_increments_keep_zero_weights_at_zero() -> None:
    inf = math.inf
    given = increments(np.array([1.0, -inf, 2.0, -inf]), np.array([0.5, 0.0, -inf, -inf]))
    assert given.tolist() == [0.5, -inf, -inf, -inf]


def test_no_opinion_leaves_a_twist_as_it_is() -> None:
    now = Twisted(np.array([0.4, 0.4]), np.array([0.2, 0.2]))
    for twist in (Difference(), RunningMax()):
        after = twist.update(now, np.array([np.nan, 1.0]), np.array([False, True]))
        assert after.log_twist.tolist() == [0.4, 1.0]
        assert after.memory[0] == 0.2
