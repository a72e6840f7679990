"""Who was right, by how much, and what it cost: from results to the numbers in the tables.

Methods answer the same problems, so differences are paired. An interval that holds zero is reported as "no difference shown", whichever
way the estimate leans. Problems are the unit: the 16 samples of one problem are no independent evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.cost import ZERO, Cost, total_of
from outthink.core.errors import Failure
from outthink.core.result import Result
from outthink.demo.plan import BASELINES, METHODS, Method, Plan
from outthink.demo.problems import Constant, Problem, best_constant
from outthink.numerics.intervals import Interval, wilson
from outthink.numerics.paired import count_pairs, difference_interval
from outthink.numerics.types import BoolArray


@dataclass(frozen=True)
class Solved:
    """One problem by every method; a `Failure` where a method broke."""

    id: str
    problem: Problem
    results: Mapping[str, Result | Failure]

    def right(self, method: str) -> bool:
        """Whether the method's answer is the right one. A method that broke, or found no answer, is not right."""
        return self.said(method) == str(self.problem.answer)

    def said(self, method: str) -> str | None:
        """The method's answer; None for none."""
        result = self.results[method]
        if isinstance(result, Failure) or result.chosen is None:
            return None
        return result.candidates[result.chosen].answer


@dataclass(frozen=True)
class Against:
    """The difference to a baseline on the same problems: accuracy minus the baseline's."""

    baseline: str
    difference: float
    interval: Interval

    @property
    def shown(self) -> bool:
        """Whether the interval excludes zero."""
        return 0.0 not in self.interval


@dataclass(frozen=True)
class Row:
    """One method over all problems.

    Attributes:
        by_role: what was billed, by role. `most`: the most tokens that one problem took. `over`: problems where a limit was passed.
        failed: problems on which the method broke; `cut`: problems on which its budget ended it.
        seconds: wall clock of this method alone, over all problems.
    """

    method: Method
    title: str
    right: int
    n: int
    interval: Interval
    against: tuple[Against, ...]
    by_role: dict[str, Cost]
    most: int
    over: int
    failed: int
    cut: int
    seconds: float

    @property
    def accuracy(self) -> float:
        """Share of the problems solved."""
        return self.right / self.n

    @property
    def cost(self) -> Cost:
        """All roles together."""
        return total_of(self.by_role.values())


@dataclass(frozen=True)
class Summary:
    """The numbers of one kind of problems. `cap`: the token limit for one problem by one method."""

    kind: str
    n: int
    rows: tuple[Row, ...]
    constant: Constant
    cap: int

    def row(self, method: str) -> Row:
        """The row of a method."""
        return next(row for row in self.rows if row.method.name == method)

    @property
    def held(self) -> bool:
        """Whether no limit was passed anywhere."""
        return all(row.over == 0 for row in self.rows)


def summarise(kind: str, solved: Sequence[Solved], seconds: Mapping[str, float], plan: Plan) -> Summary:
    """The numbers over the problems that every method has answered; at least one is needed."""
    cap = plan.budget.tokens or 0
    rows = tuple(_row(method, solved, seconds.get(method.name, 0.0), plan.members, cap) for method in METHODS)
    return Summary(kind, len(solved), rows, best_constant([one.problem for one in solved]), cap)


def _row(method: Method, solved: Sequence[Solved], seconds: float, members: int, cap: int) -> Row:
    right = _outcomes(method.name, solved)
    results = [one.results[method.name] for one in solved]
    bills = [result for result in results if isinstance(result, Result)]
    by_role: dict[str, Cost] = {}
    for result in bills:
        for role, cost in result.by_role.items():
            by_role[role] = by_role.get(role, ZERO) + cost
    before = [m.name for m in METHODS[: METHODS.index(method)]]
    return Row(
        method=method,
        title=method.titled(members),
        right=int(right.sum()),
        n=len(solved),
        interval=wilson(int(right.sum()), len(solved)),
        against=tuple(_against(name, right, _outcomes(name, solved)) for name in BASELINES if name in before),
        by_role=by_role,
        most=max((result.cost.tokens for result in bills), default=0),
        over=sum(bool(result.overshoot) or result.cost.tokens > cap for result in bills),
        failed=len(results) - len(bills),
        cut=sum(bool(result.limit) for result in bills),
        seconds=seconds,
    )


def _against(baseline: str, right: BoolArray, base: BoolArray) -> Against:
    pairs = count_pairs(right, base)
    return Against(baseline, pairs.difference, difference_interval(pairs))


def _outcomes(method: str, solved: Sequence[Solved]) -> BoolArray:
    return np.array([one.right(method) for one in solved], dtype=np.bool_)


def verdict(summary: Summary) -> str:
    """The filter against each baseline, in one sentence that claims no more than the intervals do."""
    row = summary.row("particle-filter")
    better = [a for a in row.against if a.shown and a.difference > 0]
    worse = [a for a in row.against if a.shown and a.difference < 0]
    open_ = [a for a in row.against if not a.shown]
    parts = []
    if better:
        parts.append(f"more than {_listed(better, summary)}")
    if worse:
        parts.append(f"fewer than {_listed(worse, summary)}")
    if open_:
        parts.append(f"no difference shown to {_listed(open_, summary)}")
    return f"The particle filter solved {row.right} of {row.n}: {'; '.join(parts)}."


def _listed(against: Sequence[Against], summary: Summary) -> str:
    names = [f"{summary.row(a.baseline).title} ({summary.row(a.baseline).right})" for a in against]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
