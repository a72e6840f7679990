"""The process of parts keeps the contracts; what it is told decides what it mends; its judge errs as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from outthink.core import Allowance, Candidate, Key, Task
from outthink.testing import PartsJudge, PartsProcess
from outthink.testing.contracts import ProcessContract, RevisableContract, VerifierContract


class TestPartsProcess(ProcessContract, RevisableContract):
    @pytest.fixture
    def process(self) -> PartsProcess:
        return PartsProcess(parts=5, wrong=0.4, repair=0.5, breakage=0.1)


class TestPartsJudge(VerifierContract):
    @pytest.fixture
    def verifier(self) -> PartsJudge:
        return PartsJudge(noise=0.1)

    @pytest.fixture
    def candidates(self) -> list[Candidate]:
        return [Candidate(content=text, answer=text) for text in ("0000", "0101", "1111", "0010")]


async def test_named_parts_are_repaired_and_others_are_not() -> None:
    process = PartsProcess(parts=4, wrong=1.0, repair=1.0, breakage=0.0)
    seeds = Key(0).seeds(3)
    drawn = (await process.advance(await process.start(seeds), seeds, steps=None, allowance=Allowance())).states
    told = [
        "What was said about it: wrong parts: 0 2",
        "The best answer so far has the score 1. What was said about it: wrong parts: 1",
        "wrong parts: 0 1 2 3",
    ]
    got = await process.revise(drawn, told, seeds, allowance=Allowance())
    seen = [c.content for c in await process.view(got.states, frozenset())]
    assert seen == ["0101", "1111", "0000"], "what is said of the best and the worst is not about this answer"
    assert got.cost.input_tokens == 3 * (2 + 4) + 2 + 0 + 4
    assert got.cost.output_tokens == 12
    # A right part that is named is written anew, here for the worse.
    again = await process.revise(got.states, ["wrong parts: 0"] * 3, seeds, allowance=Allowance())
    assert [c.content for c in await process.view(again.states, frozenset())] == ["1101", "0111", "1000"]


async def test_the_judge_errs_at_its_rate_and_always_in_the_same_way() -> None:
    truth = np.array([part == "1" for part in "01" * 20])
    flips = [PartsJudge(noise=0.2, seed=s).verdicts("01" * 20) != truth for s in range(100)]
    assert abs(np.mean(flips) - 0.2) < 4 * np.sqrt(0.16 / 4000)
    judge = PartsJudge(noise=0.2, seed=3)
    candidates = [Candidate(content="0110", answer="0110")] * 2
    scores = await judge.score(candidates, Task())
    assert scores.values[0] == scores.values[1]
    assert not (PartsJudge().verdicts("0110") ^ np.array([0, 1, 1, 0], bool)).any()
