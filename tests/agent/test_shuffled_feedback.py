"""Spec 01's control: an agent that follows what it is told gains by its own feedback, and by that of another task gains nothing.

The agent keeps the dials of the best attempt that its feedback calls right and turns the others. Told of its own attempt it comes closer
round by round; told how the attempt would have done on another task, it keeps what is wrong as gladly as what is right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from outthink.agent import Agent, AgentProcess, Environment, EnvironmentReward, Observation, Reward
from outthink.core import Algorithm, Candidate, Failure, Key, Scores, ScoreSpec, Search, Session, Task, Verifier
from outthink.engines.scripted import END, ScriptedEngine
from outthink.engines.scripted_tokens import question_of, reply_of
from outthink.search import BestOfN, Refine

DIALS, LETTERS, RUNS = 6, "abcd", 30


class Dials(Environment):
    """Six dials with a hidden setting; one attempt, rewarded by the share of dials that are right."""

    instructions = "Write six letters."
    opening = "Six dials."

    def __init__(self, right: str) -> None:
        self.right = right

    async def observe(self, actions: Sequence[str]) -> Observation | Failure:
        return Observation("The dials are set.", done=True)

    async def reward(self, actions: Sequence[str]) -> Reward | Failure:
        parts = {f"d{i}": float(a == b) for i, (a, b) in enumerate(zip(actions[-1], self.right, strict=True))}
        return Reward(sum(parts.values()) / DIALS, parts)

    def answer(self, actions: Sequence[str]) -> str | None:
        return actions[-1] if actions else None


class Shuffled(Verifier):
    """The scores of one task with what is said of the attempt on another."""

    def __init__(self, own: Verifier, other: Verifier) -> None:
        self.own, self.other = own, other

    @property
    def spec(self) -> ScoreSpec:
        return self.own.spec

    async def score(self, candidates: Sequence[Candidate], task: Task) -> Scores:
        own, other = await self.own.score(candidates, task), await self.other.score(candidates, task)
        return replace(own, notes=other.notes)


def following(text: str) -> Mapping[str, float]:
    """An agent that sets dial by dial: those that its feedback calls right as they were, the others to another letter."""
    asked, at = question_of(text), len(reply_of(text))
    if at == DIALS:
        return {END: 1.0}
    earlier = re.search(r"> ([a-d]{6})", asked)
    told = re.search(rf"\bd{at} ([01])", asked)
    if earlier is None or told is None:
        return dict.fromkeys(LETTERS, 1 / len(LETTERS))
    was = earlier[1][at]
    return {was: 1.0} if told[1] == "1" else {one: 1 / 3 for one in LETTERS if one != was}


async def reached(method: Algorithm[Any], shuffled: bool) -> np.ndarray:
    """The best reward of each run; runs share their hidden settings."""
    found = []
    for seed in range(RUNS):
        drawn = Key(seed).child("dials").rng().integers(len(LETTERS), size=(2, DIALS))
        right, elsewhere = ("".join(LETTERS[i] for i in row) for row in drawn)
        process = AgentProcess(ScriptedEngine(following), Dials(right), Agent(turns=1, max_tokens=DIALS))
        judge: Verifier = EnvironmentReward(process.environment, tell="parts")
        if shuffled:
            judge = Shuffled(judge, EnvironmentReward(Dials(elsewhere), tell="parts"))
        result = await Search(lambda task, made=process: made, method, judge).solve(Task(), Session.open(seed=seed))  # type: ignore[misc]
        assert len(result.candidates) == 12
        found.append(result.scores[result.chosen or 0] or 0.0)
    return np.array(found)


async def test_the_gain_is_that_of_its_own_feedback_and_vanishes_with_anothers() -> None:
    method = Refine(n=3, rounds=3, base="best", unchanged=0, judge_again=True)
    plain = await reached(BestOfN(n=12), shuffled=False)
    told = await reached(method, shuffled=False)
    wrongly = await reached(method, shuffled=True)
    gain, lost = told - plain, wrongly - plain
    assert gain.mean() - 3 * gain.std(ddof=1) / np.sqrt(RUNS) > 0.2
    assert lost.mean() < 2 * lost.std(ddof=1) / np.sqrt(RUNS)
    assert told.mean() - wrongly.mean() > 0.2
