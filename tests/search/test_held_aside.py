"""Resampling may leave behind everyone who has finished: the best of them is the answer of a search that is cut before anyone else ends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from outthink.core import Answer, Batch, Budget, Result, Search, Session, Task
from outthink.core.events import Advanced
from outthink.search import LookAhead, ParallelTempering, ParticleFilter, ParticleGibbs
from outthink.search.members import Members, held_aside, or_held
from outthink.testing import FunctionOfContent, TokenChain

LONG_IS_GOOD = FunctionOfContent(lambda text: 3.0 * len(text))
METHODS: dict[str, Any] = {
    "particle filter": ParticleFilter(n=2, ess_threshold=1),
    "looking ahead": ParticleFilter(n=2, ess_threshold=1, look_ahead=LookAhead()),
    "reusing the look": ParticleFilter(n=2, ess_threshold=1, look_ahead=LookAhead(reuse=True), exact=False),
    "particle gibbs": ParticleGibbs(n=2, sweeps=2),
    "parallel tempering": ParallelTempering(n=2, sweeps=2),
}


async def cut_short(name: str, seed: int, calls: int) -> tuple[Result, int]:
    """The result under a cap on judgements, and how many members came to an end in it."""
    session = Session.open(seed=seed, budget=Budget(verifier_calls=calls))
    search = Search(lambda task: TokenChain("abc", length=9, stop=0.25), METHODS[name], LONG_IS_GOOD)
    result = await search.solve(Task(), session)
    session.close()
    moves = [event for event in session.trace.events if isinstance(event, Advanced)]
    return result, sum(sum(move.done) for move in moves)


@pytest.mark.parametrize("name", METHODS)
async def test_whoever_finished_leaves_an_answer(name: str) -> None:
    held = 0
    for seed in range(20):
        for calls in (4, 6, 8):
            result, finished = await cut_short(name, seed, calls)
            if not finished:
                assert result.answer is None
                continue
            assert result.answer is not None, (seed, calls)
            chosen = result.candidates[result.chosen or 0]
            assert chosen.final
            held += sum(one.final for one in result.candidates) == 1 and result.weights[-1] == 1.0
    assert held, "nobody was ever left behind"


async def members(scores: list[float]) -> Members:
    """Finished members with these scores."""
    chain, n = TokenChain("ab"), len(scores)
    zeros = np.zeros(n)
    states = await chain.start(np.zeros(n, np.uint64))
    batch = Batch(chain, states, np.arange(n), np.zeros(n, np.int64), np.ones(n, bool), np.zeros(n, bool))
    return Members(batch, zeros, zeros, zeros, np.array(scores))


async def test_the_best_of_those_that_go_is_held() -> None:
    now = await members([1.0, 5.0, float("nan"), 3.0])
    first = held_aside(now, np.array([1]), None)
    assert first is not None
    assert first.batch.id.tolist() == [3]
    again = held_aside(await members([2.0]), np.zeros(0, np.int64), first)
    assert again is not None
    assert again.score.tolist() == [3.0]
    assert held_aside(now, np.arange(4), None) is None


async def test_a_better_founded_answer_is_left_as_it_is() -> None:
    now = await members([1.0, 2.0])
    answer = Answer.weighted(now.batch, now.log_w, now.score)
    assert or_held(answer, now.take([0])) is answer
