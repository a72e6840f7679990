"""Ensembles against numbers by hand; a knockout against the bracket that it must play."""

from __future__ import annotations

import math

import numpy as np
import pytest

from outthink.core import Candidate, Incompatible, LogMap, Parts, ScoreKind, Task
from outthink.engines.scripted import ScriptedEngine
from outthink.testing import FunctionOfContent
from outthink.testing.contracts import VerifierContract
from outthink.verify import Ensembled, Knockout, KnockoutJudge
from outthink.verify.ensemble import Way
from tests.verify.judges import check_bill, check_promise, judge_engine, scores, shown

TASK = Task(prompt="Which is longest?", id="t")
CANDIDATES = [Candidate(content=text) for text in ("a", "bb", "ccc", "dddd")]


def member(function: object, **more: object) -> FunctionOfContent:
    fields = {"low": 0.0, "high": 1.0, "log_map": LogMap.PROBABILITY, "kind": ScoreKind.OUTCOME, **more}
    return FunctionOfContent(function, **fields)  # type: ignore[arg-type]


def tenth(text: str) -> float:
    return len(text) / 10


def falling(text: str) -> float:
    return math.nan if text == "ccc" else 0.5 - len(text) / 10


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("mean", [0.25, 0.25, 0.3, 0.25]),
        ("min", [0.1, 0.2, 0.3, 0.1]),
        ("lower-bound", [0.25 - math.sqrt(0.045), 0.25 - math.sqrt(0.005), 0.3, 0.25 - math.sqrt(0.045)]),
    ],
)
async def test_ways_of_an_ensemble(how: Way, expected: list[float]) -> None:
    got = await Ensembled((member(tenth), member(falling)), how).score(CANDIDATES, TASK)
    assert list(got.values) == pytest.approx(expected)
    assert got.notes[0] == "members 0.3 apart, mean 0.25"
    assert got.notes[2] == ""


async def test_caution_stays_in_the_range_and_failures_are_not_averaged_away() -> None:
    far = Ensembled((member(lambda text: 1.0), member(lambda text: 0.0)), "lower-bound", 5.0)
    assert list((await far.score(CANDIDATES[:1], TASK)).values) == [0.0]
    broken = Ensembled((member(tenth), member(tenth, fails=lambda c: c.content == "bb")), "mean")
    got = await broken.score(CANDIDATES, TASK)
    assert set(got.failures) == {1}
    assert np.isnan(got.values[1])


def test_members_rate_the_same_thing() -> None:
    for other in (
        member(tenth, kind=ScoreKind.PREFIX_VALUE),
        member(tenth, high=2.0),
        member(tenth, log_map=LogMap.ODDS),
    ):
        with pytest.raises(Incompatible, match="no ensemble"):
            Ensembled((member(tenth), other))


class TestEnsembleContract(VerifierContract):
    @pytest.fixture(params=["mean", "min", "lower-bound"])
    def verifier(self, request: pytest.FixtureRequest) -> Ensembled:
        return Ensembled((member(tenth), member(falling)), request.param)

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return CANDIDATES


# -- knockout -------------------------------------------------------------------------------------------------------


def longer(prompt: str) -> dict[str, float]:
    """Prefers the longer text; equally long ones tie."""
    _, first, second = shown(prompt)
    sign = (len(first) > len(second)) - (len(first) < len(second))
    return {f"Verdict: {['Tie', 'A', 'B'][sign]}": 1.0}


def often_right(prompt: str) -> dict[str, float]:
    """Prefers the longer text seven times in ten."""
    _, first, second = shown(prompt)
    good, bad = ("A", "B") if len(first) > len(second) else ("B", "A")
    return {f"Verdict: {good}": 0.7, f"Verdict: {bad}": 0.3}


def knockout(engine: ScriptedEngine, **settings: object) -> KnockoutJudge:
    return Knockout(**settings).build(Parts(engine=engine))  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [2, 3, 5, 8, 9])
async def test_the_best_wins_in_n_minus_1_comparisons(n: int) -> None:
    engine = judge_engine(longer)
    verifier = knockout(engine)
    players = ["x" * (i + 1) for i in range(n)]
    got = await scores(verifier, *players)
    assert engine.counters().calls == n - 1
    assert int(np.argmax(got.values)) == n - 1
    assert got.values[n - 1] == 1.0
    assert got.values.min() < 1.0
    check_bill(engine, got, n)
    check_promise(verifier, got, n)
    turned = await scores(knockout(judge_engine(longer)), *reversed(players))
    assert list(turned.values) == list(reversed(list(got.values))), "the candidates' order does not matter"


async def test_more_matches_make_a_doubtful_judge_surer() -> None:
    async def wins(matches: int) -> int:
        verifier = knockout(judge_engine(often_right), matches=matches, temperature=1.0)
        won = 0
        for i in range(60):
            got = await scores(verifier, *(f"{i} " + "x" * (1 + 3 * k) for k in range(4)))
            won += int(np.argmax(got.values) == 3)
        return won

    once, often = await wins(1), await wins(9)
    # 0.7 squared is 0.49; with nine matches a pair goes right 0.9 of the time.
    assert 18 <= once <= 41
    assert often >= 42
    assert often > once


async def test_nothing_to_compare_is_no_opinion() -> None:
    got = await scores(knockout(judge_engine(longer)), "alone", "alone")
    assert np.isnan(got.values).all()
    silent = await scores(knockout(judge_engine(lambda prompt: {"I cannot say": 1.0})), "a", "bb")
    assert np.isnan(silent.values).all()
    assert "without a verdict" in silent.notes[0]
