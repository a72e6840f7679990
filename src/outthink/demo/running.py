"""The demonstration from the first problem to the last: a few problems at a time, live, and ended early by Ctrl-C.

What is kept of an interrupted run is every problem that all methods have finished, so that the comparison stays paired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from outthink.core.cost import Cost
from outthink.core.events import AnyEvent
from outthink.core.key import Key
from outthink.core.result import Result, Stop
from outthink.core.session import Session
from outthink.demo.methods import Parts, compute_examples, pose, solve_together
from outthink.demo.plan import Plan
from outthink.demo.problems import KINDS, Problem, draw, worked_examples
from outthink.demo.scoring import Solved


class Watcher(Protocol):
    """Whoever shows the progress."""

    def phase(self, kind: str, name: str) -> None:
        """A method begins on the next problems."""

    def solved(self, kind: str, solved: Sequence[Solved], seconds: float) -> None:
        """So many problems of this kind are done in all, after so many seconds."""


@dataclass
class Finished:
    """What a run left behind.

    Attributes:
        solved: by kind, the problems that every method has answered.
        seconds: by kind and method, wall clock.
        shared: by kind, what computing the worked examples cost; no method is billed for it.
        paid: what the run's ledger was charged; `counted`: what the engine counted meanwhile. They are the same or something is wrong.
        events: everything that happened. `contents`: what was seen at each node.
    """

    plan: Plan
    solved: dict[str, list[Solved]] = field(default_factory=dict)
    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    shared: dict[str, Cost] = field(default_factory=dict)
    interrupted: bool = False
    total_seconds: float = 0.0
    paid: Cost = field(default_factory=Cost)
    counted: Cost = field(default_factory=Cost)
    events: list[AnyEvent] = field(default_factory=list)
    contents: dict[tuple[str, int], object] = field(default_factory=dict)

    @property
    def kinds(self) -> list[str]:
        """The kinds of which at least one problem is done."""
        return [kind for kind, solved in self.solved.items() if solved]


def problems_of(plan: Plan, kind: str) -> list[Problem]:
    """The problems of one kind that the plan's seed draws."""
    return draw(KINDS[kind], plan.problems, Key(plan.seed).child("problems"))


async def run_all(plan: Plan, parts_of: Callable[[str], Parts], session: Session, watcher: Watcher) -> Finished:
    """Solve every problem of the plan, or as many as there is time for before the session's cut fires. `parts_of` a kind, by name."""
    finished = Finished(plan)
    for kind in plan.kinds:
        if _is_cut(session):
            break
        parts = parts_of(kind)
        posed = pose(problems_of(plan, kind), session)
        solved = finished.solved.setdefault(kind, [])
        seconds = finished.seconds.setdefault(kind, {})
        example = worked_examples(KINDS[kind])[0]
        finished.shared[kind] = await compute_examples(example.question, f"{kind}-examples", parts, session)
        for at in range(0, len(posed), plan.together):
            if _is_cut(session):
                break

            def phase(name: str, kind: str = kind) -> None:
                watcher.phase(kind, name)

            took: dict[str, float] = {}
            got = await solve_together(posed[at : at + plan.together], parts, plan, phase=phase, seconds=took)
            kept = [one for one in got if _complete(one)] if _is_cut(session) else got
            solved.extend(kept)
            if kept:
                seconds.update({name: seconds.get(name, 0.0) + value for name, value in took.items()})
            watcher.solved(kind, solved, session.elapsed())
    finished.interrupted = _is_cut(session)
    finished.total_seconds = session.elapsed()
    finished.paid = session.ledger.total
    finished.events, finished.contents = session.trace.events, session.trace.contents
    return finished


def _complete(solved: Solved) -> bool:
    """Whether no method was interrupted on this problem."""
    return all(isinstance(result, Result) and result.stop is not Stop.INTERRUPTED for result in solved.results.values())


def _is_cut(session: Session) -> bool:
    return session.cut.reason is not None
