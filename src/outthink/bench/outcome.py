"""What one method did on one question: the row that every table and curve of a benchmark is made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from outthink.core.cost import Cost
from outthink.numerics.cost_ratio import Curve
from outthink.numerics.types import FloatArray


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One method at one size, on one question, with one seed.

    Attributes:
        method, size, seed, question: which. `size` is the budget in the contest's unit, such as samples.
        right: whether the answer was right; False where there was none.
        answer: what was said; None for nothing.
        generated, judged: what the search cost by itself, and what its verifier cost.
        steps: of the search. seconds: wall clock, beside others that ran at the same time.
        stop, limit: why it ended. failure: what broke it, "" for nothing; such a row counts as wrong.
        task: the set of tasks that the question belongs to.
        agreement: share of the votes behind the answer; None for methods that do not vote. score: what the verifier gave the answer.
    """

    method: str
    size: int
    seed: int
    question: str
    right: bool
    answer: str | None = None
    generated: Cost = Cost()
    judged: Cost = Cost()
    steps: int = 0
    seconds: float = 0.0
    stop: str = ""
    limit: str = ""
    failure: str = ""
    task: str = ""
    agreement: float | None = None
    score: float | None = None

    @property
    def cell(self) -> tuple[str, int, int, str]:
        """Which one this is among all of a contest."""
        return (self.method, self.size, self.seed, self.question)

    @property
    def tokens(self) -> int:
        """Tokens that had to be computed, over all roles."""
        return self.generated.tokens + self.judged.tokens


def mean_by_question(
    outcomes: Iterable[Outcome], method: str, sizes: Sequence[int], questions: Sequence[str], *, column: str = "tokens"
) -> tuple[FloatArray, FloatArray]:
    """Mean cost and mean rightness over the seeds, [questions, sizes] each. `column`: of `Cost`, or "tokens".

    Raises ValueError: a question without an outcome at some size, named.
    """
    at: Mapping[tuple[str, int], list[Outcome]] = {(q, s): [] for q in questions for s in sizes}
    for outcome in outcomes:
        place = at.get((outcome.question, outcome.size)) if outcome.method == method else None
        if place is not None:
            place.append(outcome)
    cost, value = np.zeros((len(questions), len(sizes))), np.zeros((len(questions), len(sizes)))
    for i, question in enumerate(questions):
        for j, size in enumerate(sizes):
            rows = at[question, size]
            if not rows:
                raise ValueError(
                    f"{method} at size {size} has no outcome for {question!r}; run the contest to its end."
                )
            cost[i, j] = np.mean([row.generated.column(column) + row.judged.column(column) for row in rows])
            value[i, j] = np.mean([row.right for row in rows])
    return cost, value


def curve_of(
    outcomes: Iterable[Outcome], method: str, sizes: Sequence[int], questions: Sequence[str], *, column: str = "tokens"
) -> Curve:
    """A method's curve over its sizes, for ratios and pictures."""
    return Curve(*mean_by_question(outcomes, method, sizes, questions, column=column))
