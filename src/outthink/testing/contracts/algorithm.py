"""What every search method must keep, on every toy: an answer at any time, budgets that hold, cuts that lose nothing, exact resumption.

Everything runs on the virtual clock, so that a cut can be placed at every moment at which anything waits.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from outthink.core import (
    Algorithm,
    AllFailed,
    Answer,
    Budget,
    Candidate,
    Cost,
    LogMap,
    Process,
    Result,
    Run,
    ScoreKind,
    Search,
    Session,
    Snapshot,
    Stop,
    Task,
)
from outthink.core.events import Advanced
from outthink.testing.array_process import Prices
from outthink.testing.gaussian_chain import GaussianChain
from outthink.testing.grid_agent import GridAgent
from outthink.testing.token_chain import TokenChain
from outthink.testing.verifiers import FunctionOfContent
from outthink.testing.virtual_clock import VirtualLoop, run_virtual
from outthink.testing.wrappers import Flaky, Slow


@dataclass(frozen=True)
class Example:
    """A process to search, made by what a step costs, and a score in (0, 1) of what it shows. `column` is what it pays in."""

    name: str
    process: Callable[[int], Process[Any]]
    score: Callable[[Any], float]
    column: str = "output_tokens"


def _of_text(text: str) -> float:
    return (1 + text.count("b")) / (2 + len(text))


def _of_point(x: Any) -> float:
    return float(1.0 / (1.0 + math.exp(-x[0])))


def _of_walk(transcript: Any) -> float:
    row, column = map(int, re.findall(r"\d+", transcript[-1].content))
    return (1 + row + column) / 6


def _tokens(price: int) -> Prices:
    return Prices(step=Cost(output_tokens=price))


EXAMPLES = (
    Example("token chain", lambda price: TokenChain("abc", length=4, stop=0.2, prices=_tokens(price)), _of_text),
    Example(
        "Gaussian chain",
        lambda price: GaussianChain(length=3, prices=Prices(call=Cost(), step=Cost(denoiser_evals=price))),
        _of_point,
        "denoiser_evals",
    ),
    Example("grid agent", lambda price: GridAgent(length=5, prices=_tokens(price)), _of_walk),
)


@dataclass
class Solved:
    """One search and all that took part in it."""

    result: Result
    process: Any
    verifier: FunctionOfContent
    session: Session
    snapshots: list[bytes] = field(default_factory=list)
    ended: float = 0.0
    jumps: tuple[float, ...] = ()

    def comparable(self) -> dict[str, Any]:
        """The result as plain data, without what the clock says."""
        plain: dict[str, Any] = json.loads(self.result.to_json())
        del plain["seconds"]
        return plain

    @property
    def total(self) -> Cost:
        """What the ledger charged."""
        return self.session.ledger.total


class AlgorithmContract:
    """Subclass and provide the fixture `algorithm`; `example` runs over all toys."""

    kind = ScoreKind.PREFIX_VALUE
    """What the toy verifier says its scores are."""

    @pytest.fixture
    def algorithm(self) -> Algorithm[Any]:
        """The method under test."""
        raise NotImplementedError("Provide the fixture `algorithm`.")

    @pytest.fixture(params=EXAMPLES, ids=lambda example: example.name)
    def example(self, request: pytest.FixtureRequest) -> Example:
        """A toy."""
        chosen: Example = request.param
        return chosen

    # -- means ------------------------------------------------------------------------------------------------------

    def verifier(self, example: Example, fails: Callable[[Candidate], bool] | None = None) -> FunctionOfContent:
        """The toy's verifier."""
        return FunctionOfContent(
            example.score, kind=self.kind, log_map=LogMap.PROBABILITY, low=0.0, high=1.0, fails=fails
        )

    def solve(
        self,
        algorithm: Algorithm[Any],
        example: Example,
        *,
        seed: int = 0,
        budget: Budget | None = None,
        max_batch: int | None = None,
        wrap: Callable[[Process[Any]], Process[Any]] | None = None,
        fails: Callable[[Candidate], bool] | None = None,
        cut_at: float | None = None,
        price: int = 1,
        resume: bytes | None = None,
    ) -> Solved:
        """One search on the virtual clock; `cut_at` interrupts it."""

        async def work() -> Solved:
            process, verifier = example.process(price), self.verifier(example, fails)
            searched = wrap(process) if wrap else process
            session = Session.open(seed=seed, budget=budget)
            snapshots: list[bytes] = []
            loop = session_loop()
            timer = loop.call_later(cut_at, session.cut.fire, "interrupt") if cut_at is not None else None
            search = Search(lambda task: searched, algorithm, verifier, max_batch=max_batch)
            result = await search.solve(
                Task(id="toy"), session, resume=resume, on_step=lambda snapshot: snapshots.append(snapshot.dump())
            )
            session.close()
            if timer is not None:
                timer.cancel()
            return Solved(result, process, verifier, session, snapshots, loop.time(), loop.jumps)

        return run_virtual(work())

    def check_answer(self, answer: Answer) -> None:
        """What an answer must be after any step."""
        n = len(answer.batch)
        assert answer.weights.shape == answer.scores.shape == (n,)
        assert (answer.weights >= 0).all()
        assert math.isclose(answer.weights.sum(), 1.0, abs_tol=1e-9) or answer.weights.sum() == 0
        assert (answer.weights[answer.batch.failed] == 0).all(), "a failed member has weight"
        assert not np.isnan(answer.weights).any()
        if answer.chosen is not None:
            assert answer.batch.finished[answer.chosen], "the answer is unfinished or failed"
        else:
            assert not answer.batch.finished.any(), "somebody finished, and there is no answer"

    def check_bill(self, solved: Solved) -> None:
        """The ledger charged what process and verifier counted, and every promise has ended."""
        roles = solved.result.by_role
        generated = roles.get("generate", Cost()) + roles.get("refine", Cost())
        assert generated == solved.process.counters
        assert roles.get("verify", Cost()) == solved.verifier.counters
        assert solved.result.cost == solved.total
        assert solved.session.ledger.claimed == Cost(), "a promise was never taken back"
        assert solved.result.overshoot == {}

    def check_result(self, solved: Solved) -> None:
        """What any result must be."""
        result = solved.result
        total = sum(result.weights)
        assert math.isclose(total, 1.0, abs_tol=1e-9) or total == 0
        if result.chosen is not None:
            assert result.candidates[result.chosen].final
        else:
            assert not any(candidate.final for candidate in result.candidates)
        assert (result.stop is Stop.DONE) == (result.limit == "")

    def caps(self, total: int) -> list[int]:
        """Limits around what a free run costs."""
        return sorted({1, 2, 3, 5, total // 3, total // 2, 2 * total // 3, total - 1, total} - {0, -1})

    def columns(self, example: Example) -> tuple[str, ...]:
        """The budget columns that the toy pays in."""
        return tuple(
            dict.fromkeys(
                (example.column, "verifier_calls", *(("calls",) if example.column != "denoiser_evals" else ()))
            )
        )

    # -- laws -------------------------------------------------------------------------------------------------------

    def test_there_is_an_answer_at_any_time(self, algorithm: Algorithm[Any], example: Example) -> None:
        async def work() -> int:
            session = Session.open(seed=3)
            run = Run(example.process(1), session, verifier=self.verifier(example))
            state = await algorithm.init(run, run.key.child("init"))
            self.check_answer(algorithm.answer(state))
            steps = 0
            while not algorithm.done(state):
                state = await algorithm.step(state, run, run.key.child("step", steps))
                self.check_answer(algorithm.answer(state))
                steps += 1
            assert algorithm.answer(state).chosen is not None
            return steps

        assert run_virtual(work()) > 0

    def test_a_free_run_ends_well(self, algorithm: Algorithm[Any], example: Example) -> None:
        solved = self.solve(algorithm, example)
        self.check_result(solved)
        self.check_bill(solved)
        assert solved.result.stop is Stop.DONE
        assert solved.result.answer is not None
        assert solved.result.failures == ()

    def test_the_same_seed_gives_the_same_search(self, algorithm: Algorithm[Any], example: Example) -> None:
        one, two = (self.solve(algorithm, example, seed=7) for _ in range(2))
        assert one.comparable() == two.comparable()
        assert one.snapshots == two.snapshots
        others = [self.solve(algorithm, example, seed=seed).comparable()["candidates"] for seed in range(8, 12)]
        assert any(other != one.comparable()["candidates"] for other in others), "the seed has no effect"

    def test_no_cap_is_ever_passed(self, algorithm: Algorithm[Any], example: Example) -> None:
        free = self.solve(algorithm, example, seed=1)
        for column in self.columns(example):
            total = int(free.total.column(column))
            for cap in self.caps(total):
                solved = self.solve(algorithm, example, seed=1, budget=Budget(**{column: cap}))
                assert solved.total.column(column) <= cap
                self.check_bill(solved)
                self.check_result(solved)
                if solved.result.stop is not Stop.DONE:
                    assert solved.result.stop is Stop.BUDGET
                    assert solved.result.limit == column
            wide = self.solve(algorithm, example, seed=1, budget=Budget(**{column: 1000 * max(total, 1)}))
            assert wide.comparable() == free.comparable(), "a budget that does not bind changed the search"

    def test_a_budget_for_nothing_gives_no_answer(self, algorithm: Algorithm[Any], example: Example) -> None:
        solved = self.solve(algorithm, example, price=10, budget=Budget(**{example.column: 9}))
        assert (solved.result.stop, solved.result.limit) == (Stop.BUDGET, example.column)
        assert solved.result.answer is None
        assert solved.total == Cost()

    def test_micro_batches_change_nothing(self, algorithm: Algorithm[Any], example: Example) -> None:
        free = self.solve(algorithm, example, seed=2)
        total = int(free.total.column(example.column))
        budgets = [None, *(Budget(**{example.column: cap}) for cap in self.caps(total)), Budget(verifier_calls=3)]
        for budget in budgets:
            whole = self.solve(algorithm, example, seed=2, budget=budget)
            for max_batch in (1, 3):
                parts = self.solve(algorithm, example, seed=2, budget=budget, max_batch=max_batch)
                assert parts.comparable() == whole.comparable(), (budget, max_batch)

    def test_resumed_is_uninterrupted(self, algorithm: Algorithm[Any], example: Example) -> None:
        free = self.solve(algorithm, example, seed=4)
        half = max(1, int(free.total.column(example.column)) // 2)
        for budget in (None, Budget(**{example.column: half}), Budget(verifier_calls=5)):
            whole = self.solve(algorithm, example, seed=4, budget=budget)
            for step, snapshot in enumerate(whole.snapshots, 1):
                resumed = self.solve(algorithm, example, seed=4, budget=budget, resume=snapshot)
                assert resumed.comparable() == whole.comparable(), (budget, step)
                assert resumed.snapshots == whole.snapshots[step:]

    def test_a_snapshot_holds_what_its_step_left(self, algorithm: Algorithm[Any], example: Example) -> None:
        solved = self.solve(algorithm, example, seed=4)
        for data in solved.snapshots:
            self.check_answer(algorithm.answer(Snapshot.load(data, example.process(1)).state))

    def test_a_cut_at_any_moment_keeps_what_has_finished(self, algorithm: Algorithm[Any], example: Example) -> None:
        whole = self.solve(algorithm, example, seed=5, wrap=Slow)
        for moment in _spread(_moments(whole.jumps)):
            solved = self.solve(algorithm, example, seed=5, wrap=Slow, cut_at=moment)
            self.check_result(solved)
            self.check_bill(solved)
            assert solved.ended <= moment + 1e-6, "the search went on after the cut"
            if solved.result.stop is Stop.DONE:
                assert solved.comparable() == whole.comparable()
            else:
                assert (solved.result.stop, solved.result.limit) == (Stop.INTERRUPTED, "interrupt")
                self.check_kept(solved)

    def check_kept(self, solved: Solved) -> None:
        """Members that finished in the step that was cut are among the candidates."""
        advanced = [event for event in solved.session.trace.events if isinstance(event, Advanced)]
        if advanced:
            last = advanced[-1]
            finished = {node for node, done in zip(last.nodes, last.done, strict=True) if done}
            assert finished <= {candidate.id for candidate in solved.result.candidates}

    def test_a_time_limit_ends_the_search_in_time(self, algorithm: Algorithm[Any], example: Example) -> None:
        whole = self.solve(algorithm, example, seed=5, wrap=Slow)
        solved = self.solve(algorithm, example, seed=5, wrap=Slow, budget=Budget(seconds=whole.ended / 2))
        assert (solved.result.stop, solved.result.limit) == (Stop.BUDGET, "seconds")
        assert solved.ended <= whole.ended / 2 + 1e-6
        self.check_bill(solved)
        self.check_result(solved)

    def test_failed_members_are_never_chosen(self, algorithm: Algorithm[Any], example: Example) -> None:
        saw_failures = 0
        for seed in range(6):
            try:
                solved = self.solve(algorithm, example, seed=seed, wrap=lambda process: Flaky(process, 0.25))
            except AllFailed as error:
                saw_failures += len(error.failures)
                continue
            saw_failures += len(solved.result.failures)
            self.check_result(solved)
            self.check_bill(solved)
            for failure in solved.result.failures:
                assert (failure.kind, failure.message) == ("EngineError", "told to fail")
        assert saw_failures > 0

    def test_when_all_fail_the_causes_are_told(self, algorithm: Algorithm[Any], example: Example) -> None:
        with pytest.raises(AllFailed, match="told to fail"):
            self.solve(algorithm, example, wrap=lambda process: Flaky(process, 1.0))

    def test_a_verifier_that_breaks_gives_no_score(self, algorithm: Algorithm[Any], example: Example) -> None:
        solved = self.solve(algorithm, example, seed=6, fails=lambda candidate: candidate.id % 3 == 0)
        self.check_result(solved)
        self.check_bill(solved)
        for candidate, score in zip(solved.result.candidates, solved.result.scores, strict=True):
            assert candidate.id % 3 or score is None
        if solved.verifier.rounds:
            assert any("the verifier failed" in said for said in solved.result.degraded)


def session_loop() -> VirtualLoop:
    """The virtual loop that is running."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop


def _moments(jumps: tuple[float, ...]) -> Iterator[float]:
    """The times at which anything woke up, and the middles between them."""
    before = 0.0
    for jump in jumps:
        yield (before + jump) / 2
        yield jump
        before = jump


def _spread(moments: Iterator[float], most: int = 24) -> list[float]:
    """At most so many of them, evenly spread, the first and the last among them."""
    everything = list(moments)
    at = np.unique(np.linspace(0, len(everything) - 1, most).round().astype(int))
    return [everything[i] for i in at.tolist()]
