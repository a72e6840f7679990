"""Adaptive sampling: what it refuses, what it says, and each small notion it is made of."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import numpy as np
import pytest

from outthink.core import Budget, Incompatible, LogMap, Result, ScoreKind, Search, Session, SettingsError, Task
from outthink.core.events import Warned
from outthink.core.settings import replace
from outthink.engines.scripted import ScriptedEngine
from outthink.search import Adaptive, Leader, Never, Pruning, Rising, Steady, Threshold
from outthink.search.stopping import Seen
from outthink.search.waves import SCHEDULE, wave
from outthink.testing import FunctionOfContent, TokenChain
from outthink.text import Text, TextProcess


def seen(votes: tuple[int, ...] = (), *, scores: Any = (), drawn: int | None = None, most: int = 16) -> Seen:
    return Seen(np.array(scores, float), votes, sum(votes) if drawn is None else drawn, most)


def solved(
    algorithm: Adaptive, process: Any = None, verifier: Any = None, *, seed: int = 0
) -> tuple[Result, list[str]]:
    async def work() -> tuple[Result, list[str]]:
        session = Session.open(seed=seed)
        made = process or TokenChain("ab", length=3)
        result = await Search(lambda task: made, algorithm, verifier).solve(Task(prompt="say:"), session)
        return result, [event.message for event in session.trace.events if isinstance(event, Warned)]

    return asyncio.run(work())


JUDGE = functools.partial(FunctionOfContent, low=0.0, high=1.0, log_map=LogMap.PROBABILITY)

# -- rules ----------------------------------------------------------------------------------------------------------------


def test_unanimous_votes_stop_early_and_contested_ones_go_on() -> None:
    rule = Leader()
    assert [rule.stops(seen((k,))) for k in (1, 2, 3, 4)] == [False, False, True, True]
    assert not rule.stops(seen((7, 6)))
    assert rule.stops(seen((9, 7))), "nothing is left that could change it"
    assert rule.stops(seen((9, 2)))
    assert not rule.stops(seen(()))


def test_equal_counts_go_to_the_answer_seen_first() -> None:
    """One vote left: the first answer keeps a tie, the second one would have to win it."""
    first, second = seen((8, 7)), seen((7, 8))
    assert Leader(answers=2).risk(first) == 0.0
    assert Leader(answers=2).risk(second) > 0.4


def test_abstentions_leave_fewer_votes_to_come() -> None:
    rule = Leader(answers=2)
    assert rule.risk(seen((4, 1), drawn=12)) < rule.risk(seen((4, 1), drawn=5))
    assert rule.gain(seen((2, 1), drawn=3)) > rule.gain(seen((2, 1), drawn=9))


def test_promises_from_lax_to_strict() -> None:
    votes = seen((6, 1))
    risks = [Leader(promise=promise, answers=2).risk(votes) for promise in ("stays", "likeliest", "always")]  # type: ignore[arg-type]
    assert risks == sorted(risks)
    with pytest.raises(SettingsError, match="how many answers"):
        Leader(promise="always")


def test_thresholds() -> None:
    assert Threshold(value=0.9).stops(seen(scores=[0.2, np.nan, 0.9]))
    assert not Threshold(value=0.9).stops(seen(scores=[0.2, np.nan, 0.89]))
    assert not Threshold(value=0.0).stops(seen(scores=[np.nan]))
    assert not Threshold(value=0.0).stops(seen())
    with pytest.raises(SettingsError, match="no number"):
        Threshold(value=float("nan"))


def test_gains_fall_as_more_is_known() -> None:
    gains = [Leader().gain(seen((k,))) for k in range(1, 10)]
    assert gains == sorted(gains, reverse=True)
    assert Leader().gain(seen((4, 4))) > Leader().gain(seen((7, 1))) > Leader().gain(seen((8,)))
    assert Leader().gain(seen((1,) * 8)) < Leader().gain(seen((4, 4))), (
        "a hopeless question gains less than a contested one"
    )
    assert Leader().gain(seen((9, 7))) == 0.0
    assert Threshold().gain(seen(scores=[0.2], drawn=1)) == pytest.approx(0.32)
    assert Threshold().gain(seen(scores=[0.2], drawn=16)) == 0.0
    assert np.isnan(Never().gain(seen((1,))))


# -- waves ----------------------------------------------------------------------------------------------------------------


def test_sizes_of_waves() -> None:
    sizes, drawn = [], 0
    while drawn < 16:
        sizes.append(wave(SCHEDULE, len(sizes), Never(), seen(drawn=drawn)))
        drawn += sizes[-1]
    assert sizes == [1, 1, 2, 4, 8]
    assert wave((3,), 7, Never(), seen(drawn=15)) == 1
    assert wave("posterior", 0, Never(), seen(drawn=0)) == 16
    doubling, drawn = [], 0
    while drawn < 16:
        doubling.append(wave("posterior", len(doubling), Threshold(), seen(drawn=drawn)))
        drawn += doubling[-1]
    assert doubling == [1, 2, 4, 8, 1]
    assert wave("posterior", 0, Leader(), seen()) == 3
    assert wave("posterior", 1, Leader(), seen((2, 1))) == 3


def test_everything_can_be_set_by_name() -> None:
    from outthink.recipes import load, override

    changed = override(
        load("adaptive"),
        [
            "algorithm.n=8",
            "algorithm.waves=[1, 2]",
            "algorithm.stop.type=threshold",
            "algorithm.stop.value=0.7",
            "algorithm.temperature.type=rising",
            "algorithm.pruning={ at = [2, 4], keep = 0.5 }",
            "algorithm.choose=score",
        ],
    )
    assert changed.algorithm == Adaptive(
        n=8,
        waves=(1, 2),
        stop=Threshold(value=0.7),
        temperature=Rising(),
        pruning=Pruning(at=(2, 4), keep=0.5),
        choose="score",
    )
    assert load("adaptive").algorithm == Adaptive()
    assert load("self-evaluation").verifier is not None


# -- pruning --------------------------------------------------------------------------------------------------------------


def test_survivors() -> None:
    rule = Pruning(keep=0.5)
    score = np.array([0.1, 0.9, np.nan, 0.9, 0.5, 0.9])
    running = np.array([True, True, True, True, True, False])
    assert rule.survivors(score, running).tolist() == [False, True, False, True, True, True]
    tied = Pruning(keep=0.25).survivors(np.full(8, 0.5), np.ones(8, bool))
    assert np.flatnonzero(tied).tolist() == [0, 1], "ties go to the earlier ones"
    assert Pruning(keep=0.1).count(30) == 3, "0.1 * 30 is a little more than 3"
    assert [Pruning(keep=0.01).count(n) for n in (0, 1, 50)] == [0, 1, 1]
    with pytest.raises(SettingsError, match="one after the other"):
        Pruning(at=(3, 3))


def test_what_pruning_needs() -> None:
    pruning = Adaptive(pruning=Pruning(at=(1,)))
    assert pruning.needs_verifier
    assert not pruning.whole_samples
    assert Adaptive().whole_samples
    with pytest.raises(Incompatible, match="finished answers only"):
        solved(pruning, verifier=JUDGE(len, partial=False))
    with pytest.raises(Incompatible, match="step-reward"):
        solved(pruning, verifier=JUDGE(len, kind=ScoreKind.STEP_REWARD))


# -- temperatures ---------------------------------------------------------------------------------------------------------


def test_temperatures_rise_from_greedy() -> None:
    assert Steady().of(np.arange(3)) is None
    rising = Rising(most=0.8).of(np.arange(4))
    assert rising is not None
    assert rising.tolist() == pytest.approx([0.0, 0.4, 0.6, 0.7])


def test_each_attempt_is_drawn_at_its_own_temperature() -> None:
    """Greedy gives the likelier word for certain; later attempts explore, and keep their temperature over their steps."""
    engine = ScriptedEngine(lambda text: {"a": 0.6, "b": 0.4}, vocabulary=("a", "b"))
    settings = Text(format="plain", prompt="{question}", max_tokens=6, stop=())
    method = Adaptive(n=6, stop=Never(), waves=(2, 4), temperature=Rising(most=1.0))
    firsts, others = set(), set()
    for seed in range(6):
        result, _ = solved(method, TextProcess(engine, Task(prompt="say:"), settings), seed=seed)
        firsts.add(result.candidates[0].content)
        others |= {c.content for c in result.candidates[1:]}
    assert firsts == {"aaaaaa"}
    assert len(others) > 10
    asked = [request.sampling.temperature for request in engine.requests[:6]]
    assert asked == pytest.approx([0.0, 0.5, 0.75, 0.875, 0.9375, 0.96875])


def test_a_process_without_temperatures_is_refused() -> None:
    with pytest.raises(Incompatible, match="Temperable"):
        solved(Adaptive(temperature=Rising()), Plain("ab", length=3))


class Plain(TokenChain):
    """A toy whose members have no temperature."""


# -- what is said ---------------------------------------------------------------------------------------------------------


def test_a_rule_that_is_never_met_is_said() -> None:
    method = Adaptive(n=3, stop=Threshold(value=0.9), choose="score")
    result, warnings = solved(method, verifier=JUDGE(lambda text: 0.5))
    assert len(result.candidates) == 3
    assert any("no score reached 0.9 (best: 0.5)" in message for message in warnings)
    assert solved(replace(method, stop=Threshold(value=0.4)), verifier=JUDGE(lambda text: 0.5))[1] == []
    assert solved(Adaptive(n=3, stop=Never()))[1] == []


def test_relative_scores_are_refused_over_waves() -> None:
    from dataclasses import replace as with_changes

    judge = JUDGE(lambda text: 0.5)
    judge._spec = with_changes(judge.spec, relative=True)
    with pytest.raises(Incompatible, match="different waves"):
        solved(Adaptive(stop=Threshold(), choose="score"), verifier=judge)
    solved(Adaptive(n=4, stop=Never(), choose="score", waves=(4,)), verifier=judge)


def test_a_budget_ends_it_within_a_wave() -> None:
    async def work(tokens: int) -> Result:
        session = Session.open(budget=Budget(output_tokens=tokens))
        made = TokenChain("ab", length=4)
        return await Search(lambda task: made, Adaptive(n=8, stop=Never(), waves=(4,))).solve(Task(), session)

    for tokens in (3, 4, 15, 17, 31):
        result = asyncio.run(work(tokens))
        assert result.cost.output_tokens == tokens
        assert sum(c.final for c in result.candidates) == tokens // 4
        assert (result.answer is None) == (tokens < 4)
