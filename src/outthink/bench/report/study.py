"""Everything that a report shows, computed once: the same figures stand in the page, in Markdown, in CSV and in the picture.

study = study_of(read_folder("bench-runs/laboratory"))
study.sets[0].rows[0].entry.accuracy, study.sets[0].warnings
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from outthink.bench.report.questions import Traced, hardest, most_improved
from outthink.bench.report.stored import StoredBench
from outthink.bench.statistics import (
    UNKNOWN,
    Choices,
    Comparison,
    Constant,
    Entry,
    best_constant,
    choices_of,
    compared,
    entries_of,
    order_of,
    sees_answers,
    unfinished,
    warnings_of,
)
from outthink.numerics.intervals import Interval
from outthink.numerics.pareto import frontier_share
from outthink.numerics.resampled import rate_interval

RESAMPLES = 1000


@dataclass(frozen=True)
class Row:
    """One method at one size: its entry, the interval of its accuracy, its comparisons, and how often resamples put it on the frontier.

    `frontier` is nan for a method that sees the right answers, which is left out of the competition.
    """

    entry: Entry
    interval: Interval
    against: tuple[Comparison, ...]
    frontier: float


@dataclass(frozen=True)
class SetStudy:
    """One set of questions.

    Attributes:
        rows: plain baselines first, then by method and size (`order_of`). choices: one a pool and verifier. warnings: sentences.
        unfinished: methods and sizes that were begun and are not whole under any seed, so not shown.
        hardest, improved: questions to look at.
        of_run: all methods of the run, so that each has one colour in every picture.
    """

    name: str
    questions: tuple[str, ...]
    rows: tuple[Row, ...]
    constant: Constant
    choices: tuple[Choices, ...]
    warnings: tuple[str, ...]
    unfinished: tuple[str, ...]
    hardest: tuple[Traced, ...]
    improved: tuple[Traced, ...]
    of_run: tuple[str, ...] = ()

    @property
    def methods(self) -> list[str]:
        """In the order of the rows."""
        return list(dict.fromkeys(row.entry.method for row in self.rows))


@dataclass(frozen=True)
class Study:
    """A benchmark. `sets`: all questions together first, where there are several sets."""

    stored: StoredBench
    sets: tuple[SetStudy, ...]


def study_of(stored: StoredBench, *, seed: int = 0, each: Callable[[str], None] = lambda _: None) -> Study:
    """All figures. `seed`: of the resamples. `each`: told the name of every set that is begun."""
    sets: list[SetStudy] = []
    for name, questions in stored.sets.items():
        each(name)
        sets.append(_set(stored, name, questions, np.random.default_rng([seed, len(sets)])))
    return Study(stored, tuple(sets))


def _set(stored: StoredBench, name: str, questions: Sequence[str], rng: np.random.Generator) -> SetStudy:
    ids = list(questions)
    outcomes = [outcome for outcome in stored.outcomes if outcome.question in set(ids)]
    entries = sorted(entries_of(outcomes, ids), key=lambda entry: order_of(entry.method))
    intervals = [rate_interval(entry.right, rng, resamples=RESAMPLES) for entry in entries]
    comparisons = compared(entries, rng, resamples=RESAMPLES)
    shares = _frontier(entries, rng)
    constant = _constant(stored, name, ids)
    choices = _choices(stored, ids)
    rows = tuple(
        Row(
            entry,
            interval,
            tuple(c for c in comparisons if (c.method, c.size) == (entry.method, entry.size)),
            shares.get(entry.label, float("nan")),
        )
        for entry, interval in zip(entries, intervals, strict=True)
    )
    return SetStudy(
        name=name,
        questions=tuple(ids),
        rows=rows,
        constant=constant,
        choices=tuple(choices),
        warnings=tuple(warnings_of(entries, intervals, comparisons, constant, choices)),
        unfinished=tuple(unfinished(outcomes, ids)),
        hardest=tuple(hardest(stored, entries)),
        improved=tuple(most_improved(stored, entries)),
        of_run=tuple(sorted({o.method for o in stored.outcomes}, key=lambda method: (order_of(method), method))),
    )


def _frontier(entries: Sequence[Entry], rng: np.random.Generator) -> dict[str, float]:
    honest = [entry for entry in entries if not sees_answers(entry.method)]
    if not honest:
        return {}
    cost, right = np.stack([entry.tokens for entry in honest]), np.stack([entry.right for entry in honest])
    shares = frontier_share(cost, right, rng, resamples=RESAMPLES)
    return {entry.label: float(share) for entry, share in zip(honest, shares, strict=True)}


def _constant(stored: StoredBench, name: str, questions: Sequence[str]) -> Constant:
    """Of one set, what its tasks said: they know which answers are equal, and whether one can serve two questions at all.

    Of all sets together, the better of two that are certain: the best of one set, or the most frequent text among the references of the
    sets whose answers can be constants. Without a record of the tasks nothing is known.
    """
    sets = {row.name: row for row in stored.record.sets} if stored.record is not None else {}
    if row := sets.get(name):
        return Constant(row.constant, row.constant_share)
    rows = [stored.questions[question] for question in questions]
    if not all(row.set in sets for row in rows):
        return UNKNOWN
    served = [one for one in sets.values() if one.constant is not None]
    of_one = [Constant(one.constant, one.constant_share * one.questions / len(rows)) for one in served]
    together = best_constant(row.reference if sets[row.set] in served else None for row in rows)
    return max((together, *of_one), key=lambda constant: constant.share)


def _choices(stored: StoredBench, questions: Sequence[str]) -> list[Choices]:
    found = []
    for pool in stored.pool_names():
        table = stored.samples(pool, list(questions))
        if table is None:
            continue
        size = int(table.counts.min())
        if size > 1:
            found += [choices_of(table, score, size) for score in sorted(table.scores) or [""]]
    return found
