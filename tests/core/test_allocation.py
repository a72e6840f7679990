"""One budget over many tasks by predicted gain: never passed, even on equal tasks, and spent where it helps."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Algorithm,
    Allocator,
    Answer,
    Batch,
    Budget,
    BudgetExhausted,
    Cost,
    Even,
    Failure,
    Incompatible,
    Key,
    Marginal,
    Process,
    Result,
    Rows,
    Run,
    Search,
    Session,
    Solver,
    Stop,
    Task,
    Verifier,
    solve_many,
)
from outthink.core.settings import Positive
from outthink.search import Adaptive, Leader, Never, Threshold
from outthink.testing import Flaky, FunctionOfContent, Prices, Slow, TokenChain, run_virtual

LIMIT = 4
"""Symbols of each toy answer: every sample costs four tokens."""


def coin(p: float) -> TokenChain:
    """Answers of four equal symbols: "rrrr" with probability p, "wwww" otherwise."""
    return TokenChain("rw", length=LIMIT, initial=[p, 1 - p], transition=[[1.0, 0.0], [0.0, 1.0]])


def tasks(chances: Sequence[float]) -> list[Task]:
    return [Task(id=f"task {i}", data={"p": p}) for i, p in enumerate(chances)]


def search(algorithm: Algorithm[Any], *, process: Any = None, verifier: Verifier | None = None) -> Search:
    return Search(process or (lambda task: coin(task.data["p"])), algorithm, verifier)


async def solved(
    solver: Solver,
    chances: Sequence[float],
    budget: Budget | None,
    allocator: Allocator,
    *,
    seed: int = 0,
    in_flight: int = 8,
) -> tuple[list[Result | Failure], Session]:
    session = Session.open(seed=seed, budget=budget)
    results = await solve_many(solver, tasks(chances), session, allocator=allocator, in_flight=in_flight)
    assert session.ledger.claimed == Cost()
    return results, session


def results_of(found: Sequence[Result | Failure]) -> list[Result]:
    assert all(isinstance(one, Result) for one in found)
    return [one for one in found if isinstance(one, Result)]


def tokens(found: Sequence[Result | Failure]) -> list[int]:
    return [result.cost.output_tokens for result in results_of(found)]


ONE_BY_ONE = Adaptive(n=32, stop=Never(), waves=(1,))


@pytest.mark.parametrize("in_flight", [1, 3, 8])
async def test_tasks_that_are_alike_get_even_shares(in_flight: int) -> None:
    """Nobody can tell them apart, so the results are those of the even split, answer by answer."""
    budget = Budget(output_tokens=6 * 5 * LIMIT)
    dealt, _ = await solved(search(ONE_BY_ONE), [0.5] * 6, budget, Marginal(), in_flight=in_flight)
    even, _ = await solved(search(ONE_BY_ONE), [0.5] * 6, budget, Even())
    assert tokens(dealt) == tokens(even) == [5 * LIMIT] * 6
    for one, other in zip(results_of(dealt), results_of(even), strict=True):
        assert [c.content for c in one.candidates] == [c.content for c in other.candidates]
        assert (one.answer, one.stop, one.limit) == (other.answer, Stop.BUDGET, "output_tokens")


@pytest.mark.parametrize("stop", [Leader(), Threshold(value=0.999)])
async def test_tasks_that_predict_alike_get_even_shares(stop: Any) -> None:
    """The same with predictions: certain answers and constant scores are the same everywhere."""
    judge = FunctionOfContent(lambda text: 0.6, low=0.0, high=1.0)
    method = Adaptive(n=32, stop=stop, waves=(1,))
    budget = Budget(output_tokens=5 * 7 * LIMIT)
    dealt, _ = await solved(search(method, verifier=judge), [1.0] * 5, budget, Marginal())
    even, _ = await solved(search(method, verifier=judge), [1.0] * 5, budget, Even())
    assert tokens(dealt) == tokens(even)
    assert len(set(tokens(even))) == 1


async def test_the_whole_budget_is_never_passed() -> None:
    """At any limit, in any column, with members that fail and waves of different sizes."""
    chances = [1.0, 0.5, 0.6, 0.9, 0.5, 1.0, 0.7]
    method = Adaptive(n=24, stop=Leader(error=0.001), waves=(1, 2, 5))
    for limit in (7, 20, 28, 29, 57, 100, 133, 200, 271):
        for column in ("output_tokens", "calls"):
            budget = Budget(**{column: limit})
            found, session = await solved(
                search(method, process=lambda task: Flaky(coin(task.data["p"]), 0.1)),
                chances,
                budget,
                Marginal(),
                in_flight=3,
            )
            assert session.ledger.total.column(column) <= limit
            own = sum(r.cost.column(column) for r in found if isinstance(r, Result))
            assert own <= limit
            assert session.ledger.bill().overshoot == {}


async def test_a_budget_for_all_gives_everybody_all() -> None:
    method = Adaptive(n=6, stop=Never(), waves=(2,))
    dealt, _ = await solved(search(method), [0.3, 0.8, 0.5], Budget(output_tokens=10_000), Marginal())
    free, _ = await solved(search(method), [0.3, 0.8, 0.5], None, Marginal())
    assert tokens(dealt) == tokens(free) == [6 * LIMIT] * 3
    assert all(result.stop is Stop.DONE and result.limit == "" for result in results_of([*dealt, *free]))


async def test_what_easy_tasks_leave_goes_to_hard_ones() -> None:
    """Half of the tasks are certain and stop early; the others get what these leave, and come out right more often than evenly."""
    chances = [1.0] * 10 + [0.6] * 10
    method = Adaptive(n=64, stop=Leader(error=0.02, promise="likeliest", answers=2), waves=(1,))
    budget = Budget(output_tokens=20 * 10 * LIMIT)
    right: dict[str, float] = {}
    for name, allocator in (("dealt", Marginal()), ("even", Even())):
        hard = []
        for seed in range(12):
            found, session = await solved(search(method), chances, budget, allocator, seed=seed)
            assert session.ledger.total.output_tokens <= 20 * 10 * LIMIT
            assert all(r.answer == "rrrr" for r in results_of(found)[:10])
            hard += [r.answer == "rrrr" for r in results_of(found)[10:]]
            if name == "dealt":
                assert sum(tokens(found)[:10]) < sum(tokens(found)[10:]) / 2
        right[name] = float(np.mean(hard))
    assert right["dealt"] > right["even"] + 0.03


async def test_no_task_is_left_without_its_first_wave() -> None:
    """However hopeful the others are: a task's even share is its own until it has had a turn."""
    found, _ = await solved(
        search(Adaptive(n=50, stop=Leader(error=1e-6), waves=(1,))),
        [0.5] * 12,
        Budget(output_tokens=12 * LIMIT),
        Marginal(),
        in_flight=2,
    )
    assert tokens(found) == [LIMIT] * 12


async def test_a_turn_that_is_too_small_is_waited_for() -> None:
    """A sample costs more than an even share: evenly nobody gets one, in turns those do for whom it is enough."""
    dear = Prices(call=Cost(output_tokens=40), step=Cost(output_tokens=1))

    def process(task: Task) -> Process[Any]:
        return TokenChain("rw", length=LIMIT, prices=dear)

    method, budget = Adaptive(n=1, stop=Never()), Budget(output_tokens=4 * 30)
    dealt, session = await solved(search(method, process=process), [0.5] * 4, budget, Marginal())
    even, _ = await solved(search(method, process=process), [0.5] * 4, budget, Even())
    assert tokens(even) == [0] * 4
    assert tokens(dealt) == [44, 44, 0, 0]
    assert [(r.stop, r.limit) for r in results_of(dealt)] == [(Stop.DONE, "")] * 2 + [
        (Stop.BUDGET, "output_tokens")
    ] * 2
    assert session.ledger.total.output_tokens <= 120


async def test_as_many_take_turns_as_it_is_enough_for() -> None:
    """Three waves of ten fit, so the fourth task keeps its first sample and nobody else's wave is left half done."""
    method = Adaptive(n=11, stop=Never(), waves=(1, 10))
    found, _ = await solved(search(method), [0.5] * 4, Budget(output_tokens=136), Marginal())
    assert [sum(c.final for c in r.candidates) for r in results_of(found)] == [11, 11, 11, 1]


def test_who_gets_what_does_not_depend_on_who_answers_first() -> None:
    """Tasks that take different times, by their members' seeds: the same as without any waiting."""

    async def work(slow: bool) -> list[Any]:
        def process(task: Task) -> Process[Any]:
            chain = coin(task.data["p"])
            return Slow(chain, 0.1, 2.0) if slow else chain

        method = Adaptive(n=32, stop=Leader(error=0.01), waves=(1, 2))
        found, _ = await solved(
            search(method, process=process), [0.5, 0.6, 0.9, 0.7], Budget(output_tokens=240), Marginal(), in_flight=2
        )
        return [(r.answer, r.cost.output_tokens, [c.content for c in r.candidates]) for r in results_of(found)]

    assert run_virtual(work(True)) == run_virtual(work(False))


def test_an_interrupt_ends_all_turns() -> None:
    async def work() -> list[Result | Failure]:
        session = Session.open(budget=Budget(output_tokens=4000))
        asyncio.get_running_loop().call_later(3.5, session.cut.fire, "interrupt")
        slow = Search(lambda task: Slow(coin(0.5), 1.0, 1.0), ONE_BY_ONE)
        return await solve_many(slow, tasks([0.5] * 4), session, allocator=Marginal(), in_flight=2)

    found = results_of(run_virtual(work()))
    assert {result.stop for result in found} == {Stop.INTERRUPTED}
    # Rounds of two a second: the first turns of all four by two seconds, and one more for two of them.
    assert [len([c for c in r.candidates if c.final]) for r in found] == [2, 2, 1, 1]


async def test_a_task_that_breaks_does_not_hold_the_others_up() -> None:
    def process(task: Task) -> Process[Any]:
        if task.id == "task 1":
            raise Incompatible("cannot be served")
        return coin(task.data["p"])

    found, _ = await solved(search(ONE_BY_ONE, process=process), [0.5] * 3, Budget(output_tokens=60), Marginal())
    assert [type(one) for one in found] == [Result, Failure, Result]
    assert sum(r.cost.output_tokens for r in found if isinstance(r, Result)) == 60


async def test_a_solver_without_turns_is_refused() -> None:
    class Direct(Solver):
        @property
        def method(self) -> str:
            return "direct"

        async def solve(self, task: Task, session: Session) -> Result:
            raise AssertionError("never asked")

    with pytest.raises(Incompatible, match="does not wait for its turn"):
        await solve_many(Direct(), tasks([0.5]), Session.open(), allocator=Marginal())


async def test_a_budget_that_cannot_be_split_is_refused() -> None:
    with pytest.raises(BudgetExhausted, match="cannot be split"):
        await solved(search(ONE_BY_ONE), [0.5] * 3, Budget(calls=2), Marginal())


@dataclass(frozen=True)
class Drawing(Rows):
    batch: Batch


class Silent(Algorithm[Drawing]):
    """One sample a step, no predictions."""

    n: Positive = 20

    @property
    def needs_verifier(self) -> bool:
        return False

    async def init(self, run: Run, key: Key) -> Drawing:
        return Drawing(await run.start(1, key))

    async def step(self, state: Drawing, run: Run, key: Key) -> Drawing:
        batch = state.batch
        if not batch.alive.any():
            batch = batch.join(await run.start(1, key))
        return Drawing((await run.advance(batch, key, steps=None, scored=False)).batch)

    def done(self, state: Drawing) -> bool:
        return not state.batch.alive.any() and len(state) >= self.n

    def answer(self, state: Drawing) -> Answer:
        return Answer.argmax(state.batch, np.zeros(len(state)))


async def test_methods_that_predict_nothing_share_evenly() -> None:
    assert math.isnan(Silent().gain(Drawing(await Run(coin(0.5), Session.open()).start(1, Key(0)))))
    found, _ = await solved(search(Silent()), [0.5] * 4, Budget(output_tokens=4 * 9 * LIMIT), Marginal())
    assert tokens(found) == [9 * LIMIT] * 4


def test_greedy_is_best_for_falling_gains() -> None:
    """Closed form: with gains (1 - b)^2 / 2 the next turn goes to the task whose best score is lowest for its price."""
    method = Adaptive(stop=Threshold())
    gains = [method.stop.gain(_scored(best, 4)) * 4 for best in (0.2, 0.5, 0.9)]
    assert gains == pytest.approx([4 * 0.32, 4 * 0.125, 4 * 0.005])


def _scored(best: float, drawn: int) -> Any:
    from outthink.search.stopping import Seen

    return Seen(np.array([best] + [0.0] * (drawn - 1)), (), drawn, 16)
