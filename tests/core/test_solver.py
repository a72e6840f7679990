"""The one loop: why it stops, what it refuses, how it resumes, and many tasks under one budget."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import pytest

from outthink.core import (
    Algorithm,
    AllFailed,
    Answer,
    Batch,
    Budget,
    BudgetExhausted,
    CheckpointError,
    Cost,
    Failure,
    Incompatible,
    Key,
    Result,
    Revisable,
    Rows,
    Run,
    Search,
    Session,
    Snapshot,
    Stop,
    Task,
    VerifierError,
    encode,
    solve_many,
)
from outthink.core.events import RunEnded, RunStarted, StepEnded
from outthink.core.settings import Positive
from outthink.core.verifier import ScoreSpec
from outthink.numerics.types import FloatArray
from outthink.testing import Flaky, FunctionOfContent, GaussianChain, Slow, TokenChain, run_virtual


@dataclass(frozen=True)
class Walkers(Rows):
    batch: Batch
    score: FloatArray


class StepByStep(Algorithm[Walkers]):
    """Every member takes one step at a time; the best-scored finished one wins. The smallest method with more than one step."""

    n: Positive = 4

    async def init(self, run: Run, key: Key) -> Walkers:
        return Walkers(await run.start(self.n, key), np.full(self.n, np.nan))

    async def step(self, state: Walkers, run: Run, key: Key) -> Walkers:
        moved = await run.advance(state.batch, key)
        return Walkers(moved.batch, await run.score(moved.batch))

    def done(self, state: Walkers) -> bool:
        return not state.batch.alive.any()

    def answer(self, state: Walkers) -> Answer:
        return Answer.argmax(state.batch, state.score)


class Reviser(StepByStep):
    needs: ClassVar[Sequence[type[Any]]] = (Revisable,)


class Picky(StepByStep):
    def check_verifier(self, spec: ScoreSpec | None) -> None:
        raise Incompatible("not this verifier")


def count_b(text: str) -> float:
    return float(text.count("b"))


def search(process: Any = None, *, algorithm: Algorithm[Any] | None = None, **more: Any) -> Search:
    chosen = process if process is not None else TokenChain("ab", length=3)
    verifier = more.pop("verifier", FunctionOfContent(count_b))
    return Search(lambda task: chosen, algorithm or StepByStep(), verifier, **more)


async def test_a_search_ends_with_its_best() -> None:
    session = Session.open(seed=2)
    result = await search().solve(Task(id="t"), session)
    assert result.stop is Stop.DONE
    assert result.limit == ""
    assert result.steps == 3
    assert result.chosen is not None
    best = max(count_b(candidate.content) for candidate in result.candidates)
    assert count_b(result.answer) == best
    assert result.scores == tuple(count_b(candidate.content) for candidate in result.candidates)
    assert result.cost == session.ledger.total == Cost(calls=12, output_tokens=12, verifier_calls=12)
    assert (result.method, result.seed, result.task, result.effective_n) == ("step-by-step", 2, "t", 1.0)
    events = session.trace.events
    assert isinstance(events[0], RunStarted)
    assert events[-1] == replace_seconds(events[-1], stop="done", answer=result.candidates[result.chosen].id)
    assert [e.step for e in events if isinstance(e, StepEnded)] == [1, 2, 3]


def replace_seconds(event: Any, **fields: Any) -> RunEnded:
    return RunEnded(run="", seconds=event.seconds, **fields)


async def test_a_budget_ends_it_with_what_there_is() -> None:
    result = await search().solve(Task(), Session.open(budget=Budget(output_tokens=9)))
    assert (result.stop, result.limit) == (Stop.BUDGET, "output_tokens")
    assert result.cost.output_tokens == 9
    assert result.answer is not None
    assert result.degraded == ("3 of 4 members unfinished",)
    nothing = await search().solve(Task(), Session.open(budget=Budget(calls=3)))
    assert nothing.answer is None
    assert nothing.chosen is None
    assert nothing.stop is Stop.BUDGET


async def test_a_guard_ends_a_search_without_end() -> None:
    result = await search(max_steps=2).solve(Task(), Session.open())
    assert (result.stop, result.steps, result.answer) == (Stop.MAX_STEPS, 2, None)


def test_an_interrupt_ends_it_between_steps_and_within() -> None:
    async def work(moment: float) -> Result:
        session = Session.open(seed=1)
        asyncio.get_running_loop().call_later(moment, session.cut.fire, "interrupt")
        return await search(Slow(TokenChain("ab", length=3), 1.0, 1.0)).solve(Task(), session)

    for moment, tokens in ((0.5, 4), (1.0, 4), (2.5, 12)):
        result = run_virtual(work(moment))
        assert (result.stop, result.limit) == (Stop.INTERRUPTED, "interrupt")
        assert result.seconds == moment
        assert result.cost.output_tokens <= tokens
    late = run_virtual(work(2.999))
    assert late.answer is None
    assert run_virtual(work(99.0)).stop is Stop.DONE


def test_a_deadline_is_a_budget() -> None:
    async def work() -> Result:
        slow = Slow(TokenChain("ab", length=3), 1.0, 1.0)
        return await search(slow).solve(Task(), Session.open(budget=Budget(seconds=1.5)))

    result = run_virtual(work())
    assert (result.stop, result.limit, result.seconds) == (Stop.BUDGET, "seconds", 1.5)


async def test_misfits_are_refused_before_anything_is_spent() -> None:
    session = Session.open()
    for misfit, words in (
        (search(GaussianChain(), algorithm=Reviser()), "Revisable"),
        (search(verifier=None), "verifier"),
        (search(algorithm=Picky()), "not this verifier"),
    ):
        with pytest.raises(Incompatible, match=words):
            await misfit.solve(Task(), session)
    assert session.trace.events == []
    assert session.ledger.total == Cost()


async def test_all_failed_tells_every_cause() -> None:
    with pytest.raises(AllFailed, match="EngineError: told to fail") as caught:
        await search(Flaky(TokenChain(), 1.0)).solve(Task(), Session.open())
    assert caught.value.failures == (Failure("EngineError", "told to fail"),) * 4


async def test_some_failed_is_told_and_the_rest_is_used() -> None:
    result = await search(Flaky(TokenChain("ab", length=2), 0.3)).solve(Task(), Session.open(seed=5))
    assert 0 < len(result.failures) < 4
    assert result.degraded == (f"{len(result.failures)} of 4 members failed",)
    assert result.answer is not None


async def test_an_impossible_score_leaves_no_promise_behind() -> None:
    session = Session.open(budget=Budget(verifier_calls=100))
    child = session.child("one")
    broken = search(verifier=FunctionOfContent(lambda text: 2.0, low=0.0, high=1.0))
    with pytest.raises(VerifierError, match="range"):
        await broken.solve(Task(), child)
    assert session.ledger.claimed == Cost()


# -- resumption ---------------------------------------------------------------------------------------------------------


async def test_a_resumed_search_pays_the_rest_only() -> None:
    saved: list[bytes] = []
    process = TokenChain("ab", length=3)
    whole = await search(process).solve(
        Task(), Session.open(seed=3), on_step=lambda snapshot: saved.append(snapshot.dump())
    )
    again, verifier = TokenChain("ab", length=3), FunctionOfContent(count_b)
    result = await search(again, verifier=verifier).solve(Task(), Session.open(seed=3), resume=saved[1])
    assert replace_clock(result) == replace_clock(whole)
    assert again.counters == Cost(calls=4, output_tokens=4)
    assert verifier.rounds == [4]


def replace_clock(result: Result) -> dict[str, Any]:
    return {name: getattr(result, name) for name in result.__struct_fields__ if name != "seconds"}


def test_a_search_resumed_after_an_interrupt_is_not_an_interrupted_one() -> None:
    async def work() -> tuple[Result, Result]:
        saved: list[bytes] = []
        session = Session.open(seed=1)
        asyncio.get_running_loop().call_later(1.5, session.cut.fire, "interrupt")
        cut = await search(Slow(TokenChain("ab", length=3), 1.0, 1.0)).solve(
            Task(), session, on_step=lambda snapshot: saved.append(snapshot.dump())
        )
        return cut, await search(TokenChain("ab", length=3)).solve(Task(), Session.open(seed=1), resume=saved[-1])

    cut, resumed = run_virtual(work())
    assert cut.stop is Stop.INTERRUPTED
    assert (resumed.stop, resumed.limit) == (Stop.DONE, "")
    assert resumed.answer is not None


async def test_promises_and_limits_survive_in_a_snapshot() -> None:
    run = Run(TokenChain(), Session.open(budget=Budget(verifier_calls=5)), verifier=FunctionOfContent(count_b))
    moved = await run.advance(await run.start(3, Key(0)), Key(0))
    run.limit = "tokens"
    data = Snapshot(1, moved.batch, run.state()).dump()
    other = Run(TokenChain(), Session.open(budget=Budget(verifier_calls=5)), verifier=FunctionOfContent(count_b))
    snapshot = Snapshot.load(data, other.process)
    other.restore(dict(snapshot.run))
    assert other.session.ledger.claimed == run.session.ledger.claimed == Cost(verifier_calls=3)
    assert other.limit == "tokens"
    assert other.state() == run.state()
    other.finish()
    assert other.session.ledger.claimed == Cost()


async def test_a_checkpoint_of_something_else_is_refused() -> None:
    with pytest.raises(CheckpointError, match="does not hold a search"):
        await search().solve(Task(), Session.open(), resume=encode({"a": 1}))


@pytest.mark.parametrize("name", ["survival", "scores", "limit"])
async def test_a_checkpoint_of_an_older_version_is_refused_by_name(name: str) -> None:
    saved: list[Snapshot] = []
    await search().solve(Task(), Session.open(seed=3), on_step=saved.append)
    older = replace(saved[0], run={key: value for key, value in saved[0].run.items() if key != name})
    with pytest.raises(CheckpointError, match=f"without '{name}'"):
        await search().solve(Task(), Session.open(seed=3), resume=older.dump())


# -- many tasks -----------------------------------------------------------------------------------------------------------


def tasks(n: int) -> list[Task]:
    return [Task(id=f"task {i}") for i in range(n)]


async def test_many_tasks_share_one_budget_evenly() -> None:
    session = Session.open(budget=Budget(output_tokens=40, verifier_calls=1000))
    results = await solve_many(search(), tasks(5), session)
    assert [result.task for result in results if isinstance(result, Result)] == [task.id for task in tasks(5)]
    for result in results:
        assert isinstance(result, Result)
        assert result.cost.output_tokens == 8
        assert (result.stop, result.limit) == (Stop.BUDGET, "output_tokens")
    assert session.ledger.total.output_tokens == 40
    assert session.ledger.claimed == Cost()


async def test_a_tasks_search_does_not_depend_on_the_others() -> None:
    together = await solve_many(search(), tasks(4), Session.open(seed=9))
    alone = await solve_many(search(), tasks(4)[2:3], Session.open(seed=9))
    assert isinstance(together[2], Result)
    assert isinstance(alone[0], Result)
    assert replace_clock(together[2]) == replace_clock(alone[0])
    answers = {tuple(c.content for c in r.candidates) for r in together if isinstance(r, Result)}
    assert len(answers) > 1


async def test_one_task_that_fails_leaves_the_others_alone() -> None:
    def process(task: Task) -> Any:
        return Flaky(TokenChain(), 1.0) if task.id == "task 1" else TokenChain()

    session = Session.open(budget=Budget(tokens=300))
    results = await solve_many(Search(process, StepByStep(), FunctionOfContent(count_b)), tasks(3), session)
    assert [type(result) for result in results] == [Result, Failure, Result]
    assert isinstance(results[1], Failure)
    assert results[1].kind == "AllFailed"
    assert "told to fail" in results[1].message
    assert session.ledger.claimed == Cost()


async def test_a_budget_that_cannot_be_split_is_refused_before_anything_is_spent() -> None:
    session = Session.open(budget=Budget(calls=2))
    with pytest.raises(BudgetExhausted, match="calls cannot be split over 3"):
        await solve_many(search(), tasks(3), session)
    assert session.ledger.total == Cost()
    assert await solve_many(search(), [], session) == []


def test_so_many_in_flight_and_no_more() -> None:
    async def work(in_flight: int) -> float:
        slow = Slow(TokenChain("ab", length=1), 1.0, 1.0)
        await solve_many(search(slow), tasks(6), Session.open(), in_flight=in_flight)
        return asyncio.get_running_loop().time()

    assert [run_virtual(work(k)) for k in (1, 2, 6)] == [6.0, 3.0, 1.0]


def test_an_interrupt_ends_all_of_them() -> None:
    async def work() -> list[Result | Failure]:
        session = Session.open()
        asyncio.get_running_loop().call_later(1.5, session.cut.fire, "interrupt")
        slow = Slow(TokenChain("ab", length=1), 1.0, 1.0)
        return await solve_many(search(slow), tasks(3), session, in_flight=1)

    results = run_virtual(work())
    assert [result.stop for result in results if isinstance(result, Result)] == [
        Stop.DONE,
        Stop.INTERRUPTED,
        Stop.INTERRUPTED,
    ]
    assert isinstance(results[2], Result)
    assert results[2].cost == Cost()


# -- answers --------------------------------------------------------------------------------------------------------------


async def finished(done: Sequence[bool], failed: Sequence[bool]) -> Batch:
    run = Run(TokenChain(), Session.open())
    batch = await run.start(len(done), Key(0))
    return replace(batch, done=np.array(done), failed=np.array(failed))


async def test_the_best_score_wins_among_those_who_finished() -> None:
    batch = await finished([True, False, True, True, True], [False, False, True, False, False])
    answer = Answer.argmax(batch, np.array([1.0, 9.0, 9.0, 2.0, 2.0]))
    assert answer.chosen == 3
    assert answer.weights.tolist() == [0, 0, 0, 1, 0]
    assert Answer.argmax(batch, np.array([math.nan, 9.0, 9.0, -5.0, math.nan])).chosen == 3
    assert Answer.argmax(batch, np.full(5, math.nan)).chosen == 0
    nobody = Answer.argmax(await finished([False], [False]), np.array([1.0]))
    assert nobody.chosen is None
    assert nobody.weights.tolist() == [0.0]


async def test_weights_are_those_of_the_finished() -> None:
    batch = await finished([True, True, False, True], [False, False, False, True])
    log_w = np.log([1.0, 3.0, 100.0, 100.0])
    answer = Answer.weighted(batch, log_w, np.zeros(4), log_evidence=1.5)
    assert answer.chosen == 1
    assert np.allclose(answer.weights, [0.25, 0.75, 0, 0])
    assert answer.log_evidence == 1.5
    early = Answer.weighted(await finished([False] * 4, [False, False, False, True]), log_w, np.zeros(4))
    assert early.chosen is None
    assert np.allclose(early.weights, np.array([1, 3, 100, 0]) / 104)
    dead = Answer.weighted(batch, np.full(4, -math.inf), np.zeros(4))
    assert dead.weights.tolist() == [0.0] * 4
