"""A cut keeps the scores that have come: judges, comparisons, functions, mathematics, and several of them together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Budget,
    Candidate,
    Cost,
    Cut,
    Failure,
    Parts,
    Scores,
    Search,
    Session,
    Stop,
    Task,
    Verifier,
    VerifierError,
)
from outthink.core.events import AnyEvent, Scored, Warned
from outthink.core.verifier import LogMap, ScoreKind, ScoreSpec
from outthink.engines.scripted import Behaviour, ScriptedEngine, reply_of
from outthink.engines.scripted_tokens import END
from outthink.search import BestOfN
from outthink.testing import TokenChain, run_virtual
from outthink.verify import Aggregated, Combined, Ensembled, Judge, Knockout, MathVerify, Pairwise, as_verifier
from tests.needs import need

TASK = Task(prompt="Why?", reference="4")


def slow_judge_engine(seconds: float = 0.05, reply: str = "Score: 7") -> ScriptedEngine:
    """Replies one at a time, each after so many seconds."""

    def script(text: str) -> Mapping[str, float]:
        return {END: 1.0} if reply_of(text) else {reply: 1.0}

    return ScriptedEngine(script, vocabulary=(reply,), behaviour=Behaviour(call_seconds=seconds, slots=1))


def texts(n: int) -> list[Candidate]:
    return [Candidate(content=f"answer {i}", answer=str(i)) for i in range(n)]


async def cut_after(verifier: Verifier, seconds: float, n: int = 8) -> Scores:
    """Its scores when the cut comes so late."""
    cut = Cut()
    asyncio.get_running_loop().call_later(seconds, cut.fire, "seconds")
    scores = await asyncio.wait_for(verifier.score_until(texts(n), TASK, cut), 20)
    assert scores is not None
    assert len(scores.values) == n
    assert all(np.isnan(scores.values[row]) for row in scores.unjudged)
    return scores


async def test_a_judge_keeps_the_judgements_that_came() -> None:
    engine = slow_judge_engine()
    judge = Judge(n_evaluate=1, max_tokens=8).build(Parts(engine=engine))
    whole = await judge.score(texts(8), TASK)
    assert not whole.unjudged
    before = engine.counters()
    some = await cut_after(judge, 0.16)
    kept = [i for i in range(8) if i not in some.unjudged]
    assert 1 <= len(kept) <= 5
    assert [some.values[i] for i in kept] == [whole.values[i] for i in kept]
    assert not some.failures
    assert some.cost == engine.counters() - before + Cost(verifier_calls=len(kept)), "what was cut is billed as counted"


def test_a_match_that_a_cut_kept_from_a_verdict_is_not_decided_by_lot() -> None:
    knockout = Knockout(max_tokens=8).build(Parts(engine=slow_judge_engine(reply="Verdict: A")))

    async def work() -> tuple[Scores, ...]:
        return (await knockout.score(texts(8), TASK), *[await cut_after(knockout, s) for s in (0.13, 0.28, 0.01)])

    whole, early, late, nobody = run_virtual(work())
    assert sorted(whole.values.tolist()) == pytest.approx([0, 0, 0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    # Two of the four matches of the first round; then all of them, and one of the two of the second.
    judged = [i for i in range(8) if i not in early.unjudged]
    assert sorted(early.values[judged].tolist()) == [0.0, 0.0, 1.0, 1.0]
    assert {i for i in judged if early.values[i]} == {i for i in judged if whole.values[i]}
    assert sorted(late.values[~np.isnan(late.values)].tolist()) == [0.0] * 4 + [0.5, 1.0]
    assert late.unjudged == set(np.flatnonzero(np.isnan(late.values)).tolist())
    assert nobody.unjudged == set(range(8))


async def test_a_candidate_is_judged_by_the_judgements_that_came() -> None:
    judge = Judge(n_evaluate=8, max_tokens=8).build(Parts(engine=slow_judge_engine()))
    some = await cut_after(judge, 0.16, n=1)
    assert not some.unjudged
    assert np.isclose(some.values[0], (await judge.score(texts(1), TASK)).values[0])
    assert "judgements were cut short" in some.notes[0]


@pytest.mark.parametrize("schedule", ["round-robin", "swiss"])
async def test_comparisons_that_came_count(schedule: Any) -> None:
    settings = Pairwise(schedule=schedule, rounds=3, max_tokens=8, scores="win-rate")
    pairwise = settings.build(Parts(engine=slow_judge_engine(reply="Verdict: A")))
    whole = await pairwise.score(texts(8), TASK)
    assert not np.isnan(whole.values).any()
    some = await cut_after(pairwise, 0.13)
    kept = [i for i in range(8) if i not in some.unjudged]
    assert 2 <= len(kept) <= 6, "a comparison is about two"
    assert not np.isnan(some.values[kept]).any()
    assert some.cost.verifier_calls == len(kept)


async def test_functions_keep_what_they_returned() -> None:
    async def awaited(text: str) -> float:
        await asyncio.sleep(0.02 if text < "answer 4" else 30)
        return 1.0

    def plain(text: str) -> float | None:
        time.sleep(0.02 if text < "answer 4" else 1.0)
        return None if text == "answer 1" else 1.0

    some = await cut_after(as_verifier(awaited), 0.15)
    assert some.unjudged == {4, 5, 6, 7}
    assert some.values[:4].tolist() == [1.0] * 4
    assert some.cost == Cost(verifier_calls=4)
    one_by_one = await cut_after(as_verifier(plain, local=False), 0.4)
    assert one_by_one.unjudged == {4, 5, 6, 7}
    assert np.isnan(one_by_one.values[1]), "no opinion is an opinion about this one: it was judged"
    assert 1 not in one_by_one.unjudged


async def test_a_function_of_all_at_once_loses_all() -> None:
    async def batch(texts: list[str]) -> list[float]:
        await asyncio.sleep(30)
        return [1.0] * len(texts)

    cut = Cut()
    asyncio.get_running_loop().call_later(0.02, cut.fire, "seconds")
    assert await as_verifier(batch).score_until(texts(3), TASK, cut) is None


class HangsOn:
    """A pool of workers whose comparison with some answers never ends."""

    async def call(self, function: str, gold: str, answer: str, *, seconds: float) -> bool | Failure | None:
        await asyncio.sleep(30 if int(answer) > 4 else 0)
        return None if answer == "0" else answer == gold


async def test_mathematics_keeps_what_was_compared() -> None:
    need("math-verify")
    verifier: Any = MathVerify().build(Parts())
    some = await cut_after(replace(verifier, pool=HangsOn()), 0.1)
    assert some.unjudged == {5, 6, 7}
    assert some.values[:5].tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
    assert some.notes[0] == "compared as text"


class Hanging(Verifier):
    """Never judges anyone, and has a price."""

    spec = ScoreSpec(ScoreKind.OUTCOME, partial=False, local=False, log_map=LogMap.RAW)

    async def score(self, candidates: Any, task: Task) -> Scores:
        await asyncio.sleep(30)
        raise AssertionError("unreachable")


class HangingOnSteps(Hanging):
    """The same for steps."""

    spec = ScoreSpec(ScoreKind.STEP_REWARD, partial=True, local=False, log_map=LogMap.RAW)


async def test_several_together_judge_whom_all_have_judged() -> None:
    async def slow(text: str) -> float:
        await asyncio.sleep(0.01 if text < "answer 2" else 30)
        return 0.5

    quick = as_verifier(lambda text: 0.25, low=0.0, high=1.0, log_map="probability")
    late = as_verifier(slow, low=0.0, high=1.0, log_map="probability")
    some = await cut_after(Combined((quick, late), "product"), 0.1)
    assert some.unjudged == {2, 3, 4, 5, 6, 7}
    assert np.allclose(some.values[:2], 0.125)
    assert some.cost == Cost(verifier_calls=8 + 2)
    nobody = await cut_after(Combined((quick, Hanging()), "log-sum"), 0.05)
    assert len(nobody.unjudged) == 8
    assert nobody.uncertain == Cost(verifier_calls=8), "nobody knows what was paid for what is lost"
    both = await cut_after(Ensembled((Hanging(), Hanging())), 0.05)
    assert (both.unjudged, both.uncertain) == (frozenset(range(8)), Cost(verifier_calls=16))
    steps = [
        Candidate(content="ab", features={"steps": ("a", "b")}),
        Candidate(content="ac", features={"steps": ("a", "c")}),
    ]
    cut = Cut()
    asyncio.get_running_loop().call_later(0.05, cut.fire, "seconds")
    path = await Aggregated(HangingOnSteps(), "min").score_until(steps, TASK, cut)
    assert (path.unjudged, path.uncertain) == ({0, 1}, Cost(verifier_calls=3)), "a, ab and ac were asked for"


async def test_an_error_of_one_part_is_raised_as_it_is_and_warnings_are_handed_on() -> None:
    class Broken(Hanging):
        async def score(self, candidates: Any, task: Task) -> Scores:
            raise VerifierError("The scale is broken.")

    class Telling(Hanging):
        async def score(self, candidates: Any, task: Task) -> Scores:
            return Scores(np.ones(len(candidates)), warnings=("Two judgements failed.",))

    for together in (Combined((Broken(), Hanging()), "log-sum"), Ensembled((Hanging(), Broken()))):
        with pytest.raises(VerifierError, match="scale"):
            await asyncio.wait_for(together.score(texts(2), TASK), 5)
    for together in (Combined((Telling(), Telling()), "log-sum"), Ensembled((Telling(), Telling()))):
        assert (await together.score(texts(2), TASK)).warnings == ("Two judgements failed.",) * 2


async def test_a_run_keeps_the_finished_scores_at_its_deadline() -> None:
    """Best-of-n answers from the scores that came in time; before, it had none at all."""
    seen: list[int] = []

    async def slow(text: str) -> float:
        seen.append(1)
        await asyncio.sleep(0.01 if len(seen) <= 3 else 30)
        return float(text.count("a"))

    events: list[AnyEvent] = []
    session = Session.open(seed=1, budget=Budget(seconds=0.5), sinks=[events.append])
    search = Search(lambda task: TokenChain("ab", length=5), BestOfN(n=6), as_verifier(slow))
    result = await search.solve(TASK, session)
    session.close()
    assert result.stop is Stop.BUDGET
    known = [score for score in result.scores if score is not None]
    assert len(known) == 3
    assert result.chosen is not None
    assert result.scores[result.chosen] == max(known)
    (scored,) = [event for event in events if isinstance(event, Scored)]
    assert len(scored.nodes) == 3, "only those that were judged are said to be"
    assert any("3 members are without a score" in event.message for event in events if isinstance(event, Warned))
    assert result.by_role["verify"].verifier_calls == 3


async def test_step_rewards_and_ensembles_keep_what_came() -> None:
    async def rated(text: str) -> float:
        await asyncio.sleep(0.02 if text < "answer 4" else 30)
        return 0.5

    inner = as_verifier(rated, kind=ScoreKind.STEP_REWARD, partial=True)
    stepped = Aggregated(inner, "min")
    cut = Cut()
    asyncio.get_running_loop().call_later(0.3, cut.fire, "seconds")
    shown = [Candidate(content=f"answer {i}", features={"steps": (f"answer {i}",)}) for i in range(8)]
    some = await asyncio.wait_for(stepped.score_until(shown, TASK, cut), 20)
    assert some.unjudged == {4, 5, 6, 7}
    assert some.values[:4].tolist() == [0.5] * 4
    again = await asyncio.wait_for(stepped.score(shown[:4], TASK), 1)
    assert again.cost == Cost(), "what was judged before the cut is remembered"

    both = Ensembled((as_verifier(lambda text: 0.5), as_verifier(rated)), "mean")
    some = await cut_after(both, 0.3)
    assert some.unjudged == {4, 5, 6, 7}
    assert some.values[:4].tolist() == [0.5] * 4
