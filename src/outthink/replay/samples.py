"""Samples of many questions that are paid for: one table, a column for each thing that a choice among them may look at.

    table = gathered([QuestionSamples("q1", answers=[0, 1, 0], right=[True, False, True]), ...])
    table.answer        # [questions, samples]: which answer each gave, numbered by first appearance in its question; -1 abstains

Questions may have different numbers of samples; places beyond a question's own are marked in `drawn`. Texts are not kept: ten thousand
questions of 64 samples fit into a few dozen megabytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from outthink.core.errors import InputError, explain
from outthink.numerics.types import BoolArray, FloatArray, IntArray

ABSTAINS = -1


@dataclass(frozen=True)
class QuestionSamples:
    """What is known of one question's n samples, in the order in which they were drawn.

    Attributes:
        question: its id; rows of the same id are repeats, one unit of evidence together. set: what it belongs to.
        answers: class of equal answers, [n], numbered by first appearance; -1 abstains.
        right: [n]. tokens: what each cost, [n]; nan where unknown.
        scores: by the verifier's name, [n] each; nan for no opinion. judging: tokens that judging each cost, by the same names.
        failed: samples that were lost, [n]: paid for and never chosen.
    """

    question: str
    answers: Sequence[int] | NDArray[np.integer]
    right: Sequence[bool] | BoolArray
    tokens: Sequence[float] | FloatArray | None = None
    scores: Mapping[str, Sequence[float] | FloatArray] = field(default_factory=dict)
    judging: Mapping[str, Sequence[float] | FloatArray] = field(default_factory=dict)
    failed: Sequence[bool] | BoolArray | None = None
    set: str = ""


@dataclass(frozen=True)
class SampleTable:
    """Many questions.

    Attributes:
        questions, sets: ids and sets, one a row.
        drawn: which places hold a sample, [q, n]; each row's samples come first.
        usable: samples that were not lost, [q, n].
        answer: [q, n]; -1 abstains, was lost, or is not there. right: [q, n].
        tokens: [q, n]; nan where unknown. scores, judging: by name, [q, n] each.
    """

    questions: tuple[str, ...]
    sets: tuple[str, ...]
    drawn: BoolArray
    usable: BoolArray
    answer: IntArray
    right: BoolArray
    tokens: FloatArray
    scores: Mapping[str, FloatArray]
    judging: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(self.questions)

    @property
    def counts(self) -> IntArray:
        """Samples of each row, [q]."""
        return np.asarray(self.drawn.sum(axis=1), np.int64)

    @property
    def units(self) -> tuple[tuple[str, ...], IntArray]:
        """The different questions, and which of them each row belongs to, [q]."""
        known: dict[str, int] = {}
        place = np.array([known.setdefault(name, len(known)) for name in self.questions], np.int64)
        return tuple(known), place

    def score_of(self, name: str | None) -> tuple[str, FloatArray]:
        """One verifier's name and scores, [q, n]; None for the only one. Raises `InputError` where that is not clear."""
        known = sorted(self.scores)
        if name is None and len(known) == 1:
            name = known[0]
        if name is None or name not in self.scores:
            raise InputError(
                explain(
                    "It is not clear which scores to choose by." if known else "These samples have no scores.",
                    got=name,
                    expected=f"one of {', '.join(known)}" if known else "samples with scores",
                    remedy="Name one of them."
                    if known
                    else "Select without scores, such as by vote, or say which field holds them.",
                )
            )
        return name, self.scores[name]

    def rows(self, which: IntArray | BoolArray) -> SampleTable:
        """Some of the rows."""
        at = np.flatnonzero(which) if np.asarray(which).dtype == np.bool_ else np.asarray(which)
        return SampleTable(
            tuple(self.questions[i] for i in at.tolist()),
            tuple(self.sets[i] for i in at.tolist()),
            self.drawn[at],
            self.usable[at],
            self.answer[at],
            self.right[at],
            self.tokens[at],
            {name: values[at] for name, values in self.scores.items()},
            {name: values[at] for name, values in self.judging.items()},
        )


def gathered(rows: Sequence[QuestionSamples]) -> SampleTable:
    """One table of all rows. Raises `InputError`: no rows, a row without samples, columns of unequal length."""
    if not rows:
        raise InputError(
            explain("There are no samples.", got="no questions", expected="at least one", remedy="Check the file.")
        )
    for row in rows:
        _check(row)
    widest = max(len(row.answers) for row in rows)
    shape = (len(rows), widest)
    names = sorted({name for row in rows for name in row.scores})
    drawn, lost, right = np.zeros(shape, bool), np.zeros(shape, bool), np.zeros(shape, bool)
    answer, tokens = np.full(shape, ABSTAINS, np.int64), np.full(shape, np.nan)
    scores = {name: np.full(shape, np.nan) for name in names}
    judging = {name: np.zeros(shape) for name in names}
    for i, row in enumerate(rows):
        n = len(row.answers)
        drawn[i, :n], answer[i, :n], right[i, :n] = True, row.answers, row.right
        if row.tokens is not None:
            tokens[i, :n] = row.tokens
        if row.failed is not None:
            lost[i, :n] = row.failed
        for name, values in row.scores.items():
            scores[name][i, :n] = values
        for name, values in row.judging.items():
            judging[name][i, :n] = values
    answer[lost] = ABSTAINS
    right[lost] = False
    return SampleTable(
        tuple(row.question for row in rows),
        tuple(row.set for row in rows),
        drawn,
        drawn & ~lost,
        answer,
        right,
        tokens,
        scores,
        judging,
    )


def _check(row: QuestionSamples) -> None:
    n = len(row.answers)
    columns = {"right": row.right, "tokens": row.tokens, "failed": row.failed, **row.scores}
    wrong = {name: len(values) for name, values in columns.items() if values is not None and len(values) != n}
    if n == 0 or wrong:
        raise InputError(
            explain(
                f"The samples of {row.question!r} do not fit together.",
                got=wrong or "no samples",
                expected=f"{n} entries each" if n else "at least one sample",
                remedy="Give every list one entry a sample.",
            )
        )
