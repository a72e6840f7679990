"""What other ways of choosing, and smaller budgets, would have given from samples that are already paid for.

    found = replay(table, select=("single", "vote", "best-of-n", "oracle"), sizes=(1, 2, 4, 8))
    for line in found: print(line.select, line.size, line.accuracy, line.interval, line.tokens)

Sizes smaller than the pool are averages over its subsets, so all samples stand in every figure and nothing is drawn anew. The bill is what
such a run costs on average: its samples, and a look of the verifier at each where the choice needs scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.core.errors import InputError, explain
from outthink.numerics.intervals import Interval
from outthink.numerics.resampled import rate_intervals, resample_counts
from outthink.numerics.types import FloatArray
from outthink.replay.samples import SampleTable
from outthink.replay.selectors import closed_form, one_question, over_subsets, selector
from outthink.replay.subsets import is_exact, subsets

RESAMPLES = 1000


@dataclass(frozen=True)
class Line:
    """One way of choosing at one size.

    Attributes:
        select, size: which; `score`: the verifier, "" for none.
        right: probability of a right answer, a question, [questions]. `questions`: how many; those with too few samples are left out.
        accuracy, interval: their mean, and its interval over questions.
        samples, tokens, judged: of one question on average; tokens are nan where the samples do not say, and hold those of judging.
        how: "exact", or over how many subsets or orders.
    """

    select: str
    size: int
    score: str
    right: FloatArray
    accuracy: float
    interval: Interval
    samples: float
    tokens: float
    judged: float
    how: str

    @property
    def questions(self) -> int:
        """How many questions had enough samples."""
        return int((~np.isnan(self.right)).sum())


@dataclass(frozen=True)
class Estimate:
    """Rows of a table as one rule would have handled them: nan where a row has too few samples; [rows] each."""

    right: FloatArray
    samples: FloatArray
    tokens: FloatArray
    judged: FloatArray
    how: str


def replay(
    table: SampleTable,
    *,
    select: Sequence[str] = ("single", "vote", "oracle"),
    sizes: Sequence[int] = (1, 2, 4, 8),
    score: str | None = None,
    seed: int = 0,
    level: float = 0.95,
    each: Callable[[], None] = lambda: None,
) -> list[Line]:
    """A line for each way of choosing and size that at least one question has the samples for.

    Args:
        select: names of `SELECTORS`. score: whose scores, by name; None for the only ones there are.
        seed: of the subsets and of the intervals. each: called after every line.
    Raises `InputError`: an unknown name, scores that are not there, a size that no question reaches.
    """
    reachable = [size for size in dict.fromkeys(sizes) if 1 <= size <= int(table.counts.max())]
    if not reachable:
        raise InputError(
            explain(
                "No question has so many samples.",
                got=list(sizes),
                expected=f"sizes from 1 to {int(table.counts.max())}",
                remedy="Give smaller sizes.",
            )
        )
    lines = []
    counts = resamples_of(table, seed)
    for name in dict.fromkeys(select):
        whose, _ = table.score_of(score) if selector(name).scored else ("", None)
        for size in reachable if name != "single" else [1]:
            lines.append(line_of(table, name, size, whose, estimate(table, name, size, whose, seed), counts, level))
            each()
    return lines


def estimate(table: SampleTable, name: str, size: int, score: str, seed: int) -> Estimate:
    """One way of choosing at one size, row by row. `score`: "" for none."""
    chooser, scores = selector(name), table.scores[score] if score else None
    right = np.full(len(table), np.nan)
    exact, many = True, 0
    for pool in np.unique(table.counts).tolist():
        if pool < size:
            continue
        at = np.flatnonzero(table.counts == pool)
        part = cut(table.rows(at), pool)
        own = None if scores is None else scores[at, :pool]
        known = closed_form(name, part, own, size)
        if known is None:
            drawn = subsets(pool, size, np.random.default_rng([seed, pool, size]))
            exact, many = exact and is_exact(pool, size), max(many, len(drawn))
            known = np.array(
                [over_subsets(chooser.choose, one_question(part, i, own), drawn) for i in range(len(part))]
            )
        right[at] = known
    there = ~np.isnan(right)
    samples = np.where(there, float(size), np.nan)
    judged = samples * usable_share(table) if score else np.zeros(len(table))
    how = "exact" if exact else f"{many} subsets"
    return Estimate(right, samples, samples * tokens_each(table, score), judged, how)


def cut(table: SampleTable, pool: int) -> SampleTable:
    """The same with the first `pool` places of each row; nothing is lost where no row has more."""
    return SampleTable(
        table.questions,
        table.sets,
        table.drawn[:, :pool],
        table.usable[:, :pool],
        table.answer[:, :pool],
        table.right[:, :pool],
        table.tokens[:, :pool],
        {name: values[:, :pool] for name, values in table.scores.items()},
        {name: values[:, :pool] for name, values in table.judging.items()},
    )


def tokens_each(table: SampleTable, score: str) -> FloatArray:
    """Mean tokens of a sample of each row, judged by `score` unless it is "", [rows]; nan where a sample does not say."""
    spent = table.tokens + (table.judging[score] if score else 0.0)
    return np.asarray(np.where(table.drawn, spent, 0.0).sum(axis=1) / table.counts)


def usable_share(table: SampleTable) -> FloatArray:
    """Share of each row's samples that were not lost, and so are judged, [rows]."""
    return np.asarray(table.usable.sum(axis=1) / table.counts)


def line_of(
    table: SampleTable, name: str, size: int, score: str, found: Estimate, counts: FloatArray, level: float
) -> Line:
    """The line of one estimate: repeats of a question averaged, then the mean over questions with its interval."""
    right = by_question(table, found.right)
    there = ~np.isnan(right)
    complete = counts if there.all() else resample_counts(int(there.sum()), len(counts), np.random.default_rng(size))
    (interval,) = rate_intervals(right[there][:, None], complete, level)
    means = [by_question(table, column)[there].mean() for column in (found.samples, found.tokens, found.judged)]
    samples, tokens, judged = (float(mean) for mean in means)
    return Line(name, size, score, right, float(right[there].mean()), interval, samples, tokens, judged, found.how)


def by_question(table: SampleTable, column: FloatArray) -> FloatArray:
    """Mean over the rows of each different question, [questions]; nan where a row is nan."""
    names, place = table.units
    if len(names) == len(table):
        return column
    return np.bincount(place, column, len(names)) / np.bincount(place, minlength=len(names))


def resamples_of(table: SampleTable, seed: int) -> FloatArray:
    """The resamples of questions that all lines of one replay share, [resamples, questions]."""
    return resample_counts(len(table.units[0]), RESAMPLES, np.random.default_rng([seed, 0]))
