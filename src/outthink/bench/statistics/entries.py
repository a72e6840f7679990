"""One method at one size over a set of questions, as arrays: what tables, curves and comparisons are made from.

    entries = entries_of(outcomes, questions)          # only what is whole: every question under the same seeds
    curve_over(entries, "vote")                        # its sizes, for ratios and matched costs

Means over seeds are taken question by question, so that a question stays one unit of evidence however many seeds it was run with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.bench.outcome import Outcome
from outthink.numerics.cost_ratio import Curve
from outthink.numerics.types import FloatArray

COLUMNS = ("tokens", "output_tokens", "calls", "verifier_calls", "seconds", "money")


@dataclass(frozen=True)
class Entry:
    """A method at a size.

    Attributes:
        questions: their ids, in the order of all arrays.
        right: share of the seeds that were right, [questions].
        cost: by column, mean over seeds of one question's total over all roles, [questions] each; money is nan where unknown.
        judged: tokens of judging alone, [questions].
        seeds: how many. failed: rows that broke, of all; they count as wrong. cut: rows that a budget ended.
        left_out: outcomes of seeds under which it has not met every question.
    """

    method: str
    size: int
    questions: tuple[str, ...]
    right: FloatArray
    cost: dict[str, FloatArray]
    judged: FloatArray
    seeds: int
    failed: int
    cut: int
    left_out: int = 0

    @property
    def label(self) -> str:
        """As it stands in tables."""
        return f"{self.method} {self.size}"

    @property
    def accuracy(self) -> float:
        """Mean over questions."""
        return float(self.right.mean())

    @property
    def tokens(self) -> FloatArray:
        """Tokens computed, all roles, [questions]."""
        return self.cost["tokens"]


def entries_of(outcomes: Iterable[Outcome], questions: Sequence[str]) -> list[Entry]:
    """One entry a method and size, by method and then size; those without a single whole seed are left out."""
    wanted = set(questions)
    by: dict[tuple[str, int], dict[int, dict[str, Outcome]]] = {}
    for outcome in outcomes:
        if outcome.question in wanted:
            by.setdefault((outcome.method, outcome.size), {}).setdefault(outcome.seed, {})[outcome.question] = outcome
    found = []
    for (method, size), seeds in sorted(by.items(), key=lambda item: item[0]):
        whole = [rows for rows in seeds.values() if len(rows) == len(wanted)]
        lost = sum(len(rows) for rows in seeds.values()) - len(whole) * len(wanted)
        if whole:
            found.append(_entry(method, size, tuple(questions), whole, lost))
    return found


def unfinished(outcomes: Iterable[Outcome], questions: Sequence[str]) -> list[str]:
    """Methods and sizes that were begun and have met every question under no seed."""
    outcomes = list(outcomes)
    there = {(entry.method, entry.size) for entry in entries_of(outcomes, questions)}
    wanted = set(questions)
    begun = {(o.method, o.size) for o in outcomes if o.question in wanted}
    return [f"{method} {size}" for method, size in sorted(begun - there)]


def curve_over(entries: Sequence[Entry], method: str, column: str = "tokens") -> Curve | None:
    """A method's sizes as a curve, cheapest first; None where there is none, or where it costs nothing in that column."""
    own = sorted((entry for entry in entries if entry.method == method), key=lambda entry: entry.cost[column].mean())
    own = [entry for entry in own if entry.cost[column].mean() > 0.0]
    if not own:
        return None
    return Curve(np.stack([entry.cost[column] for entry in own], 1), np.stack([entry.right for entry in own], 1))


def _entry(
    method: str, size: int, questions: tuple[str, ...], seeds: Sequence[dict[str, Outcome]], left_out: int
) -> Entry:
    rows = [[seed[question] for seed in seeds] for question in questions]
    every = [one for row in rows for one in row]

    def mean(column: str) -> FloatArray:
        if column == "seconds":
            return np.asarray(np.array([[one.seconds for one in row] for row in rows]).mean(axis=1))
        values = [[one.generated.column(column) + one.judged.column(column) for one in row] for row in rows]
        return np.asarray(np.array(values).mean(axis=1))

    return Entry(
        method=method,
        size=size,
        questions=questions,
        right=np.array([[one.right for one in row] for row in rows], float).mean(axis=1),
        cost={column: mean(column) for column in COLUMNS},
        judged=np.array([[one.judged.tokens for one in row] for row in rows], float).mean(axis=1),
        seeds=len(seeds),
        failed=sum(bool(one.failure) for one in every),
        cut=sum(one.stop == "budget" for one in every),
        left_out=left_out,
    )
