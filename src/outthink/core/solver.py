"""Solvers: all that a gateway, a benchmark, a tuner or a trainer knows. A task and a session in, a result out."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from outthink.core.algorithm import Algorithm, Answer
from outthink.core.allocation import Allocator, Even
from outthink.core.checkpoint import Saved, decode, encode
from outthink.core.cost import Budget
from outthink.core.errors import (
    AllFailed,
    BudgetExhausted,
    CheckpointError,
    Failure,
    Incompatible,
    InputError,
    OutthinkError,
    explain,
    repeated,
)
from outthink.core.events import RunEnded, RunStarted, StepEnded
from outthink.core.process import Adaptation, Process, lacks
from outthink.core.result import Result, Stop
from outthink.core.run import Run
from outthink.core.session import Session
from outthink.core.task import Candidate, Task
from outthink.core.tolerance import Tolerance
from outthink.core.verifier import Equivalence, Verifier

ProcessFor = Callable[[Task], Process[Any]]


class Solver(ABC):
    """Solves tasks. Searches, pipelines and single calls are all solvers."""

    @property
    @abstractmethod
    def method(self) -> str:
        """A short name for records and reports."""

    @property
    def takes_turns(self) -> bool:
        """Whether it waits for its session's turn before each step, so that one budget can be dealt out among many tasks."""
        return False

    @abstractmethod
    async def solve(self, task: Task, session: Session) -> Result:
        """The best answer within the session's budget.

        Raises `AllFailed` when every member failed, `Incompatible` before anything is spent when the parts do not fit.
        """


async def solve_many(
    solver: Solver, tasks: Sequence[Task], session: Session, *, allocator: Allocator | None = None, in_flight: int = 8
) -> list[Result | Failure]:
    """Solve many tasks side by side, each in a child session with its share of the budget; results in the order of the tasks.

    One task that fails gives a `Failure` and leaves the others alone. A task's search depends on its id and place, and on the others only
    where the allocator shares what they leave over.
    """
    names = [task.id or str(index) for index, task in enumerate(tasks)]
    if twice := repeated(names):
        raise InputError(
            explain(
                "Tasks share an id.",
                got=", ".join(twice),
                expected="each id once",
                remedy="Give each task an id of its own.",
            )
        )
    allocator = allocator or Even()
    budgets, turns = allocator.split(tasks, session), allocator.turns(tasks, session, in_flight)
    if turns is not None and not solver.takes_turns:
        raise Incompatible(
            explain(
                f"{type(allocator).__name__} deals out the budget step by step, and {solver.method!r} does not wait for its turn.",
                got=type(solver).__name__,
                expected="a search",
                remedy="Share the budget evenly.",
            )
        )
    # Tasks that take turns are all begun, and wait; their turns keep to the number in flight.
    gate = asyncio.Semaphore(in_flight if turns is None else max(1, len(tasks)))

    async def one(index: int, task: Task, budget: Budget) -> Result | Failure:
        async with gate:
            child = session.child(names[index], budget=budget)
            child.turn = None if turns is None else turns.join(index, child)
            try:
                return await solver.solve(task, child)
            except OutthinkError as error:
                return Failure.of(error)
            finally:
                child.close()
                if turns is not None:
                    turns.leave(index)

    async with asyncio.TaskGroup() as group:
        work = [group.create_task(one(i, t, b)) for i, (t, b) in enumerate(zip(tasks, budgets, strict=True))]
    return [w.result() for w in work]


@dataclass(frozen=True)
class Snapshot(Saved):
    """A search between two steps: everything that a resumed one needs.

    `search` says whose it is: the method with its settings, the seed and the task. Another search refuses it.
    """

    step: int
    state: Any
    run: Mapping[str, Any] = field(default_factory=dict)
    search: tuple[str, int, str] = ("", 0, "")

    def dump(self) -> bytes:
        """As bytes; `Snapshot.load` needs the process back."""
        return encode(self)

    @staticmethod
    def load(data: bytes, process: Process[Any]) -> Snapshot:
        """The snapshot that `dump` wrote. Raises `CheckpointError`."""
        snapshot = decode(data, process)
        if not isinstance(snapshot, Snapshot):
            raise CheckpointError("The checkpoint does not hold a search.")
        return snapshot


@dataclass(frozen=True)
class Search(Solver):
    """One algorithm over one kind of process, judged by one verifier.

    Attributes:
        process: makes the process of a task.
        algorithm: the method, with its settings.
        verifier: judges; None for methods that need none.
        equivalence: which answers are the same; None compares the answers' text.
        max_batch: the most slots in one call of the process; None for no limit.
        max_steps: a guard against searches that never end.
        tolerance: how much may fail.
    """

    process: ProcessFor
    algorithm: Algorithm[Any]
    verifier: Verifier | None = None
    equivalence: Equivalence | None = None
    max_batch: int | None = None
    max_steps: int = 10_000
    tolerance: Tolerance = field(default_factory=Tolerance)

    @property
    def method(self) -> str:
        return self.algorithm.name()

    @property
    def takes_turns(self) -> bool:
        return True

    async def solve(
        self,
        task: Task,
        session: Session,
        *,
        resume: bytes | None = None,
        on_step: Callable[[Snapshot], None] | None = None,
    ) -> Result:
        """See `Solver.solve`. `on_step` is given a snapshot after each step; `resume` goes on from one."""
        process = self.process(task)
        self.check(process)
        run = Run(
            process, session, task=task, verifier=self.verifier, equivalence=self.equivalence, max_batch=self.max_batch
        )
        run.emit(
            RunStarted(
                task=task.id, method=self.method, seed=session.key.entropy, budget=session.ledger.budget.limits()
            )
        )
        known = self._adaptations(process)
        for adaptation in known:
            run.adapted(adaptation.what, adaptation.instead)
        try:
            state, step, stop = await self._loop(run, process, resume, on_step)
        finally:
            run.finish()
            # What only showed itself on the way.
            for adaptation in self._adaptations(process):
                if adaptation not in known:
                    run.adapted(adaptation.what, adaptation.instead)
        answer = self.algorithm.answer(state)
        if answer.batch.failed.all() and run.failures:
            raise AllFailed(list(run.failures.values()))
        self._count_survivors(run)
        result = await self._result(run, answer, step, stop)
        chosen = -1 if answer.chosen is None else int(answer.batch.id[answer.chosen])
        run.emit(RunEnded(stop=stop.value, limit=result.limit, answer=chosen))
        return msgspec.structs.replace(result, seconds=session.elapsed())

    def _adaptations(self, process: Process[Any]) -> tuple[Adaptation, ...]:
        """Of the process and of the verifier, each once."""
        judging = self.verifier.adaptations if self.verifier is not None else ()
        return tuple(dict.fromkeys((*process.adaptations, *judging)))

    def _count_survivors(self, run: Run) -> None:
        """Raises `BelowQuorum` where fewer moves or judgements succeeded than must."""
        self.tolerance.check_share("moves of members", run.survival.kept, run.survival.lost)
        if run.scores is not None:
            lost = list(run.scores.failures.values())
            self.tolerance.check_share("judgements", len(run.scores.known) - len(lost), lost)

    def check(self, process: Process[Any]) -> None:
        """Refuse, before anything is spent, parts that do not fit together. Raises `Incompatible`."""
        for capability in self.algorithm.needs:
            if not isinstance(process, capability):
                raise lacks(process, capability)
        if not self.algorithm.whole_samples and not process.step_wise:
            raise Incompatible(
                explain(
                    f"{self.method!r} moves members on step by step, and this {type(process).__name__} gives whole samples only.",
                    got="a process without steps",
                    expected="one that can be continued",
                    remedy="Use a method of whole samples such as 'best-of-n' or 'vote', or an engine that continues a text.",
                )
            )
        if not (self.algorithm.whole_samples or self.algorithm.parts_forks or process.forks_part):
            raise Incompatible(
                explain(
                    f"{self.method!r} forks members under way, and forks of this {type(process).__name__} never part.",
                    got="deterministic steps",
                    expected="steps that draw noise",
                    remedy="Use a method of whole samples such as 'best-of-n', or steps with noise: a denoiser's solver 'ancestral', "
                    "'ddim' with eta = 1, 'sde-dpm-solver' or 'flow-sde'.",
                )
            )
        if self.algorithm.needs_verifier and self.verifier is None:
            raise Incompatible(
                explain(
                    f"{self.method!r} needs a verifier.",
                    got="none",
                    expected="a verifier",
                    remedy="Set [verifier] or --verifier, or use a method without one, such as 'vote'.",
                )
            )
        spec = self.verifier.spec if self.verifier is not None else None
        self.algorithm.check_kind(spec)
        self.algorithm.check_verifier(spec)

    async def _loop(
        self, run: Run, process: Process[Any], resume: bytes | None, on_step: Callable[[Snapshot], None] | None
    ) -> tuple[Any, int, Stop]:
        algorithm, step = self.algorithm, 0
        if resume is not None:
            snapshot = Snapshot.load(resume, process)
            if snapshot.search != self._identity(run):
                raise CheckpointError(
                    explain(
                        "The checkpoint belongs to another search.",
                        got=snapshot.search,
                        expected=repr(self._identity(run)),
                        remedy="Resume with the method, settings, seed and task that it was made with.",
                    )
                )
            try:
                run.restore(dict(snapshot.run))
            except KeyError as missing:
                raise CheckpointError(
                    explain(
                        "The checkpoint lacks what a resumed run must know.",
                        got=f"one without {missing}, as an older version wrote them",
                        expected="one of this version",
                        remedy="Resume with the version of outthink that wrote it, or start again.",
                    )
                ) from missing
            state, step = snapshot.state, snapshot.step
        else:
            state = await algorithm.init(run, run.key.child("init"))
        while not algorithm.done(state):
            if step >= self.max_steps:
                return state, step, Stop.MAX_STEPS
            turn = run.session.turn
            if turn is not None:
                await turn.wait(algorithm.gain(state))
                run.limit = ""  # what bound the turn before does not bind this one
            try:
                state = await algorithm.step(state, run, run.key.child("step", step))
            except BudgetExhausted as error:
                if turn is not None and error.limit != run.session.cut.reason and turn.refused():
                    continue
                run.limit = error.limit
                return state, step, _stop(error.limit)
            step += 1
            run.emit(StepEnded(step=step))
            if on_step is not None:
                on_step(Snapshot(step, state, run.state(), self._identity(run)))
            if run.session.cut.reason and not algorithm.done(state):
                run.limit = run.session.cut.reason
                return state, step, _stop(run.session.cut.reason)
        # A search that used its budget up to the end without finishing everyone says so.
        return state, step, _stop(run.limit) if run.limit else Stop.DONE

    def _identity(self, run: Run) -> tuple[str, int, str]:
        return (repr(self.algorithm), run.key.entropy, run.task.id)

    async def _result(self, run: Run, answer: Answer, steps: int, stop: Stop) -> Result:
        candidates = await run.view(answer.batch)
        chosen = None if answer.chosen is None else candidates[answer.chosen]
        session, weights = run.session, answer.weights
        bill = session.ledger.bill()
        squares = float(np.sum(np.square(weights)))
        return Result(
            answer=None if chosen is None else _came_to(chosen),
            chosen=answer.chosen,
            candidates=tuple(candidates),
            scores=tuple(None if np.isnan(s) else float(s) for s in answer.scores),
            weights=tuple(float(w) for w in weights),
            by_role=bill.by_role,
            stop=stop,
            limit=run.limit if stop is not Stop.DONE else "",
            method=self.method,
            seed=session.key.entropy,
            run=session.name,
            seconds=session.elapsed(),
            steps=steps,
            task=run.task.id,
            agreement=answer.agreement,
            effective_n=1.0 / squares if squares > 0 else 0.0,
            log_evidence=answer.log_evidence,
            uncertain=bill.uncertain,
            overshoot=bill.overshoot,
            degraded=_degraded(run, answer),
            failures=tuple(run.failures.values()),
        )


def _came_to(chosen: Candidate) -> Any:
    """The answer that was found in a candidate, else its content; a conversation that came to nothing is no answer."""
    return chosen.content if chosen.answer is None and chosen.kind != "transcript" else chosen.answer


def _stop(limit: str) -> Stop:
    return Stop.INTERRUPTED if limit == "interrupt" else Stop.BUDGET


def _degraded(run: Run, answer: Answer) -> tuple[str, ...]:
    said: list[str] = []
    n, failed = len(answer.batch), int(answer.batch.failed.sum())
    if failed:
        said.append(f"{failed} of {n} members failed")
    unfinished = int((~answer.batch.done & ~answer.batch.failed).sum())
    if unfinished:
        said.append(f"{unfinished} of {n} members unfinished")
    if run.scores is not None and run.scores.failures:
        said.append(f"the verifier failed on {len(run.scores.failures)} candidates")
    return (*said, *answer.degraded)
