"""A pool of stored samples: the same answers for every method, each billed in full, nothing generated."""

from __future__ import annotations

import pytest

from outthink.core import Budget, Candidate, Cost, Failure, Incompatible, Search, Session, Task
from outthink.replay import StoredSample, StoredSamples
from outthink.search import BestOfN, ParticleFilter, Vote
from outthink.testing import FunctionOfContent

TEXTS = ["b", "a", "a", "c", "b", "a", "c", "a"]
POOL = [
    StoredSample(Candidate(content=text, answer=text), Cost(input_tokens=10, output_tokens=5 + i, calls=1))
    for i, text in enumerate(TEXTS)
]
JUDGE = FunctionOfContent(lambda text: {"a": 0.2, "b": 0.4, "c": 0.9}[text])


def search(algorithm: BestOfN | Vote | ParticleFilter) -> Search:
    return Search(lambda task: StoredSamples(POOL), algorithm, JUDGE)


async def test_methods_choose_from_the_very_same_samples() -> None:
    vote = await search(Vote(n=8)).solve(Task(), Session.open(seed=1))
    best = await search(BestOfN(n=8)).solve(Task(), Session.open(seed=2))
    assert [c.content for c in vote.candidates] == [c.content for c in best.candidates] == TEXTS
    assert (vote.answer, best.answer, best.chosen) == ("a", "c", 3)


@pytest.mark.parametrize("n", [1, 3, 8])
async def test_the_first_n_are_billed_in_full(n: int) -> None:
    result = await search(Vote(n=n)).solve(Task(), Session.open(seed=0))
    assert [c.content for c in result.candidates] == TEXTS[:n]
    assert result.cost.output_tokens == sum(5 + i for i in range(n))
    assert result.cost.calls == n


async def test_a_budget_holds_on_stored_costs() -> None:
    result = await search(Vote(n=8)).solve(Task(), Session.open(seed=0, budget=Budget(tokens=50)))
    assert result.cost.tokens == 15 + 16 + 17
    assert result.limit == "tokens"


async def test_a_stored_failure_stays_a_failure() -> None:
    pool = [StoredSample(Failure("EngineError", "broke"), Cost(calls=1)), *POOL[:2]]
    result = await Search(lambda task: StoredSamples(pool), BestOfN(n=3), JUDGE).solve(Task(), Session.open(seed=0))
    assert result.answer == "b"
    assert [f.message for f in result.failures] == ["broke"]
    assert result.cost.calls == 3


async def test_too_small_a_pool_and_step_wise_methods_are_refused() -> None:
    with pytest.raises(Incompatible, match="at most 8"):
        await search(Vote(n=9)).solve(Task(), Session.open(seed=0))
    with pytest.raises(Incompatible, match="best-of-n"):
        await search(ParticleFilter(n=4)).solve(Task(), Session.open(seed=0))


async def test_a_resumed_pool_goes_on_where_it_was() -> None:
    snapshots = []
    pools = [StoredSamples(POOL), StoredSamples(POOL)]
    first = await Search(lambda task: pools[0], Vote(n=4)).solve(Task(), Session.open(seed=0), on_step=snapshots.append)
    again = await Search(lambda task: pools[1], Vote(n=4)).solve(
        Task(), Session.open(seed=0), resume=snapshots[-1].dump()
    )
    assert again.answer == first.answer
    assert again.cost == first.cost
