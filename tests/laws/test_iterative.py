"""Iterative decoding against best-of-n where everything is known: the closed forms of `PartsProcess`, and that u = 0 cannot gain."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from outthink.core import Algorithm, Result, Run, Search, Session, Task
from outthink.numerics.types import FloatArray
from outthink.search import BestOfN, Refine
from outthink.testing import PartsJudge, PartsProcess

M, E = 6, 0.3
CHAINS = 1500
RUNS = 120


def iterative(n: int, rounds: int) -> Refine:
    return Refine(n=n, rounds=rounds, base="best", contrast=True, unchanged=0, judge_again=False)


async def wrong_by_chain(process: PartsProcess, **changes: Any) -> FloatArray:
    """Wrong parts of many single chains after three revisions, [CHAINS]."""
    method = Refine(**{"n": CHAINS, "rounds": 3, "unchanged": 0, "judge_again": False, **changes})
    run = Run(process, Session.open(seed=5), verifier=PartsJudge())
    state = await method.init(run, run.key.child("init"))
    for step in range(4):
        state = await method.step(state, run, run.key.child("step", step))
    assert method.done(state)
    return np.asarray(state.versions.batch.states.bad[state.current].sum(axis=1), np.float64)


async def wrong_by_run(process: PartsProcess, method: Algorithm[Any], noise: float = 0.0) -> FloatArray:
    """Wrong parts of the answer, over runs that share their seeds with those of other methods, [RUNS]."""
    found = []
    for seed in range(RUNS):
        result = await solved(process, method, PartsJudge(noise=noise, seed=seed), seed)
        found.append(str(result.answer).count("1"))
    return np.array(found, np.float64)


async def solved(process: PartsProcess, method: Algorithm[Any], judge: PartsJudge, seed: int) -> Result:
    session = Session.open(seed=seed)
    try:
        return await Search(lambda task: process, method, judge).solve(Task(), session)
    finally:
        session.close()


def mean(law: FloatArray) -> float:
    return float(law @ np.arange(len(law)))


def away(found: FloatArray, law: FloatArray) -> float:
    """How many standard errors the mean lies from the law's."""
    spread = math.sqrt(law @ np.arange(len(law)) ** 2 - mean(law) ** 2) / math.sqrt(len(found))
    return abs(float(found.mean()) - mean(law)) / max(spread, 1e-12)


def test_the_laws_are_laws() -> None:
    process = PartsProcess(parts=M, wrong=E, repair=0.5, breakage=0.1)
    for law in (process.best_of(1), process.best_of(7), process.refined(1, 0), process.refined(3, 4)):
        assert law.sum() == pytest.approx(1.0, abs=1e-12)
        assert (law >= -1e-15).all()
    assert mean(process.best_of(1)) == pytest.approx(M * E)
    assert process.best_of(5)[0] == pytest.approx(1 - (1 - (1 - E) ** M) ** 5)
    assert np.allclose(process.refined(4, 0), process.best_of(4))
    # u = 1 and v = 0 mends everything at once.
    assert PartsProcess(parts=M, wrong=E, repair=1.0).refined(2, 1)[0] == pytest.approx(1.0)


@pytest.mark.parametrize(("repair", "breakage"), [(0.5, 0.1), (0.25, 0.0), (1.0, 0.05)])
async def test_a_chain_has_as_many_wrong_parts_as_the_closed_form_says(repair: float, breakage: float) -> None:
    process = PartsProcess(parts=M, wrong=E, repair=repair, breakage=breakage)
    law = process.refined(1, 3)
    assert away(await wrong_by_chain(process), law) < 4
    # The same seeds reject feedback that names nothing, and chains that keep whatever is newest.
    assert away(await wrong_by_chain(process, feedback="score"), law) > 6
    if breakage:
        assert away(await wrong_by_chain(process, accept="always"), law) > 6


async def test_rounds_around_the_best_follow_the_closed_form() -> None:
    process = PartsProcess(parts=12, wrong=0.4, repair=0.25, breakage=0.1)
    found = await wrong_by_run(process, iterative(3, 3))
    assert away(found, process.refined(3, 3)) < 4
    assert away(await wrong_by_run(process, BestOfN(n=12)), process.best_of(12)) < 4
    # The same runs reject the law of three chains on their own, and that of twelve draws.
    alone = process.refined(1, 3)
    above = np.append(np.cumsum(alone[::-1])[::-1], 0.0) ** 3
    assert away(found, above[:-1] - above[1:]) > 4
    assert away(found, process.best_of(12)) > 4


@pytest.mark.parametrize("breakage", [0.0, 0.1])
async def test_what_repairs_nothing_gains_nothing(breakage: float) -> None:
    """u = 0: refinement is best-of-n with fewer samples, whatever is broken on the way."""
    process = PartsProcess(parts=M, wrong=E, repair=0.0, breakage=breakage)
    for n, rounds in ((1, 3), (3, 3), (4, 1)):
        assert np.allclose(process.refined(n, rounds), process.best_of(n), atol=1e-12)
        assert mean(process.refined(n, rounds)) > mean(process.best_of(n * (1 + rounds)))
    first, refined = await wrong_by_run(process, BestOfN(n=3)), await wrong_by_run(process, iterative(3, 2))
    assert (first == refined).all()
    assert refined.mean() > (await wrong_by_run(process, BestOfN(n=9))).mean()
    # A reviser that draws anew in secret breaks this law on the same seeds.
    secret = await wrong_by_run(DrawsAnew(parts=M, wrong=E, repair=0.0, breakage=breakage), iterative(3, 2))
    assert (secret < first).mean() > 0.1


@pytest.mark.parametrize("noise", [0.05, 0.2])
async def test_nor_does_it_with_a_judge_who_errs(noise: float) -> None:
    process = PartsProcess(parts=M, wrong=E, repair=0.0, breakage=0.1)
    refined = await wrong_by_run(process, iterative(3, 2), noise)
    drawn = await wrong_by_run(process, BestOfN(n=9), noise)
    gain = drawn - refined
    assert gain.mean() <= 2 * gain.std() / math.sqrt(len(gain))
    # And the judge's own score of what it chose is too good: the winner's curse, which would pass for a gain.
    flattered = [(await solved(process, BestOfN(n=9), PartsJudge(noise=noise, seed=s), s)).scores for s in range(40)]
    believed = np.array([M * (1 - max(score for score in scores if score is not None)) for scores in flattered])
    assert believed.mean() < drawn[:40].mean()


class DrawsAnew(PartsProcess):
    """A known-wrong reviser: every revision is a fresh sample."""

    async def revise(self, states: Any, feedback: Any, seeds: Any, *, allowance: Any) -> Any:
        fresh = await self.start(seeds)
        return await self.advance(fresh, seeds, steps=None, allowance=allowance)
